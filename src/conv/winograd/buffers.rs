//! The working memory of one thread's tasks.

use super::form::Form;
use super::plan::{WinogradPlan, slices};
use super::run::strip_bundles;
use super::{OUTPUTS, POINTS};
use crate::array::{Accumulator, Scratch};
use crate::shape::ConvShape;

/// Lengths and distances in a task's working memory.
pub(super) struct Sizes {
    patch: usize,
    rows: usize,
    columns: usize,
    transformed: usize,
    products: usize,
    sums: usize,
    repaired: usize,
    bias: usize,
    taps: usize,
    pixels: usize,
    /// Distances of tiles and positions in `transformed`, of positions in `products`.
    pub tile_stride: usize,
    pub position_stride: usize,
    pub products_stride: usize,
}

pub(super) struct Buffers<'a, T> {
    /// A vector of input channels of the band, or all of them of one tile.
    pub patch: &'a mut [T],
    /// Rows of a band, or channels of a strip: see [`super::input::Input`] and [`crate::conv::write::Layout`].
    pub rows: &'a mut [T],
    /// See [`super::input::Input`].
    pub columns: &'a mut [T],
    /// `[position][slice][tile][input channel]`.
    pub transformed: &'a mut [T],
    /// `[position][tile][channel of the block]`.
    pub products: &'a mut [T],
    /// `[pixel][channel of the block]` of a strip.
    pub sums: &'a mut [T],
    /// The same of one tile that is computed directly.
    pub repaired: &'a mut [T],
    /// Bias of a block.
    pub bias: &'a mut [T],
    /// Offset of every tap, and of every tile or pixel.
    pub taps: &'a mut [u32],
    pub pixels: &'a mut [u32],
    /// Offset of every pixel of a strip in the output and in the residual.
    pub places: &'a mut [isize],
    pub residual_places: &'a mut [isize],
}

impl Sizes {
    /// For tasks of at most `[depth, height, width]` bundles of tiles.
    pub fn new(shape: &ConvShape, plan: &WinogradPlan, [depth, height, width]: [usize; 3]) -> Self {
        let (lanes, kernel) = (plan.lanes, shape.kernel[0]);
        let slices = slices(shape, depth);
        let form = Form::of(shape);
        let [down, across] = form.reach([height, width]);
        // A last vector is whole, wherever it begins.
        let row = across + lanes;
        let tile_stride = shape.in_channels.next_multiple_of(lanes);
        // An odd number of vectors: distances that are powers of two would make positions share their sets of the caches.
        let odd = |elements: usize| ((elements / lanes) | 1) * lanes;
        let tiles = height * width * form.dilation;
        let position_stride = odd(slices * tiles * tile_stride);
        let products_stride = odd(depth * tiles * plan.block);
        let tile = form.rows * OUTPUTS;
        let strip = (form.bundle().iter().product::<usize>() * width.min(strip_bundles(form))).next_multiple_of(lanes);
        let tile_inputs = form.row_points * ((POINTS - 1) * form.dilation + 1);
        Sizes {
            patch: (lanes * slices * down * across + row).max(shape.in_channels * kernel * tile_inputs),
            rows: (down * row).max(strip) * lanes,
            columns: POINTS * across * lanes,
            transformed: form.positions() * position_stride,
            products: form.positions() * products_stride,
            sums: strip * plan.block,
            repaired: tile * plan.block,
            bias: plan.block,
            taps: shape.in_channels * shape.kernel.iter().product::<usize>(),
            pixels: (depth * tiles).max(strip),
            tile_stride,
            position_stride,
            products_stride,
        }
    }

    pub fn bytes<T>(&self) -> usize {
        let line = 64;
        let elements =
            self.patch + self.rows + self.columns + self.transformed + self.products + self.sums + self.repaired + self.bias;
        let offsets = (self.taps + self.pixels) * size_of::<u32>() + 2 * self.pixels * size_of::<isize>();
        elements * size_of::<T>() + offsets + 12 * line
    }

    pub fn cut<'a, T: Accumulator>(&self, scratch: &mut Scratch<'a>) -> Buffers<'a, T> {
        Buffers {
            patch: scratch.cut(self.patch),
            rows: scratch.cut(self.rows),
            columns: scratch.cut(self.columns),
            transformed: scratch.cut(self.transformed),
            products: scratch.cut(self.products),
            sums: scratch.cut(self.sums),
            repaired: scratch.cut(self.repaired),
            bias: scratch.cut(self.bias),
            taps: scratch.cut(self.taps),
            pixels: scratch.cut(self.pixels),
            places: scratch.cut(self.pixels),
            residual_places: scratch.cut(self.pixels),
        }
    }
}
