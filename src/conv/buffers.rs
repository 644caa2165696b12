//! The working memory of one thread's tasks.

use super::plan::{Algorithm, Plan, extents};
use crate::array::{Accumulator, Scratch};
use crate::shape::{AxisPass, ConvShape};

/// Lengths of a task's working memory.
pub(super) struct Sizes {
    panel: usize,
    patch: usize,
    sums: usize,
    rows: usize,
    bias: usize,
    /// Of the largest chunk.
    pub taps: usize,
    all_taps: usize,
    pixels: usize,
    places: usize,
}

pub(super) struct Buffers<'a, T> {
    /// Packed weights of a block; empty where they are packed already.
    pub panel: &'a mut [T],
    pub patch: &'a mut [T],
    pub sums: &'a mut [T],
    /// Sums of a piece, a row a channel, where channels lie in the vectors.
    pub rows: &'a mut [T],
    /// Bias of a block.
    pub bias: &'a mut [T],
    /// Offset of every tap in the patch, `Sizes::taps` of them for each of the passes written together.
    pub taps: &'a mut [u32],
    /// Offset of every pixel (or vector of pixels) in the patch.
    pub pixels: &'a mut [u32],
    /// The same in the output and in the residual, those of all passes written together side by side.
    pub places: &'a mut [isize],
    pub residual_places: &'a mut [isize],
}

impl Sizes {
    /// `staged` is what one copy of the input serves; tasks pack weights into a `panel` of so many elements, and bring in so many
    /// images and write so many passes together.
    pub fn of(
        shape: &ConvShape,
        largest: &[AxisPass; 3],
        staged: &[AxisPass; 3],
        plan: &Plan,
        panel: usize,
        (images, together): (usize, usize),
    ) -> Self {
        let taps = plan.chunk_len().min(shape.in_channels * largest.iter().map(|axis| axis.taps).product::<usize>());
        let [depth, height, width] = plan.tile;
        let row = if plan.algorithm == Algorithm::Direct { width } else { width.div_ceil(plan.lanes) };
        let pixels = images * depth * height * row;
        let piece = if plan.algorithm == Algorithm::Direct { plan.piece } else { plan.piece / plan.lanes };
        let sums = pixels.min(piece) * if plan.algorithm == Algorithm::Direct { together } else { plan.lanes };
        // Chunks of taps are cut from the pass itself; what several passes share is staged whole.
        let staged_taps = if staged == largest { plan.chunk_taps } else { staged.map(|axis| axis.taps) };
        let rows = if plan.algorithm == Algorithm::Direct { sums.next_multiple_of(plan.lanes) * plan.lanes } else { 0 };
        Sizes {
            panel,
            patch: images * plan.chunk_channels * extents(plan, staged, plan.tile, staged_taps),
            sums: sums.next_multiple_of(plan.lanes) * plan.block,
            rows,
            bias: plan.block,
            taps,
            all_taps: taps * together,
            pixels,
            places: pixels * together,
        }
    }

    pub fn bytes<T>(&self) -> usize {
        let line = 64;
        let elements = self.panel + self.patch + self.sums + self.rows + self.bias;
        let offsets = (self.all_taps + self.pixels) * size_of::<u32>() + 2 * self.places * size_of::<isize>();
        elements * size_of::<T>() + offsets + 9 * line
    }

    pub fn cut<'a, T: Accumulator>(&self, scratch: &mut Scratch<'a>) -> Buffers<'a, T> {
        Buffers {
            panel: scratch.cut(self.panel),
            patch: scratch.cut(self.patch),
            sums: scratch.cut(self.sums),
            rows: scratch.cut(self.rows),
            bias: scratch.cut(self.bias),
            taps: scratch.cut(self.all_taps),
            pixels: scratch.cut(self.pixels),
            places: scratch.cut(self.places),
            residual_places: scratch.cut(self.places),
        }
    }
}
