//! Inputs of a band of tiles to the points of the transform, with input channels in the vectors.

use super::{OUTPUTS, POINTS, transform};
use crate::array::Accumulator;
use crate::simd::{Operation, Simd};

/// A vector of input channels of one band, staged row by row, becomes `[position][slice][tile][channel]`.
pub(super) struct Input<'a, T> {
    /// `[channel][slice][row][column]`, with room for the channels of a whole vector and a vector beyond the last row.
    pub patch: &'a [T],
    /// Distances of channels, slices, rows.
    pub strides: [usize; 3],
    /// Slices along depth.
    pub slices: usize,
    /// Rows and columns that are staged; what a tile reads beyond them belongs to outputs that do not exist.
    pub staged: [usize; 2],
    /// Tiles along height and width.
    pub tiles: [usize; 2],
    /// `[row][column][lane]` of one slice.
    pub rows: &'a mut [T],
    /// `[point][column][lane]` of one row of tiles.
    pub columns: &'a mut [T],
    /// Where the first tile's first position goes: the vector's channels within `transformed`.
    pub transformed: &'a mut [T],
    /// Distances of tiles and positions in `transformed`.
    pub tile_stride: usize,
    pub position_stride: usize,
}

/// Columns of `tiles` tiles, and that in whole vectors.
pub(super) fn columns(tiles: usize, lanes: usize) -> (usize, usize) {
    let columns = tiles * OUTPUTS + POINTS - OUTPUTS;
    (columns, columns.next_multiple_of(lanes))
}

impl<T: Accumulator> Operation<T> for Input<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(mut self, simd: S) {
        let [height, width] = self.tiles;
        let (across, row) = columns(width, S::LANES);
        let [channel, slice, line] = self.strides;
        let down = columns(height, 1).0;
        let last = (S::LANES - 1) * channel + (self.slices - 1) * slice + (self.staged[0] - 1) * line;
        assert!(self.staged[0] <= down && self.staged[1] <= across && self.patch.len() >= last + row);
        assert!(self.rows.len() >= down * row * S::LANES && self.columns.len() >= POINTS * across * S::LANES);
        let tiles = self.slices * height * width;
        let reach = (POINTS * POINTS - 1) * self.position_stride + (tiles - 1) * self.tile_stride + S::LANES;
        assert!(self.transformed.len() >= reach);
        for index in 0..self.slices {
            // SAFETY: the lengths were asserted.
            unsafe {
                self.transpose(simd, index, row);
                for tile_row in 0..height {
                    self.down(simd, tile_row, across, row);
                    self.across(simd, (index * height + tile_row) * width, across);
                }
            }
        }
    }
}

impl<T: Accumulator> Input<'_, T> {
    /// A slice with channels in the lanes, and zeros beyond what is staged.
    ///
    /// # Safety
    /// The lengths are as `run` asserts.
    #[inline(always)]
    unsafe fn transpose<S: Simd<Scalar = T>>(&mut self, simd: S, slice: usize, row: usize) {
        let [staged_rows, staged_columns] = self.staged;
        for y in 0..columns(self.tiles[0], 1).0 {
            let to = self.rows[y * row * S::LANES..(y + 1) * row * S::LANES].as_mut_ptr();
            let mut filled = 0;
            if y < staged_rows {
                let from = self.patch[slice * self.strides[1] + y * self.strides[2]..].as_ptr();
                while filled < staged_columns {
                    // SAFETY: by the contract of this function.
                    unsafe { simd.transpose(from.add(filled), self.strides[0], to.add(filled * S::LANES), S::LANES) };
                    filled += S::LANES;
                }
                filled = staged_columns;
            }
            for column in filled..row {
                // SAFETY: the row has `row` columns.
                unsafe { simd.store(to.add(column * S::LANES), simd.zero()) };
            }
        }
    }

    /// Transforms the columns of a row of tiles.
    ///
    /// # Safety
    /// The lengths are as `run` asserts.
    #[inline(always)]
    unsafe fn down<S: Simd<Scalar = T>>(&mut self, simd: S, tile_row: usize, across: usize, row: usize) {
        for column in 0..across {
            // SAFETY: by the contract of this function.
            unsafe {
                let from = self.rows.as_ptr().add((tile_row * OUTPUTS * row + column) * S::LANES);
                let to = self.columns.as_mut_ptr().add(column * S::LANES);
                let mut inputs = [simd.zero(); POINTS];
                for (y, input) in inputs.iter_mut().enumerate() {
                    *input = simd.load(from.add(y * row * S::LANES));
                }
                let points = transform::input(simd, inputs);
                for point in 0..POINTS {
                    simd.store(to.add(point * across * S::LANES), points[point]);
                }
            }
        }
    }

    /// Transforms the rows of a row of tiles, whose first one is number `first`.
    ///
    /// # Safety
    /// The lengths are as `run` asserts.
    #[inline(always)]
    unsafe fn across<S: Simd<Scalar = T>>(&mut self, simd: S, first: usize, across: usize) {
        for tile in 0..self.tiles[1] {
            for y in 0..POINTS {
                // SAFETY: by the contract of this function.
                unsafe {
                    let from = self.columns.as_ptr().add((y * across + tile * OUTPUTS) * S::LANES);
                    let place = y * POINTS * self.position_stride + (first + tile) * self.tile_stride;
                    let to = self.transformed.as_mut_ptr().add(place);
                    let mut inputs = [simd.zero(); POINTS];
                    for (x, input) in inputs.iter_mut().enumerate() {
                        *input = simd.load(from.add(x * S::LANES));
                    }
                    let points = transform::input(simd, inputs);
                    for x in 0..POINTS {
                        simd.store(to.add(x * self.position_stride), points[x]);
                    }
                }
            }
        }
    }
}
