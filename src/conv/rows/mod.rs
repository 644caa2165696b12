//! Depthwise convolutions: one input channel to an output channel, plane by plane, with neighbouring outputs in the vectors.

mod classes;
mod frame;
mod long;
mod slide;
mod stage;
mod three;
mod tile;

use std::ops::Range;

use self::classes::Classes;
use self::frame::{Frame, Source};
use self::long::{Long, Segments};
use self::slide::Slide;
use self::stage::Channel;
use super::epilogue::Epilogue;
use super::passes::Passes;
use super::patch::Tile;
use crate::array::{Accumulator, Activation, Element, SharedOutput, View, with_scratch};
use crate::parallel::Progress;
use crate::shape::{AxisPass, ConvShape};
use crate::simd::{Isa, Lanes, Operation, Simd, dispatch};

pub(super) use self::tile::tile;

/// From this many tap rows on, those that read nothing but zeros outside the input are left out.
const SKIPPED_TAP_ROWS: usize = 16;

/// A convolution of one input channel a group.
pub(super) struct Rows<'a, E: Element> {
    pub isa: Isa,
    pub shape: &'a ConvShape,
    pub passes: &'a Passes<'a>,
    pub input: &'a View<'a, E>,
    pub weight: &'a View<'a, E>,
    pub epilogue: &'a Epilogue<'a, E>,
    pub output: &'a SharedOutput<'a, E>,
}

impl<E: Element<Accumulator: Lanes>> Rows<'_, E> {
    /// Some of the tasks: tiles of planes.
    pub fn run(&self, tasks: Range<usize>, progress: &Progress<'_>) {
        let passes = self.passes;
        let (lanes, tile, largest) = (passes.plan.lanes, passes.plan.tile, &passes.largest);
        let segments = Segments::new(largest, tile[2], lanes);
        let row = segments.map_or(0, |segments| segments.row());
        let [turned_input, turned_sums] = segments.map_or([0; 2], |segments| segments.turned());
        let taps = largest.iter().map(|axis| axis.taps).product();
        let sizes =
            [tile::staged(largest, tile, lanes).max(row), tile::sums(tile, lanes).max(row), taps, turned_input, turned_sums];
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
        let planes = shape.groups * shape.batch;
        let (mut task, mut known) = (self.tasks.start, None);
        while task < self.tasks.end {
            let (pass, rest) = divided(task, passes.tasks_per_pass);
            let (index, plane) = divided(rest, planes);
            if known.as_ref().is_none_or(|(at, _)| *at != (pass, index)) {
                known = Some(((pass, index), self.frame::<S>(pass, index)));
            }
            if let Some((_, Some(frame))) = &known {
                let (group, image) = divided(plane, shape.batch);
                self.tile(simd, frame, image, group);
            }
            if self.progress.cancelled() {
                return;
            }
            task += 1;
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
        let Passes { plan, tiles, .. } = self.rows.passes;
        let axes = self.rows.passes.pass(pass);
        let at = [index / (tiles[1] * tiles[2]), index / tiles[2] % tiles[1], index % tiles[2]];
        let start: [usize; 3] = std::array::from_fn(|axis| at[axis] * plan.tile[axis]);
        let size: [usize; 3] = std::array::from_fn(|axis| plan.tile[axis].min(axes[axis].outputs.saturating_sub(start[axis])));
        if size.contains(&0) {
            return None;
        }
        // Tiles are rows only where the largest pass is long.
        let long = !self.work.turned_input.is_empty();
        let segments = if long { Segments::new(&axes, size[2], plan.lanes) } else { None };
        let mut frame = Frame::new(self.rows.shape, &axes, Tile { start, size }, plan.lanes, segments);
        frame.in_place = frame.source::<S, E>(self.rows.input, self.rows.shape.mode, self.work.staged);
        if frame.in_place.is_some() {
            self.work.staged[..frame.columns.row()].fill(E::Accumulator::default());
        }
        for (tap, offset) in self.work.columns[..axes[2].taps].iter_mut().enumerate() {
            *offset = if frame.in_place.is_some() { tap * axes[2].tap_step } else { frame.columns.offset(tap) } as u32;
        }
        let steps = match &frame.in_place {
            Some(source) => (source.pixel_steps[1], source.tap_steps[1]),
            None => (frame.staged[1].pixel_step, frame.staged[1].tap_step),
        };
        frame.classes = Classes::new(steps.0, steps.1, size[1], axes[1].taps);
        let most = slide::most_rows(S::PIXELS) * frame.classes.step;
        frame.group = axes[1].taps.div_ceil(axes[1].taps.div_ceil(most).max(1));
        let Rows { epilogue, output, .. } = self.rows;
        let strides = output.strides();
        let first = |axis: usize| (axes[axis].output_start + start[axis] * axes[axis].output_step) as isize * strides[2 + axis];
        frame.output = (0..3).map(first).sum();
        frame.straight = E::IN_PLACE
            && axes[2].output_step as isize * strides[4] == 1
            && epilogue.residual.is_none()
            && *epilogue.activation == Activation::Identity;
        Some(frame)
    }

    #[inline(always)]
    fn tile<S: Simd<Scalar = E::Accumulator>>(&mut self, simd: S, frame: &Frame<E::Accumulator>, image: usize, group: usize) {
        let Rows { shape, input, weight, .. } = *self.rows;
        let taps = frame.axes.map(|axis| axis.taps);
        let channel = Channel { input, mode: shape.mode, image, channel: group };
        let source = if taps.contains(&0) {
            None
        } else if let Some(source) = channel.in_place(frame) {
            Some(source)
        } else {
            Some(channel.staged(simd, frame, self.work.staged))
        };
        let work = &mut self.work;
        for within in 0..shape.out_channels {
            let channel = group * shape.out_channels + within;
            let index = if shape.transposed { [group, within] } else { [channel, 0] };
            let weights = kernel_weights(&frame.axes, weight, index, work.weights);
            for z in 0..frame.tile.size[0] {
                let plane = Plane { frame, image, channel, z, weights, columns: &work.columns[..taps[2]] };
                if let (Some(segments), Some(_)) = (frame.segments, &source) {
                    let (row, input, sums) = (&*work.staged, &mut *work.turned_input, &mut *work.turned_sums);
                    Long { segments, row, weights, input, sums, output: work.sums }.run(simd);
                    self.rows.finish(&plane, work.sums, 0);
                    continue;
                }
                self.rows.plane(simd, source.as_ref(), &plane, work.sums);
                if self.progress.cancelled() {
                    return;
                }
            }
        }
    }
}

