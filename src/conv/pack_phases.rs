//! Weights of all phases of a transposed convolution, in one walk over them.
//!
//! The taps of one phase lie a stride apart in the weights, so that packing phase by phase would read every cache line as often
//! as there are phases.

use super::pack::{Block, Finite, Square};
use crate::array::{Element, View};
use crate::shape::{AxisPass, ConvShape};
use crate::simd::{Isa, Lanes, Operation, Simd, dispatch, prefetch, widen_run};

/// Elements of the largest kernel that is packed in one walk: the lists of it stay small beside the scratch memory.
const MOST_ELEMENTS: usize = 1024;

/// Where one kernel element goes in the panels: its place for input channel 0, and the distance of input channels.
#[derive(Debug, Clone, Copy)]
struct Destination {
    start: usize,
    channel: usize,
}

/// Where every kernel element goes, in the order in which they lie in the weights. The panels of the passes follow each other.
fn destinations(shape: &ConvShape, passes: &[[AxisPass; 3]], lanes: usize) -> Vec<Destination> {
    let [_, height, width] = shape.kernel;
    let mut destinations = vec![Destination { start: 0, channel: 0 }; shape.kernel.iter().product()];
    let mut start = 0;
    for pass in passes {
        let [depths, heights, widths] = pass.map(|axis| axis.taps);
        let element =
            |axis: usize, tap: usize| (pass[axis].kernel_start as isize + tap as isize * pass[axis].kernel_step) as usize;
        for tap in 0..depths * heights * widths {
            let at = [tap / (heights * widths), tap / widths % heights, tap % widths];
            let index = (element(0, at[0]) * height + element(1, at[1])) * width + element(2, at[2]);
            let channel = depths * heights * widths * lanes;
            destinations[index] = Destination { start: start + tap * lanes, channel };
        }
        start += depths * heights * widths * lanes * shape.in_channels;
    }
    destinations
}

/// Packs one block for all of several passes, if its weights lie as in a C-ordered array; says whether they are finite.
pub(super) fn pack_phases<E: Element<Accumulator: Lanes>>(
    isa: Isa,
    shape: &ConvShape,
    passes: &[[AxisPass; 3]],
    weight: &View<'_, E>,
    block: Block,
    panels: &mut [E::Accumulator],
) -> Option<bool> {
    let [_, height, width] = shape.kernel;
    let elements = shape.kernel.iter().product::<usize>();
    let [_, lane, strides @ ..] = weight.strides();
    // An axis of one element has any stride: those in front of a 1-D or 2-D array have none of their own.
    let distances = [height * width, width, 1].map(|distance| distance as isize);
    let adjacent = lane == elements as isize && (0..3).all(|axis| shape.kernel[axis] == 1 || strides[axis] == distances[axis]);
    if passes.len() == 1 || elements > MOST_ELEMENTS || !adjacent || block.channels(shape) != block.lanes {
        return None;
    }
    let destinations = &destinations(shape, passes, block.lanes);
    dispatch(isa, Walk { shape, weight, block, destinations, panels })
}

struct Walk<'a, E: Element> {
    shape: &'a ConvShape,
    weight: &'a View<'a, E>,
    block: Block,
    destinations: &'a [Destination],
    panels: &'a mut [E::Accumulator],
}

impl<E: Element> Operation<E::Accumulator> for Walk<'_, E> {
    type Output = Option<bool>;

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) -> Option<bool> {
        let Walk { shape, weight, block, destinations, panels } = self;
        if !block.lanes.is_multiple_of(S::LANES) {
            return None;
        }
        let elements = destinations.len();
        let mut finite = Finite::new(simd);
        let (mut square, mut columns) = (Square::default(), Square::default());
        for channel in 0..shape.in_channels {
            let row = (block.group * shape.in_channels + channel) as isize * weight.strides()[0];
            for lane in (0..block.lanes).step_by(S::LANES) {
                // SAFETY: the channels of the block are inside the weights.
                let from = unsafe { weight.pointer().offset(row).add((block.first + lane) * elements) };
                for first in (0..elements).step_by(S::LANES) {
                    let count = S::LANES.min(elements - first);
                    // The next input channel is too far away for the hardware to foresee.
                    for at in 0..S::LANES {
                        prefetch(from.wrapping_add(at * elements + first).wrapping_offset(weight.strides()[0]));
                    }
                    // SAFETY: elements of one channel pair, which are accumulators with `IN_PLACE`; both squares hold LANES
                    // rows of LANES.
                    unsafe {
                        if E::IN_PLACE && count == S::LANES {
                            simd.transpose(from.add(first).cast(), elements, columns.0.as_mut_ptr(), S::LANES);
                        } else {
                            for (at, row) in square.0.chunks_exact_mut(S::LANES).take(S::LANES).enumerate() {
                                let elements = std::slice::from_raw_parts(from.add(at * elements + first), count);
                                widen_run(simd, elements, &mut row[..count]);
                            }
                            simd.transpose(square.0.as_ptr(), S::LANES, columns.0.as_mut_ptr(), S::LANES);
                        }
                    }
                    finite.look(simd, &columns.0[..count * S::LANES]);
                    for (column, to) in destinations[first..first + count].iter().enumerate() {
                        let target = &mut panels[to.start + channel * to.channel + lane..][..S::LANES];
                        target.copy_from_slice(&columns.0[column * S::LANES..][..S::LANES]);
                    }
                }
            }
        }
        Some(finite.all(simd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::TransposedParams;

    /// Arrays from Python have axes without a stride of their own.
    #[test]
    fn strides_of_single_elements_do_not_matter() {
        let weight_shape = [2, 16, 1, 4, 4];
        let params = TransposedParams {
            spatial: 2,
            stride: [1, 2, 2],
            padding: [0, 1, 1],
            output_padding: [0; 3],
            dilation: [1; 3],
            groups: 1,
        };
        let shape = ConvShape::transposed([1, 2, 1, 8, 8], weight_shape, &params).expect("a legal layer");
        let phases = |pass: usize| [shape.axis_pass(0, 0), shape.axis_pass(1, pass / 2), shape.axis_pass(2, pass % 2)];
        let passes: Vec<_> = (0..4).map(phases).collect();
        let weight: Vec<f32> = (0..2 * 16 * 16).map(|index| index as f32).collect();
        let block = Block { group: 0, first: 0, lanes: 16 };
        let packed = |depth: isize| {
            // SAFETY: the one depth is never left, whatever its stride.
            let view = unsafe { View::from_raw(weight.as_ptr(), weight_shape, [256, 16, depth, 4, 1]) };
            let mut panels = vec![0.0; weight.len()];
            let finite = pack_phases(Isa::Portable, &shape, &passes, &view, block, &mut panels);
            (finite, panels)
        };
        assert_eq!(packed(0), packed(16));
        assert_eq!(packed(0).0, Some(true));
    }
}
