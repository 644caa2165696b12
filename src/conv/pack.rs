//! Weights of one block of output channels in the order in which a kernel reads them.

use crate::array::{Element, View};
use crate::shape::{AxisPass, ConvShape};

/// Taps packed together, so that the lines of the panel being written stay in the L1 cache.
const TAPS: usize = 16;

/// Part of the taps of a pass: input channels, and taps along depth, height, width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub channels: (usize, usize),
    pub taps: [(usize, usize); 3],
}

impl Chunk {
    pub fn channel_count(&self) -> usize {
        self.channels.1 - self.channels.0
    }

    pub fn tap_counts(&self) -> [usize; 3] {
        self.taps.map(|(start, end)| end - start)
    }

    pub fn len(&self) -> usize {
        self.channel_count() * self.tap_counts().iter().product::<usize>()
    }
}

/// Output channels of one group that are computed together: `lanes` of them from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub group: usize,
    pub first: usize,
    pub lanes: usize,
}

/// `panel[tap][lane]`: for every tap of the chunk, in the kernel's order, the weights of the block; lanes beyond the last
/// output channel are zero.
pub(super) fn pack<E: Element>(
    shape: &ConvShape,
    pass: &[AxisPass; 3],
    weight: &View<'_, E>,
    block: Block,
    chunk: &Chunk,
    panel: &mut [E::Accumulator],
) {
    let Block { group, first, lanes } = block;
    let strides = weight.strides();
    let (output_axis, input_axis) = if shape.transposed { (1, 0) } else { (0, 1) };
    let group_offset = group * if shape.transposed { shape.in_channels } else { shape.out_channels };
    let [depth, height, width] = chunk.tap_counts();
    let per_channel = depth * height * width;
    let total = chunk.len();
    let used = lanes.min(shape.out_channels - first);
    let kernel_step = |axis: usize| pass[axis].kernel_step * strides[2 + axis];
    let kernel_start = |axis: usize| {
        (pass[axis].kernel_start as isize + chunk.taps[axis].0 as isize * pass[axis].kernel_step) * strides[2 + axis]
    };
    let start = group_offset as isize * strides[0]
        + kernel_start(0)
        + kernel_start(1)
        + kernel_start(2)
        + chunk.channels.0 as isize * strides[input_axis]
        + first as isize * strides[output_axis];
    let mut offsets = [0isize; TAPS];
    for tap in (0..total).step_by(TAPS) {
        let count = TAPS.min(total - tap);
        for (position, offset) in offsets[..count].iter_mut().enumerate() {
            let (channel, rest) = ((tap + position) / per_channel, (tap + position) % per_channel);
            let (z, y, x) = (rest / (height * width), rest / width % height, rest % width);
            *offset = channel as isize * strides[input_axis]
                + z as isize * kernel_step(0)
                + y as isize * kernel_step(1)
                + x as isize * kernel_step(2);
        }
        let rows = &mut panel[tap * lanes..(tap + count) * lanes];
        for lane in 0..used {
            let column = start + lane as isize * strides[output_axis];
            for position in 0..count {
                // SAFETY: group, channel, output channel and tap are inside the weight's shape, which the view promises.
                let value = unsafe { *weight.pointer().offset(column + offsets[position]) };
                rows[position * lanes + lane] = value.widen();
            }
        }
        if used < lanes {
            for row in rows.chunks_exact_mut(lanes) {
                row[used..].fill(E::Accumulator::default());
            }
        }
    }
}
