//! The working memory of one thread's tasks.

use super::plan::{Plan, extents};
use crate::array::{Accumulator, Scratch};
use crate::shape::{AxisPass, ConvShape};

/// Lengths of a task's working memory.
pub(super) struct Sizes {
    panel: usize,
    patch: usize,
    sums: usize,
    taps: usize,
    pixels: usize,
}

pub(super) struct Buffers<'a, T> {
    pub panel: &'a mut [T],
    pub patch: &'a mut [T],
    pub sums: &'a mut [T],
    pub taps: &'a mut [u32],
    pub pixels: &'a mut [u32],
}

impl Sizes {
    pub fn of(shape: &ConvShape, largest: &[AxisPass; 3], plan: &Plan) -> Self {
        let taps = plan.chunk_len().min(shape.in_channels * largest.iter().map(|axis| axis.taps).product::<usize>());
        let [depth, height, width] = plan.tile;
        let pixels = depth * height * width.next_multiple_of(plan.lanes);
        Sizes {
            panel: taps * plan.block,
            patch: plan.chunk_channels * extents(largest, plan.tile, plan.chunk_taps, plan.lanes),
            sums: pixels * plan.block,
            taps,
            pixels,
        }
    }

    pub fn bytes<T>(&self) -> usize {
        let line = 64;
        (self.panel + self.patch + self.sums) * size_of::<T>() + (self.taps + self.pixels) * size_of::<u32>() + 5 * line
    }

    pub fn cut<'a, T: Accumulator>(&self, scratch: &mut Scratch<'a>) -> Buffers<'a, T> {
        Buffers {
            panel: scratch.cut(self.panel),
            patch: scratch.cut(self.patch),
            sums: scratch.cut(self.sums),
            taps: scratch.cut(self.taps),
            pixels: scratch.cut(self.pixels),
        }
    }
}
