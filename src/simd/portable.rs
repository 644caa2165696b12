//! Vectors as plain arrays, for every architecture and every element type.

use std::marker::PhantomData;

use super::{Operation, Simd};
use crate::array::Accumulator;

/// `N` lanes of `T` in an array, which the compiler turns into whatever vectors the target has.
#[derive(Clone, Copy)]
pub struct Portable<T, const N: usize>(PhantomData<T>);

impl<T, const N: usize> Portable<T, N> {
    /// # Safety
    /// None is needed: the signature is that of the other tokens.
    pub(super) unsafe fn new() -> Self {
        Portable(PhantomData)
    }
}

impl<T: Accumulator, const N: usize> Simd for Portable<T, N> {
    type Scalar = T;
    type Vector = [T; N];
    type Mask = u64;
    const LANES: usize = N;
    const PIXELS: usize = 4;
    const FUSED: bool = false;
    const MASKS: bool = false;

    #[inline(never)]
    fn outlined<O: Operation<T>>(self, operation: O) -> O::Output {
        operation.run(self)
    }
    #[inline(always)]
    fn zero(self) -> [T; N] {
        [T::default(); N]
    }
    #[inline(always)]
    fn splat(self, value: T) -> [T; N] {
        [value; N]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const T) -> [T; N] {
        // SAFETY: the caller promises N readable elements.
        unsafe { from.cast::<[T; N]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T, vector: [T; N]) {
        // SAFETY: the caller promises N writable elements.
        unsafe { to.cast::<[T; N]>().write_unaligned(vector) }
    }
    #[inline(always)]
    unsafe fn load_some(self, from: *const T, count: usize) -> [T; N] {
        // SAFETY: the caller promises `count` readable elements.
        std::array::from_fn(|lane| if lane < count { unsafe { *from.add(lane) } } else { T::default() })
    }
    #[inline(always)]
    fn mask(self, bits: u64) -> u64 {
        bits
    }
    #[inline(always)]
    unsafe fn store_some(self, to: *mut T, vector: [T; N], count: usize) {
        for (lane, value) in vector.into_iter().enumerate().take(count) {
            // SAFETY: the caller promises `count` writable elements.
            unsafe { *to.add(lane) = value };
        }
    }
    #[inline(always)]
    unsafe fn transpose(self, from: *const T, from_stride: usize, to: *mut T, to_stride: usize) {
        for row in 0..N {
            for column in 0..N {
                // SAFETY: the caller promises N rows of N elements on both sides.
                unsafe { *to.add(column * to_stride + row) = *from.add(row * from_stride + column) };
            }
        }
    }
    #[inline(always)]
    fn multiply_add(self, x: [T; N], w: [T; N], mut accumulator: [T; N]) -> [T; N] {
        for lane in 0..N {
            accumulator[lane] = accumulator[lane].plus(x[lane].times(w[lane]));
        }
        accumulator
    }
    #[inline(always)]
    fn add(self, mut a: [T; N], b: [T; N]) -> [T; N] {
        for lane in 0..N {
            a[lane] = a[lane].plus(b[lane]);
        }
        a
    }
    #[inline(always)]
    fn clamp(self, x: [T; N], least: [T; N], most: [T; N]) -> [T; N] {
        std::array::from_fn(|lane| x[lane].clamped(least[lane], most[lane]))
    }
    #[inline(always)]
    fn evens(self, a: [T; N], b: [T; N]) -> [T; N] {
        std::array::from_fn(|lane| if lane < N / 2 { a[2 * lane] } else { b[2 * lane - N] })
    }
}
