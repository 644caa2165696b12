//! Sums of products to outputs, with output channels in the vectors.

use super::form::Form;
use super::{OUTPUTS, POINTS, transform};
use crate::array::Accumulator;
use crate::simd::{Operation, Simd};

/// One row of tiles becomes `[pixel][lane]`; tells whether all its outputs are finite.
pub(super) struct Output<'a, T> {
    pub form: Form,
    /// From the row's first tile on: `[position]`, `position_stride` apart, of `[tile][lane]`.
    pub products: &'a [T],
    pub position_stride: usize,
    /// Lanes of the block.
    pub lanes: usize,
    /// Rows and columns of outputs that exist.
    pub rows: usize,
    pub columns: usize,
    pub sums: &'a mut [T],
    /// Added at last, one element a lane.
    pub bias: Option<&'a [T]>,
}

impl<T: Accumulator> Operation<T> for Output<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) -> bool {
        let Output { form, products, position_stride, lanes, rows, columns, sums, bias } = self;
        let tiles = columns.div_ceil(OUTPUTS * form.dilation) * form.dilation;
        assert!(lanes.is_multiple_of(S::LANES) && rows <= form.rows && sums.len() >= rows * columns * lanes);
        assert!(bias.is_none_or(|bias| bias.len() >= lanes));
        assert!(products.len() >= (form.positions() - 1) * position_stride + tiles * lanes);
        // Zero times anything finite is zero.
        let mut spoiled = simd.zero();
        for tile in 0..tiles {
            let width = form.columns_before(tile, columns);
            for lane in (0..lanes).step_by(S::LANES) {
                // SAFETY: the lengths were asserted; rows and width are those that exist.
                unsafe {
                    let from = products.as_ptr().add(tile * lanes + lane);
                    let to = sums.as_mut_ptr().wrapping_add(form.column(tile) * lanes + lane);
                    let mut down = [[simd.zero(); OUTPUTS]; POINTS];
                    for (x, column) in down.iter_mut().enumerate() {
                        if form.rows == 1 {
                            column[0] = simd.load(from.add(x * position_stride));
                            continue;
                        }
                        let mut values = [simd.zero(); POINTS];
                        for (y, value) in values.iter_mut().enumerate() {
                            *value = simd.load(from.add((y * POINTS + x) * position_stride));
                        }
                        *column = transform::output(simd, values);
                    }
                    for y in 0..rows {
                        let row = [down[0][y], down[1][y], down[2][y], down[3][y], down[4][y], down[5][y]];
                        let values = transform::output(simd, row);
                        for x in 0..width {
                            spoiled = simd.multiply_add(values[x], simd.zero(), spoiled);
                            let mut value = values[x];
                            if let Some(bias) = bias {
                                value = simd.add(value, simd.load(bias.as_ptr().add(lane)));
                            }
                            simd.store(to.add((y * columns + x * form.dilation) * lanes), value);
                        }
                    }
                }
            }
        }
        let mut seen = [T::default(); 64];
        assert!(S::LANES <= seen.len());
        // SAFETY: there is room for a vector.
        unsafe { simd.store(seen.as_mut_ptr(), spoiled) };
        seen.into_iter().all(T::is_finite)
    }
}
