//! Few channels a group: plane by plane, with neighbouring outputs in the vectors.

mod channels;
mod classes;
mod ending;
mod few;
mod long;
mod outputs;
mod place;
mod slide;
mod stage;
mod three;
mod tile;
mod weights;

use std::ops::Range;

use self::classes::Classes;
use self::ending::Ending;
use self::long::{Long, Segments};
use self::outputs::Outputs;
use self::place::{Place, Source};
use self::slide::Slide;
use self::stage::{Channel, surround};
use self::weights::Kernel;
use super::epilogue::Epilogue;
use super::passes::Passes;
use super::patch::Tile;
use crate::array::{Element, SharedOutput, View, with_scratch};
use crate::parallel::Progress;
use crate::shape::ConvShape;
use crate::simd::{Isa, Lanes, Operation, Simd, dispatch};

pub(super) use self::channels::CHANNELS;
pub(super) use self::tile::tile;

/// A convolution of few channels a group.
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
        let inputs = self.shape.in_channels;
        let segments = Segments::new(largest, tile[2], lanes).filter(|_| inputs == 1);
        let row = segments.map_or(0, |segments| segments.row());
        let [turned_input, turned_sums] = segments.map_or([0; 2], |segments| segments.turned());
        let channels = CHANNELS.min(self.shape.out_channels);
        let taps = inputs * largest.iter().map(|axis| axis.taps).product::<usize>();
        let staged = inputs * tile::staged(largest, tile, lanes);
        let sums = channels * tile::sums(tile, lanes);
        let sizes = [staged.max(row), sums.max(row), channels * taps, turned_input, turned_sums];
        let line = 64;
        let bytes = sizes.iter().sum::<usize>() * size_of::<E::Accumulator>() + taps * size_of::<u32>() + 6 * line;
        with_scratch(bytes, |scratch| {
            let [staged, sums, weights, turned_input, turned_sums] = sizes.map(|size| scratch.cut(size));
            let taps = scratch.cut(taps);
            let work = Work { staged, sums, weights, turned_input, turned_sums, taps };
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
    /// Offset of every tap; where one output channel is computed at a time, in a row of one input channel.
    taps: &'a mut [u32],
}

/// What the tiles at one place of all planes have in common.
struct Frame<T> {
    place: Place,
    source: Source<T>,
    /// Whether the source is the input itself, of the first channel of the first image.
    in_place: bool,
    /// Whether several output channels are computed together.
    together: bool,
    /// Otherwise, how its rows follow each other, and the tap rows of one run down them.
    classes: Classes,
    group: usize,
    /// Where its first output lies in a channel, and whether sums are written there, in the type and order of outputs.
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

impl<E: Element<Accumulator: Lanes>> Operation<E::Accumulator> for Tasks<'_, E> {
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
                let frame = self.frame::<S>(pass, index);
                if let Some(Frame { source, place: place @ Place { plain: true, .. }, in_place: false, .. }) = &frame {
                    for channel in self.work.staged.chunks_mut(source.channel).take(shape.in_channels) {
                        surround(simd, place, shape.input, channel);
                    }
                }
                known = Some(((pass, index), frame));
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

impl<E: Element<Accumulator: Lanes>> Tasks<'_, E> {
    /// What the tiles of that number have in common in all planes; nothing where a smaller pass has no outputs there.
    fn frame<S: Simd<Scalar = E::Accumulator>>(&mut self, pass: usize, index: usize) -> Option<Frame<E::Accumulator>> {
        let Rows { passes, shape, input, weight, output, .. } = *self.rows;
        let Passes { plan, tiles, .. } = passes;
        let axes = passes.pass(pass);
        let at = [index / (tiles[1] * tiles[2]), index / tiles[2] % tiles[1], index % tiles[2]];
        let start: [usize; 3] = std::array::from_fn(|axis| at[axis] * plan.tile[axis]);
        let size: [usize; 3] = std::array::from_fn(|axis| plan.tile[axis].min(axes[axis].outputs.saturating_sub(start[axis])));
        if size.contains(&0) {
            return None;
        }
        let together = shape.in_channels > 1 || shape.out_channels >= CHANNELS;
        // Tiles are rows only where the largest pass is long.
        let long = !self.work.turned_input.is_empty() && !together;
        let segments = if long { Segments::new(&axes, size[2], plan.lanes) } else { None };
        let mut place = Place::new(shape, &axes, Tile { start, size }, plan.lanes, segments);
        place.plain = Channel::is_plain(&place, input, shape.mode);
        // Many channels are worth a copy, whose vectors are aligned.
        let in_place = if together { None } else { place.in_place::<S, E>(input, shape.mode, self.work.staged) };
        let source = in_place.unwrap_or_else(|| place.copy(self.work.staged));
        let taps = axes.map(|axis| axis.taps);
        let rows = if together { shape.in_channels * taps[0] * taps[1] } else { 1 };
        for (row, offsets) in self.work.taps.chunks_mut(taps[2]).take(rows).enumerate() {
            let start = source.tap_row([row / (taps[0] * taps[1]), row / taps[1] % taps[0], row % taps[1]]);
            for (tap, offset) in offsets.iter_mut().enumerate() {
                let column = if in_place.is_some() { tap * axes[2].tap_step } else { place.columns.offset(tap) };
                *offset = (start + column) as u32;
            }
        }
        let classes = Classes::new(source.pixel_steps[1], source.tap_steps[1], size[1], taps[1]);
        let few = in_place.is_none() && few::few::<S>(size[1], size[2]) && classes.count == 1;
        // Few rows take all tap rows at once, unless some may be skipped.
        let all = few && taps[1] < outputs::SKIPPED_TAP_ROWS;
        let most = if all { taps[1] } else { slide::most_rows(S::PIXELS) * classes.step };
        let group = taps[1].div_ceil(taps[1].div_ceil(most));
        let strides = output.strides();
        let first = |axis: usize| (axes[axis].output_start + start[axis] * axes[axis].output_step) as isize * strides[2 + axis];
        let straight = E::IN_PLACE && axes[2].output_step as isize * strides[4] == 1;
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
            columns: self.work.taps.as_ptr(),
            weights: std::ptr::null(),
            tap_rows: group,
            rows: 0,
            width: size[2],
            from: std::ptr::null(),
            from_pitch: (classes.count * pitch) as isize,
            to: std::ptr::null_mut(),
            to_pitch: 0,
            whole: false,
            ending: Ending::NONE,
        };
        let (kernel, output) = (Kernel::new(shape, &axes, weight), (0..3).map(first).sum());
        let in_place = in_place.is_some();
        Some(Frame { place, source, in_place, together, classes, group, output, straight, pitch, kernel, slide })
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
            for index in 0..shape.in_channels {
                let channel = Channel { input, mode: shape.mode, image, channel: group * shape.in_channels + index };
                channel.stage(simd, place, &mut work.staged[index * frame.source.channel..]);
            }
        }
        let depth = place.tile.size[0];
        let taps = shape.in_channels * place.axes.iter().map(|axis| axis.taps).product::<usize>();
        let most = if frame.together { CHANNELS } else { 1 };
        let mut first = channels.start;
        while first < channels.end {
            // Five channels are three and two, and not four and one.
            let left = channels.end - first;
            let count = divided_up(left, divided_up(left, most));
            let weights = frame.kernel.weights(weight, [group, first, count], work.weights);
            for z in 0..depth {
                let outputs = Outputs { frame, image, channel: group * shape.out_channels + first, count, z, weights };
                if let Some(segments) = place.segments {
                    let (row, input, sums) = (&*work.staged, &mut *work.turned_input, &mut *work.turned_sums);
                    Long { segments, row, weights, input, sums, output: work.sums }.run(simd);
                    self.rows.finish(&outputs, false, work.sums);
                } else if frame.together {
                    self.rows.channels(simd, &outputs, &work.taps[..taps], work.sums);
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
