//! Inputs of a band of tiles to the points of the transform, with input channels in the vectors.

use std::ops::Range;

use super::form::Form;
use super::{OUTPUTS, POINTS, transform};
use crate::array::Accumulator;
use crate::conv::patch::Slice;
use crate::simd::{Operation, Simd};

/// A vector of input channels of one slice of a band becomes `[position][tile][channel]`.
pub(super) struct Input<'a, T> {
    /// What a tile reads beyond it is zero, or belongs to outputs that do not exist.
    pub slice: Slice<T>,
    pub form: Form,
    /// Bundles of tiles along height and width.
    pub bundles: [usize; 2],
    /// `[row][column][lane]`.
    pub rows: &'a mut [T],
    /// `[point][column][lane]` of one row of tiles, where the height is transformed.
    pub columns: &'a mut [T],
    /// Where the first tile's first position goes: the vector's channels within `transformed`.
    pub transformed: &'a mut [T],
    /// Distances of tiles and positions in `transformed`.
    pub tile_stride: usize,
    pub position_stride: usize,
}

impl<T: Accumulator> Operation<T> for Input<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(mut self, simd: S) {
        let Input { form, bundles: [height, width], .. } = self;
        let [down, across] = form.reach([height, width]);
        let (row, tiles) = (across + S::LANES, width * form.dilation);
        assert!(self.slice.rows.end <= down && self.slice.columns.end <= across);
        assert!(self.rows.len() >= down * row * S::LANES && self.columns.len() >= POINTS * across * S::LANES);
        let reach = (form.positions() - 1) * self.position_stride + (height * tiles - 1) * self.tile_stride + S::LANES;
        assert!(self.transformed.len() >= reach);
        // SAFETY: the lengths were asserted.
        unsafe {
            self.transpose(simd, down, across, row);
            for tile_row in 0..height {
                let from = if form.rows == 1 {
                    self.rows.as_ptr().add(tile_row * row * S::LANES)
                } else {
                    self.down(simd, tile_row, across, row);
                    self.columns.as_ptr()
                };
                self.across(simd, from, tile_row * tiles..(tile_row + 1) * tiles, across);
            }
        }
    }
}

impl<T: Accumulator> Input<'_, T> {
    /// The slice with channels in the lanes, and zeros around it.
    ///
    /// # Safety
    /// The lengths are as `run` asserts.
    #[inline(always)]
    unsafe fn transpose<S: Simd<Scalar = T>>(&mut self, simd: S, down: usize, across: usize, row: usize) {
        let Slice { pointer, channel, row: line, ref rows, ref columns } = self.slice;
        for y in 0..down {
            let to = self.rows[y * row * S::LANES..(y + 1) * row * S::LANES].as_mut_ptr();
            let filled = if rows.contains(&y) { columns.clone() } else { 0..0 };
            let from = pointer.wrapping_add(y.saturating_sub(rows.start) * line);
            // SAFETY: by the contract of this function; of a slice with fewer columns than lanes a whole vector can be read,
            // and written, as `columns` says.
            unsafe {
                let to_first = to.add(filled.start * S::LANES);
                let mut done = 0;
                while done < filled.len() {
                    // The last block overlaps the one before it rather than the next row.
                    let first = if done + S::LANES > filled.len() { filled.len().saturating_sub(S::LANES) } else { done };
                    simd.transpose(from.add(first), channel, to_first.add(first * S::LANES), S::LANES);
                    done += S::LANES;
                }
                for column in (0..filled.start).chain(filled.end..across) {
                    simd.store(to.add(column * S::LANES), simd.zero());
                }
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

    /// Transforms the rows of a row of tiles, at `from` as `[point of the height][column][lane]`.
    ///
    /// # Safety
    /// The lengths are as `run` asserts.
    #[inline(always)]
    unsafe fn across<S: Simd<Scalar = T>>(&mut self, simd: S, from: *const T, tiles: Range<usize>, across: usize) {
        let form = self.form;
        for (tile, number) in tiles.enumerate() {
            for y in 0..form.row_points {
                // SAFETY: by the contract of this function.
                unsafe {
                    let from = from.add((y * across + form.column(tile)) * S::LANES);
                    let place = y * POINTS * self.position_stride + number * self.tile_stride;
                    let to = self.transformed.as_mut_ptr().add(place);
                    let mut inputs = [simd.zero(); POINTS];
                    for (x, input) in inputs.iter_mut().enumerate() {
                        *input = simd.load(from.add(x * form.dilation * S::LANES));
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
