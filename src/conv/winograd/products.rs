//! The products: for each position of the transformed plane, tiles times one block of output channels.

use crate::conv::direct::Pixels;
use crate::simd::{Operation, Simd};

/// All tiles of a task against one block.
pub(super) struct Products<'a, T> {
    /// `[position]`, `position_stride` apart; tiles and taps are offsets within.
    pub transformed: &'a [T],
    pub positions: usize,
    pub position_stride: usize,
    pub tiles: &'a [u32],
    pub taps: &'a [u32],
    /// `[position][tap][lane]`.
    pub panel: &'a [T],
    /// `[position]`, `sums_stride` apart, of `[tile][lane]`.
    pub sums: &'a mut [T],
    pub sums_stride: usize,
    /// Vectors of output channels, 1 or 2.
    pub vectors: usize,
}

impl<T> Operation<T> for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        let length = self.taps.len() * self.vectors * S::LANES;
        for position in 0..self.positions {
            Pixels {
                patch: self.transformed[position * self.position_stride..].as_ptr(),
                pixels: self.tiles,
                taps: self.taps,
                runs: None,
                panel: &self.panel[position * length..(position + 1) * length],
                sums: &mut self.sums[position * self.sums_stride..],
                step: self.vectors * S::LANES,
                vectors: self.vectors,
                fresh: true,
                bias: None,
                bounds: None,
            }
            .run(simd);
        }
    }
}