impl<E: Element> Rows<'_, E> {
    /// The outputs of one tile at one depth.
    #[inline(always)]
    fn plane<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        source: Option<&Source<E::Accumulator>>,
        plane: &Plane<'_, E::Accumulator>,
        sums: &mut [E::Accumulator],
    ) {
        let Rows { epilogue, output, .. } = self;
        let &Plane { frame, image, channel, z, weights, columns } = plane;
        let Frame { axes, tile, .. } = frame;
        let [_, height, width] = tile.size;
        let strides = output.strides();
        let pitch = width.next_multiple_of(self.passes.plan.lanes);
        let sums = &mut sums[..height * pitch];
        let bias = epilogue.bias.as_ref().map(|bias| bias.get([0, 0, 0, 0, channel]).widen());
        let Some(source) = source else {
            sums.fill(E::Accumulator::default());
            return self.finish(plane, sums, pitch);
        };
        let [depth, tap_rows, tap_columns] = axes.map(|axis| axis.taps);
        let target = output.channel(image, channel).cast::<E::Accumulator>();
        let start = frame.output + (z * axes[0].output_step) as isize * strides[2];
        let (Classes { count: classes, step, unit }, group) = (frame.classes, frame.group);
        // Finite weights times the zeros above and below the input change no sum.
        let skips = tap_rows >= SKIPPED_TAP_ROWS
            && classes == 1
            && frame.pads_rows(self.shape)
            && weights.iter().all(|weight| weight.is_finite());
        let straight = frame.straight && !skips;
        if skips {
            sums.fill(E::Accumulator::default());
        }
        for tap_depth in 0..depth {
            let input_plane = z * source.pixel_steps[0] + tap_depth * source.tap_steps[0];
            let there = source.inside[0][0] <= input_plane && input_plane < source.inside[0][1];
            for first in (0..tap_rows).step_by(group) {
                let fresh = tap_depth == 0 && first == 0 && !skips;
                let last = tap_depth + 1 == depth && first + group >= tap_rows;
                let count = group.min(tap_rows - first);
                for class in 0..classes {
                    let rows = (height - class).div_ceil(classes);
                    let rows = if skips { frame.rows_that_read(first..first + count, self.shape.input[1]) } else { 0..rows };
                    if rows.is_empty() {
                        continue;
                    }
                    let row = (class + rows.start) * source.pixel_steps[1] + first * unit;
                    let stored = sums[(class + rows.start) * pitch..].as_mut_ptr();
                    let stored_pitch = (classes * pitch) as isize;
                    let row_step = axes[1].output_step as isize * strides[3];
                    let written = straight && last;
                    let slide = Slide {
                        input: source.pointer.wrapping_add(input_plane * source.plane + row * source.row),
                        inside: source.inside[1].map(|end| if there { divided_up(end.saturating_sub(row), unit) } else { 0 }),
                        zeros: source.zeros,
                        readable: source.readable,
                        apart: source.apart,
                        pitch: unit * source.row,
                        step,
                        columns,
                        weights: weights[(tap_depth * tap_rows + first) * tap_columns..].as_ptr(),
                        tap_rows: count,
                        rows: rows.len(),
                        width,
                        from: if fresh { std::ptr::null() } else { stored },
                        from_pitch: stored_pitch,
                        to: if written { target.wrapping_offset(start + class as isize * row_step) } else { stored },
                        to_pitch: if written { classes as isize * row_step } else { stored_pitch },
                        whole: !written,
                        bias: bias.filter(|_| written),
                    };
                    simd.outlined(&slide);
                }
            }
        }
        if !straight {
            self.finish(plane, sums, pitch);
        }
    }

    /// Writes the outputs from their sums.
    #[inline(always)]
    fn finish(&self, plane: &Plane<'_, E::Accumulator>, sums: &mut [E::Accumulator], pitch: usize) {
        let Rows { epilogue, output, .. } = self;
        let &Plane { frame: Frame { axes, tile, .. }, image, channel, z, .. } = plane;
        let at = |axis: usize, offset: usize| axes[axis].output_start + (tile.start[axis] + offset) * axes[axis].output_step;
        for y in 0..tile.size[1] {
            let row = &mut sums[y * pitch..][..tile.size[2]];
            let index = [image, channel, at(0, z), at(1, y), at(2, 0)];
            let residual = |position: usize| {
                let [image, channel, z, y, x] = index;
                let residual = epilogue.residual.as_ref().expect("asked only if there");
                *residual.get([image, channel, z, y, x + position * axes[2].output_step])
            };
            epilogue.apply(channel, row, residual);
            // SAFETY: the outputs of a tile are one task's own.
            unsafe { output.write_row(index, axes[2].output_step, row.len(), |position| E::narrow(row[position])) };
        }
    }
}

