//! Depthwise convolutions: one input channel to an output channel, plane by plane, with neighbouring outputs in the vectors.

mod channels;
mod classes;
mod long;
mod place;
mod slide;
mod stage;
mod three;
mod tile;
mod weights;

use std::ops::Range;

use self::channels::Channels;
use self::classes::Classes;
use self::long::{Long, Segments};
use self::place::{Place, Source};
use self::slide::Slide;
use self::stage::Channel;
use self::weights::Kernel;
use super::epilogue::Epilogue;
use super::passes::Passes;
use super::patch::Tile;
use crate::array::{Accumulator, Activation, Element, SharedOutput, View, with_scratch};
use crate::parallel::Progress;
use crate::shape::ConvShape;
use crate::simd::{Isa, Lanes, Operation, Simd, dispatch};

pub(super) use self::channels::CHANNELS;
pub(super) use self::tile::tile;

/// From this many tap rows on, those that read nothing but zeros outside the input are left out.
const SKIPPED_TAP_ROWS: usize = 16;

/// A convolution of one input channel a group.
pub(super) struct Rows<'a, E: Element> {
    pub isa: Isa,
    pub shape: &'a ConvShape,
    pub passes: &'a Passes,
    pub input: &'a View<'a, E>,
    pub weight: &'a View<'a, E>,
    pub epilogue: &'a Epilogue<'a, E>,
    pub output: &'a SharedOutput<'a, E>,
}

impl<E: Element<Accumulator: Lanes>> Rows<'_, E> {
    /// Some of the tasks: some output channels of a tile of a plane.
    pub fn run(&self, tasks: Range<usize>, progress: &Progress<'_>) {
        let passes = self.passes;
        let (lanes, tile, largest) = (passes.plan.lanes, passes.plan.tile, &passes.largest);
        let segments = Segments::new(largest, tile[2], lanes);
        let row = segments.map_or(0, |segments| segments.row());
        let [turned_input, turned_sums] = segments.map_or([0; 2], |segments| segments.turned());
        let channels = CHANNELS.min(self.shape.out_channels);
        let taps = channels * largest.iter().map(|axis| axis.taps).product::<usize>();
        let sums = channels * tile::sums(tile, lanes);
        let sizes = [tile::staged(largest, tile, lanes).max(row), sums.max(row), taps, turned_input, turned_sums];
        let line = 64;
        let bytes = sizes.iter().sum::<usize>() * size_of::<E::Accumulator>() + largest[2].taps * size_of::<u32>() + 6 * line;
        with_scratch(bytes, |scratch| {
            let [staged, sums, weights, turned_input, turned_sums] = sizes.map(|size| scratch.cut(size));
            let columns = scratch.cut(largest[2].taps);
            let work = Work { staged, sums, weights, turned_input, turned_sums, columns };
            dispatch(self.isa, Tasks { rows: self, tasks, progress, work });
        });
    }
}

/// The working memory of one thread.
struct Work<'a, T> {
    staged: &'a mut [T],
    sums: &'a mut [T],
    weights: &'a mut [T],
    /// Input and sums of the segments of a row.
    turned_input: &'a mut [T],
    turned_sums: &'a mut [T],
    /// Offset in a row of every tap.
    columns: &'a mut [u32],
}

/// What the tiles at one place of all planes have in common.
struct Frame<T> {
    place: Place,
    source: Source<T>,
    /// Whether the source is the input itself, of the first channel of the first image.
    in_place: bool,
    /// Output channels that are computed together.
    channels: usize,
    /// Otherwise, how its rows follow each other, and the tap rows of one run down them.
    classes: Classes,
    group: usize,
    /// Where its first output lies in a channel, and whether sums are outputs that are written there as they are.
    output: isize,
    straight: bool,
    /// Elements of a row of sums, where they are not.
    pitch: usize,
    kernel: Kernel,
    slide: Slide<T>,
}

struct Tasks<'a, E: Element> {
    rows: &'a Rows<'a, E>,
    tasks: Range<usize>,
    progress: &'a Progress<'a>,
    work: Work<'a, E::Accumulator>,
}

