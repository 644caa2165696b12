//! Sliding blocks as columns (`unfold`, im2col) and back as a sum (`fold`, col2im), as torch.nn.functional has them.

use crate::array::{Accumulator, Element, SharedOutput, View, ViewMut, with_scratch};
use crate::error::Error;
use crate::parallel::for_each_chunk;
use crate::shape::UnfoldShape;

/// Most output columns that are summed up at once.
const WIDTH: usize = 4096;

/// Copies `input` (batch, channels, 1, height, width) into `output` (batch, columns, 1, 1, blocks), zeros for the padding.
pub fn unfold<E: Element>(shape: &UnfoldShape, input: &View<'_, E>, output: &mut ViewMut<'_, E>) -> Result<(), Error> {
    assert_eq!(input.shape(), [shape.batch, shape.channels, 1, shape.image[0], shape.image[1]]);
    assert_eq!(output.shape(), [shape.batch, shape.columns(), 1, 1, shape.block_count()]);
    let shared = SharedOutput::new(output);
    let width = shape.blocks[1];
    for_each_chunk(shape.batch * shape.columns(), shape.block_count(), |rows, progress| {
        for row in rows {
            let (image, column) = (row / shape.columns(), row % shape.columns());
            let (tap_y, tap_x) = (column / shape.kernel[1] % shape.kernel[0], column % shape.kernel[1]);
            let channel = column / (shape.kernel[0] * shape.kernel[1]);
            let (inside_y, first_y) = shape.inside(0, tap_y);
            let (inside_x, first_x) = shape.inside(1, tap_x);
            let zeros = |from: usize, count: usize| {
                // SAFETY: a row is one task.
                unsafe { shared.write_row([image, column, 0, 0, from], 1, count, |_| E::default()) };
            };
            for y in 0..shape.blocks[0] {
                if progress.cancelled() {
                    return;
                }
                let start = y * width;
                if !inside_y.contains(&y) || inside_x.is_empty() {
                    zeros(start, width);
                    continue;
                }
                let from_y = first_y + (y - inside_y.start) * shape.stride[0];
                zeros(start, inside_x.start);
                zeros(start + inside_x.end, width - inside_x.end);
                let to = [image, column, 0, 0, start + inside_x.start];
                let source = input.run([image, channel, 0, from_y, 0], shape.image[1]);
                // SAFETY: a row is one task.
                unsafe { shared.write_row(to, 1, inside_x.len(), |x| source.at(first_x + x * shape.stride[1])) };
            }
        }
    })
}

/// Adds the columns of `input` (batch, columns, 1, 1, blocks) up into `output` (batch, channels, 1, height, width).
pub fn fold<E: Element>(shape: &UnfoldShape, input: &View<'_, E>, output: &mut ViewMut<'_, E>) -> Result<(), Error> {
    assert_eq!(input.shape(), [shape.batch, shape.columns(), 1, 1, shape.block_count()]);
    assert_eq!(output.shape(), [shape.batch, shape.channels, 1, shape.image[0], shape.image[1]]);
    let shared = SharedOutput::new(output);
    let [height, width] = shape.image;
    let taps = shape.kernel[0] * shape.kernel[1];
    for_each_chunk(shape.batch * shape.channels * height, width * taps, |rows, progress| {
        with_scratch(WIDTH * size_of::<E::Accumulator>(), |scratch| {
            let sums: &mut [E::Accumulator] = scratch.cut(WIDTH);
            for row in rows {
                if progress.cancelled() {
                    return;
                }
                let (plane, y) = (row / height, row % height);
                for start in (0..width).step_by(WIDTH) {
                    let sums = &mut sums[..WIDTH.min(width - start)];
                    add_row(shape, input, plane, y, start, sums);
                    let to = [plane / shape.channels, plane % shape.channels, 0, y, start];
                    // SAFETY: a row is one task.
                    unsafe { shared.write_row(to, 1, sums.len(), |x| E::narrow(sums[x])) };
                }
            }
        });
    })
}

/// Sums up, for `sums.len()` pixels of a row from `start` on, the taps that reach them, in the order of the kernel.
fn add_row<E: Element>(
    shape: &UnfoldShape,
    input: &View<'_, E>,
    plane: usize,
    y: usize,
    start: usize,
    sums: &mut [E::Accumulator],
) {
    sums.fill(E::Accumulator::default());
    let (image, channel) = (plane / shape.channels, plane % shape.channels);
    for tap_y in 0..shape.kernel[0] {
        let (inside_y, first_y) = shape.inside(0, tap_y);
        if y < first_y || !(y - first_y).is_multiple_of(shape.stride[0]) || (y - first_y) / shape.stride[0] >= inside_y.len() {
            continue;
        }
        let block_y = inside_y.start + (y - first_y) / shape.stride[0];
        for tap_x in 0..shape.kernel[1] {
            let (inside_x, first_x) = shape.inside(1, tap_x);
            let stride = shape.stride[1];
            // The first block whose pixel is not left of `start`.
            let skipped = start.saturating_sub(first_x).div_ceil(stride);
            let column = (channel * shape.kernel[0] + tap_y) * shape.kernel[1] + tap_x;
            let blocks = input.run([image, column, 0, 0, block_y * shape.blocks[1]], shape.blocks[1]);
            let pixels = (first_x + skipped * stride - start..sums.len()).step_by(stride);
            for (block, pixel) in (inside_x.start + skipped..inside_x.end).zip(pixels) {
                sums[pixel] = sums[pixel].plus(blocks.at(block).widen());
            }
        }
    }
}
