//! The outputs of a tile at one depth: computed by the kernel that fits, and written.

use super::channels::Channels;
use super::ending::Ending;
use super::place::Place;
use super::slide::Slide;
use super::{Frame, Rows, divided_up};
use crate::array::{Accumulator, Element, RANK};
use crate::simd::{Lanes, Simd};

/// From this many tap rows on, those that read nothing but zeros outside the input are left out.
pub(super) const SKIPPED_TAP_ROWS: usize = 16;

impl<E: Element<Accumulator: Lanes>> Rows<'_, E> {
    /// The outputs of one tile at one depth.
    #[inline(always)]
    pub(super) fn plane<S: Simd<Scalar = E::Accumulator>>(
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
        let ending = Ending { bias, bounds: self.epilogue.bounds() };
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
                        ending: if written { ending } else { Ending::NONE },
                        ..frame.slide
                    };
                    simd.outlined(&slide);
                }
            }
        }
        self.finish(outputs, straight, sums);
    }

    /// The same for some output channels together.
    #[inline(always)]
    pub(super) fn channels<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        outputs: &Outputs<'_, E::Accumulator>,
        taps: &[u32],
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
            taps,
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
            bounds: self.epilogue.bounds().filter(|_| *straight),
        };
        simd.outlined(&channels);
        self.finish(outputs, *straight, sums);
    }

    /// What is left to be done: what follows bias and bounds where outputs are `written`, else everything.
    #[inline(always)]
    pub(super) fn finish(&self, outputs: &Outputs<'_, E::Accumulator>, written: bool, sums: &mut [E::Accumulator]) {
        let Rows { epilogue, output, .. } = self;
        if written && epilogue.ends_with_bounds() {
            return;
        }
        let &Outputs { frame: Frame { place: Place { axes, tile, .. }, pitch, .. }, image, channel, count, z, .. } = outputs;
        let [_, height, width] = tile.size;
        let at = |axis: usize, offset: usize| axes[axis].output_start + (tile.start[axis] + offset) * axes[axis].output_step;
        // Rows that follow each other in the output, and in the residual, are one.
        let follow = |strides: [isize; RANK]| {
            strides[4] * axes[2].output_step as isize == 1 && strides[3] * axes[1].output_step as isize == width as isize
        };
        let residual = epilogue.residual.as_ref();
        if written && follow(output.strides()) && residual.is_none_or(|residual| follow(residual.strides())) {
            let at = [0, 0, at(0, z), at(1, 0), at(2, 0)];
            let place = residual.map_or(0, |residual| residual.offset(at));
            for channel in channel..channel + count {
                let index = [image, channel, at[2], at[3], at[4]];
                // SAFETY: the outputs of a tile are one task's own, in the accumulator's type and side by side.
                let values = unsafe { std::slice::from_raw_parts_mut(output.at(index).cast(), height * width) };
                epilogue.add_residual([image, channel], place, 1, values);
                epilogue.activate(channel, values);
            }
            return;
        }
        for row in 0..count * height {
            let (channel, y) = (channel + row / height, row % height);
            let index = [image, channel, at(0, z), at(1, y), at(2, 0)];
            let step = axes[2].output_step;
            if written {
                // SAFETY: as above.
                let values = unsafe { std::slice::from_raw_parts_mut(output.at(index).cast(), width) };
                epilogue.apply_behind_bias(index, step, values);
            } else {
                let sums = &mut sums[row * pitch..][..width];
                epilogue.apply(index, step, sums);
                // SAFETY: as above.
                unsafe { output.write_row(index, step, width, |position| E::narrow(sums[position])) };
            }
        }
    }
}

/// The outputs of one tile and some output channels at one depth.
#[derive(Clone, Copy)]
pub(super) struct Outputs<'a, T> {
    pub frame: &'a Frame<T>,
    pub image: usize,
    /// The first of `count` output channels.
    pub channel: usize,
    pub count: usize,
    pub z: usize,
    pub weights: &'a [T],
}
