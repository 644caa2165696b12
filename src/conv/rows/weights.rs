//! The weights of output channels in the order of their taps: where they lie, or gathered and widened.

use crate::array::{Element, View};
use crate::shape::{AxisPass, ConvShape};

/// Where a pass finds the weights of its taps.
pub(super) struct Kernel {
    /// Input channels, and taps of each.
    taps: [usize; 4],
    /// Whether they are read where they lie.
    in_place: bool,
    /// First tap of the first output channel, and distances of neighbouring input channels and taps, output channels, and groups.
    start: isize,
    steps: [isize; 4],
    channel: isize,
    group: isize,
}

impl Kernel {
    pub fn new<E: Element>(shape: &ConvShape, axes: &[AxisPass; 3], weight: &View<'_, E>) -> Self {
        let strides = weight.strides();
        let [group, channel, input] = match shape.transposed {
            true => [strides[0] * shape.in_channels as isize, strides[1], strides[0]],
            false => [strides[0] * shape.out_channels as isize, strides[0], strides[1]],
        };
        let [depth, height, width] = axes;
        let taps = [shape.in_channels, depth.taps, height.taps, width.taps];
        let step = |axis: usize| axes[axis].kernel_step * strides[2 + axis];
        let steps = [input, step(0), step(1), step(2)];
        let start = (0..3).map(|axis| axes[axis].kernel_start as isize * strides[2 + axis]).sum();
        let adjacent = (0..4).all(|axis| taps[axis] == 1 || steps[axis] == taps[axis + 1..].iter().product::<usize>() as isize);
        Kernel { taps, in_place: E::IN_PLACE && adjacent, start, steps, channel, group }
    }

    /// Distance of the weights of neighbouring output channels.
    pub fn distance(&self) -> isize {
        if self.in_place { self.channel } else { self.taps.iter().product::<usize>() as isize }
    }

    /// The taps of `count` output channels of a group, as many as `scratch` has room for: those of the first.
    #[inline(always)]
    pub fn weights<'a, E: Element>(
        &self,
        weight: &View<'a, E>,
        [group, first, count]: [usize; 3],
        scratch: &'a mut [E::Accumulator],
    ) -> &'a [E::Accumulator] {
        let [inputs, depth, height, width] = self.taps;
        let taps = inputs * depth * height * width;
        let from = weight.pointer().wrapping_offset(self.start + group as isize * self.group + first as isize * self.channel);
        // SAFETY: the taps of a channel are inside the weight; adjacent ones are a slice, of accumulators (`IN_PLACE`).
        unsafe {
            if self.in_place {
                return std::slice::from_raw_parts(from.cast(), taps);
            }
            let mut to = scratch.iter_mut();
            for channel in 0..count as isize {
                for input in 0..inputs as isize {
                    for z in 0..depth as isize {
                        for y in 0..height as isize {
                            let row = channel * self.channel + input * self.steps[0] + z * self.steps[1] + y * self.steps[2];
                            for (x, to) in (0..width as isize).zip(&mut to) {
                                *to = (*from.offset(row + x * self.steps[3])).widen();
                            }
                        }
                    }
                }
            }
        }
        &scratch[..taps]
    }
}