/// The outputs of one tile and output channel at one depth.
#[derive(Clone, Copy)]
struct Plane<'a, T> {
    frame: &'a Frame<T>,
    image: usize,
    channel: usize,
    z: usize,
    weights: &'a [T],
    /// Offset in a row of the source of every tap.
    columns: &'a [u32],
}

/// The weights of one output channel in the order of the taps: where they lie, or gathered in `scratch`.
#[inline(always)]
fn kernel_weights<'a, E: Element>(
    axes: &[AxisPass; 3],
    weight: &'a View<'_, E>,
    [first, second]: [usize; 2],
    scratch: &'a mut [E::Accumulator],
) -> &'a [E::Accumulator] {
    let strides = weight.strides();
    let [depth, height, width] = axes.map(|axis| axis.taps);
    let steps: [isize; 3] = std::array::from_fn(|axis| axes[axis].kernel_step * strides[2 + axis]);
    let start: isize = (0..3).map(|axis| axes[axis].kernel_start as isize * strides[2 + axis]).sum();
    let start = start + first as isize * strides[0] + second as isize * strides[1];
    let taps = depth * height * width;
    let adjacent = steps[2] == 1 && steps[1] == width as isize && steps[0] == (height * width) as isize;
    // SAFETY: the taps of a channel are inside the weight; adjacent ones are a slice, of accumulators (`IN_PLACE`).
    unsafe {
        let from = weight.pointer().wrapping_offset(start);
        if E::IN_PLACE && adjacent && taps > 0 {
            return std::slice::from_raw_parts(from.cast(), taps);
        }
        let mut to = scratch.iter_mut();
        for z in 0..depth as isize {
            for y in 0..height as isize {
                for (x, to) in (0..width as isize).zip(&mut to) {
                    *to = (*from.offset(z * steps[0] + y * steps[1] + x * steps[2])).widen();
                }
            }
        }
    }
    &scratch[..taps]
}