impl<E: Element> Operation<E::Accumulator> for Tasks<'_, E> {
    type Output = ();

    /// Tiles of the same number follow each other plane by plane.
    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(mut self, simd: S) {
        let Rows { passes, shape, .. } = *self.rows;
        let Passes { plan, splits, blocks_per_split, tasks_per_pass, .. } = *passes;
        let split_channels = plan.block * blocks_per_split;
        let mut known = None;
        for task in self.tasks.clone() {
            let (pass, rest) = divided(task, tasks_per_pass);
            let (index, rest) = divided(rest, shape.groups * shape.batch * splits);
            if known.as_ref().is_none_or(|(at, _)| *at != (pass, index)) {
                known = Some(((pass, index), self.frame::<S>(pass, index)));
            }
            if let Some((_, Some(frame))) = &known {
                let (plane, split) = divided(rest, splits);
                let (group, image) = divided(plane, shape.batch);
                let first = split * split_channels;
                self.tile(simd, frame, image, group, first..(first + split_channels).min(shape.out_channels));
            }
        }
    }
}

/// Quotient and remainder; a division takes longer than a row of a small plane.
#[inline(always)]
fn divided(number: usize, by: usize) -> (usize, usize) {
    if number < by {
        (0, number)
    } else if by == 1 {
        (number, 0)
    } else {
        (number / by, number % by)
    }
}

#[inline(always)]
fn divided_up(number: usize, by: usize) -> usize {
    if by == 1 { number } else { number.div_ceil(by) }
}

impl<E: Element> Tasks<'_, E> {
    /// What the tiles of that number have in common in all planes; nothing where a smaller pass has no outputs there.
    fn frame<S: Simd<Scalar = E::Accumulator>>(&mut self, pass: usize, index: usize) -> Option<Frame<E::Accumulator>> {
        let Rows { passes, shape, input, weight, epilogue, output, .. } = *self.rows;
        let Passes { plan, tiles, .. } = passes;
        let axes = passes.pass(pass);
        let at = [index / (tiles[1] * tiles[2]), index / tiles[2] % tiles[1], index % tiles[2]];
        let start: [usize; 3] = std::array::from_fn(|axis| at[axis] * plan.tile[axis]);
        let size: [usize; 3] = std::array::from_fn(|axis| plan.tile[axis].min(axes[axis].outputs.saturating_sub(start[axis])));
        if size.contains(&0) {
            return None;
        }
        let together = shape.out_channels >= CHANNELS;
        // Tiles are rows only where the largest pass is long.
        let long = !self.work.turned_input.is_empty() && !together;
        let segments = if long { Segments::new(&axes, size[2], plan.lanes) } else { None };
        let place = Place::new(shape, &axes, Tile { start, size }, plan.lanes, segments);
        let channels = if together { CHANNELS } else { 1 };
        // Many channels are worth a copy, whose vectors are aligned.
        let in_place = if together { None } else { place.in_place::<S, E>(input, shape.mode, self.work.staged) };
        let source = in_place.unwrap_or_else(|| place.copy(self.work.staged));
        let taps = axes.map(|axis| axis.taps);
        for (tap, offset) in self.work.columns[..taps[2]].iter_mut().enumerate() {
            *offset = if in_place.is_some() { tap * axes[2].tap_step } else { place.columns.offset(tap) } as u32;
        }
        let classes = Classes::new(source.pixel_steps[1], source.tap_steps[1], size[1], taps[1]);
        let most = slide::most_rows(S::PIXELS) * classes.step;
        let group = taps[1].div_ceil(taps[1].div_ceil(most));
        let strides = output.strides();
        let first = |axis: usize| (axes[axis].output_start + start[axis] * axes[axis].output_step) as isize * strides[2 + axis];
        let straight = E::IN_PLACE
            && axes[2].output_step as isize * strides[4] == 1
            && epilogue.residual.is_none()
            && *epilogue.activation == Activation::Identity;
        let pitch = size[2].next_multiple_of(plan.lanes);
        let slide = Slide {
            input: source.pointer,
            inside: [0; 2],
            zeros: source.zeros,
            readable: source.readable,
            apart: source.apart,
            pitch: classes.unit * source.row,
            step: classes.step,
            taps: taps[2],
            columns: self.work.columns.as_ptr(),
            weights: std::ptr::null(),
            tap_rows: group,
            rows: 0,
            width: size[2],
            from: std::ptr::null(),
            from_pitch: (classes.count * pitch) as isize,
            to: std::ptr::null_mut(),
            to_pitch: 0,
            whole: false,
            bias: None,
        };
        let (kernel, output) = (Kernel::new(shape, &axes, weight), (0..3).map(first).sum());
        let in_place = in_place.is_some();
        Some(Frame { place, source, in_place, channels, classes, group, output, straight, pitch, kernel, slide })
    }

    #[inline(always)]
    fn tile<S: Simd<Scalar = E::Accumulator>>(
        &mut self,
        simd: S,
        frame: &Frame<E::Accumulator>,
        image: usize,
        group: usize,
        channels: Range<usize>,
    ) {
        let Rows { shape, input, weight, .. } = *self.rows;
        let (work, place) = (&mut self.work, &frame.place);
        let mut from = frame.source.pointer;
        if frame.in_place {
            let strides = input.strides();
            from = from.wrapping_offset(image as isize * strides[0] + group as isize * strides[1]);
        } else {
            Channel { input, mode: shape.mode, image, channel: group }.stage(simd, place, work.staged);
        }
        let depth = place.tile.size[0];
        let mut first = channels.start;
        while first < channels.end {
            let count = frame.channels.min(channels.end - first);
            let weights = frame.kernel.weights(weight, [group, first, count], work.weights);
            for z in 0..depth {
                let outputs = Outputs { frame, image, channel: group * shape.out_channels + first, count, z, weights };
                if let Some(segments) = place.segments {
                    let (row, input, sums) = (&*work.staged, &mut *work.turned_input, &mut *work.turned_sums);
                    Long { segments, row, weights, input, sums, output: work.sums }.run(simd);
                    self.rows.finish(&outputs, work.sums);
                } else if frame.channels > 1 {
                    self.rows.channels(simd, &outputs, &work.columns[..place.axes[2].taps], work.sums);
                } else {
                    self.rows.plane(simd, from, &outputs, work.sums);
                }
                // A single plane is over soon enough.
                if (z + 1 < depth || first + count < channels.end) && self.progress.cancelled() {
                    return;
                }
            }
            first += count;
        }
    }
}

