//! The oracle of the tests: every operator as its definition reads, one plain loop an index, sizes found by counting.
//!
//! Nothing here is fast and no size or index is shared with `shape`, `conv`, `pool` or `simd`, so that an error there cannot
//! hide here. Floats are computed in `f64`, complex numbers in `Complex64`, integers and bools exactly in `i128` (wrap the
//! result to the dtype). `None` means refused.

mod conv;
mod pool;

pub use conv::{Conv, Filled, Transposed, conv, conv_transposed, same_padding};
pub use pool::{
    Windows, adaptive_avg_pool, adaptive_max_pool, avg_pool, fold, fractional_max_pool, fractional_starts, lp_pool, max_pool,
    max_unpool, unfold,
};

use num_traits::{FromPrimitive, Num};

/// Axes of every array.
const RANK: usize = 5;

/// What the oracle computes with: `f64`, `i128` or `Complex64`.
pub trait Number: Num + Copy + FromPrimitive {}
impl<N: Num + Copy + FromPrimitive> Number for N {}

/// A C-ordered array: (batch, channel, depth, height, width).
#[derive(Debug, Clone, PartialEq)]
pub struct Array<N> {
    /// Sizes of the five axes.
    pub shape: [usize; RANK],
    /// The elements, the last axis fastest.
    pub data: Vec<N>,
}

impl<N: Copy> Array<N> {
    /// The array whose element at every index is `element(index)`, asked for in C order.
    pub fn from_fn(shape: [usize; RANK], element: impl FnMut([i64; RANK]) -> N) -> Self {
        Array { shape, data: indices(shape).map(element).collect() }
    }

    /// `value` everywhere.
    pub fn filled(shape: [usize; RANK], value: N) -> Self {
        Array::from_fn(shape, |_| value)
    }

    /// The element at `index`; `None` outside the array.
    pub fn at(&self, index: [i64; RANK]) -> Option<N> {
        self.position(index).map(|position| self.data[position])
    }

    /// The same shape with every element changed.
    pub fn map<M>(&self, change: impl Fn(N) -> M) -> Array<M> {
        Array { shape: self.shape, data: self.data.iter().map(|&value| change(value)).collect() }
    }

    fn position(&self, index: [i64; RANK]) -> Option<usize> {
        let mut position = 0;
        for axis in 0..RANK {
            if index[axis] < 0 || index[axis] >= self.shape[axis] as i64 {
                return None;
            }
            position = position * self.shape[axis] + index[axis] as usize;
        }
        Some(position)
    }
}

/// Every index of `shape`, the last axis fastest.
pub fn indices(shape: [usize; RANK]) -> impl Iterator<Item = [i64; RANK]> {
    let total: usize = shape.iter().product();
    (0..total).map(move |mut position| {
        let mut index = [0; RANK];
        for axis in (0..RANK).rev() {
            index[axis] = (position % shape[axis]) as i64;
            position /= shape[axis];
        }
        index
    })
}

/// Every (depth, height, width) below `sizes`, the last axis fastest.
fn taps(sizes: [i64; 3]) -> impl Iterator<Item = [i64; 3]> + Clone {
    let [depth, height, width] = sizes;
    (0..depth).flat_map(move |z| (0..height).flat_map(move |y| (0..width).map(move |x| [z, y, x])))
}

#[cfg(test)]
mod tests;