impl<E: Element> Rows<'_, E> {
    /// The outputs of one tile at one depth.
    #[inline(always)]
    fn plane<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        from: *const E::Accumulator,
        outputs: &Outputs<'_, E::Accumulator>,
        sums: &mut [E::Accumulator],
    ) {
        let &Outputs { frame, image, channel, z, weights, .. } = outputs;
        let Frame { place, source, classes, group, pitch, straight, .. } = frame;
        let height = place.tile.size[1];
        let strides = self.output.strides();
        let [depth, tap_rows, tap_columns] = place.axes.map(|axis| axis.taps);
        // Finite weights times the zeros above and below the input change no sum.
        let skips = tap_rows >= SKIPPED_TAP_ROWS
            && classes.count == 1
            && place.pads_rows(self.shape)
            && weights.iter().all(|weight| weight.is_finite());
        if skips {
            sums[..height * pitch].fill(E::Accumulator::default());
        }
        let straight = *straight && !skips;
        let start = frame.output + (z * place.axes[0].output_step) as isize * strides[2];
        let target = self.output.channel(image, channel).cast::<E::Accumulator>().wrapping_offset(start);
        let row_step = place.axes[1].output_step as isize * strides[3];
        let bias = self.epilogue.bias.as_ref().map(|bias| bias.get([0, 0, 0, 0, channel]).widen());
        for tap_depth in 0..depth {
            let input_plane = z * source.pixel_steps[0] + tap_depth * source.tap_steps[0];
            let there = source.inside[0][0] <= input_plane && input_plane < source.inside[0][1];
            for first in (0..tap_rows).step_by(*group) {
                let fresh = tap_depth == 0 && first == 0 && !skips;
                let count = (*group).min(tap_rows - first);
                let written = straight && tap_depth + 1 == depth && first + count == tap_rows;
                for class in 0..classes.count {
                    let rows = divided_up(height - class, classes.count);
                    let rows = if skips { place.rows_that_read(first..first + count, self.shape.input[1]) } else { 0..rows };
                    if rows.is_empty() {
                        continue;
                    }
                    let row = (class + rows.start) * source.pixel_steps[1] + first * classes.unit;
                    let stored = sums[(class + rows.start) * pitch..].as_mut_ptr();
                    let inside =
                        source.inside[1].map(|end| if there { divided_up(end.saturating_sub(row), classes.unit) } else { 0 });
                    let slide = Slide {
                        input: from.wrapping_add(input_plane * source.plane + row * source.row),
                        inside,
                        weights: weights[(tap_depth * tap_rows + first) * tap_columns..].as_ptr(),
                        tap_rows: count,
                        rows: rows.len(),
                        from: if fresh { std::ptr::null() } else { stored },
                        to: if written { target.wrapping_offset(class as isize * row_step) } else { stored },
                        to_pitch: if written { classes.count as isize * row_step } else { frame.slide.from_pitch },
                        whole: !written,
                        bias: bias.filter(|_| written),
                        ..frame.slide
                    };
                    simd.outlined(&slide);
                }
            }
        }
        if !straight {
            self.finish(outputs, sums);
        }
    }

    /// The same for some output channels together.
    #[inline(always)]
    fn channels<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        outputs: &Outputs<'_, E::Accumulator>,
        columns: &[u32],
        sums: &mut [E::Accumulator],
    ) {
        let &Outputs { frame, image, channel, count, z, weights } = outputs;
        let Frame { place, source, straight, .. } = frame;
        let rows = place.tile.size[1];
        let strides = self.output.strides();
        let start = frame.output + (z * place.axes[0].output_step) as isize * strides[2];
        let target = self.output.channel(image, channel).cast::<E::Accumulator>().wrapping_offset(start);
        let bias = self.epilogue.bias.as_ref().filter(|_| *straight);
        let channels = Channels {
            input: source.pointer.wrapping_add(z * source.pixel_steps[0] * source.plane),
            steps: [source.tap_steps[0] * source.plane, source.tap_steps[1] * source.row],
            columns,
            taps: place.axes.map(|axis| axis.taps),
            weights: weights.as_ptr(),
            weight_pitch: frame.kernel.distance(),
            count,
            rows,
            width: place.tile.size[2],
            pitch: source.pixel_steps[1] * source.row,
            to: if *straight { target } else { sums.as_mut_ptr() },
            to_channel: if *straight { strides[1] } else { (rows * frame.pitch) as isize },
            to_row: if *straight { place.axes[1].output_step as isize * strides[3] } else { frame.pitch as isize },
            whole: !straight,
            bias: bias.map_or(std::ptr::null(), |bias| bias.get([0, 0, 0, 0, channel]) as *const E).cast(),
            bias_pitch: bias.map_or(0, |bias| bias.strides()[4]),
        };
        simd.outlined(&channels);
        if !straight {
            self.finish(outputs, sums);
        }
    }

    /// Writes the outputs from their sums.
    #[inline(always)]
    fn finish(&self, outputs: &Outputs<'_, E::Accumulator>, sums: &mut [E::Accumulator]) {
        let Rows { epilogue, output, .. } = self;
        let &Outputs { frame: Frame { place: Place { axes, tile, .. }, pitch, .. }, image, channel, count, z, .. } = outputs;
        let [_, height, width] = tile.size;
        let at = |axis: usize, offset: usize| axes[axis].output_start + (tile.start[axis] + offset) * axes[axis].output_step;
        for row in 0..count * height {
            let (channel, y) = (channel + row / height, row % height);
            let sums = &mut sums[row * pitch..][..width];
            let index = [image, channel, at(0, z), at(1, y), at(2, 0)];
            let residual = |position: usize| {
                let [image, channel, z, y, x] = index;
                let residual = epilogue.residual.as_ref().expect("asked only if there");
                *residual.get([image, channel, z, y, x + position * axes[2].output_step])
            };
            epilogue.apply(channel, sums, residual);
            // SAFETY: the outputs of a tile are one task's own.
            unsafe { output.write_row(index, axes[2].output_step, width, |position| E::narrow(sums[position])) };
        }
    }
}

/// The outputs of one tile and some output channels at one depth.
#[derive(Clone, Copy)]
struct Outputs<'a, T> {
    frame: &'a Frame<T>,
    image: usize,
    /// The first of `count` output channels.
    channel: usize,
    count: usize,
    z: usize,
    weights: &'a [T],
}
