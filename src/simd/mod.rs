//! Vectors of one instruction set behind one small trait, and the one place that chooses the instruction set.
//!
//! A token (`Avx512<f32>`, `Avx2<f32>`, `Portable<f32, 4>`) is a proof that the CPU has the instructions. Kernels are written
//! once, generic over [`Simd`], and everything they call is `#[inline(always)]`: a helper that is not inlined into the
//! `target_feature` shim of `dispatch` loses the features, and each intrinsic in it becomes a call.

mod convert;
mod dispatch;
mod peak;
mod portable;
#[cfg(target_arch = "x86_64")]
mod transpose;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_convert;

pub use convert::{narrow_run, widen_run};
pub use dispatch::{Body, Isa, Lanes, Operation, dispatch, vectorised};
pub use peak::fma_peak;
pub use portable::Portable;

use crate::array::{Accumulator, Element};
use convert::{load_each, store_each};

/// Asks memory for the cache line at `pointer`, which may be anywhere.
#[inline(always)]
pub fn prefetch<T>(pointer: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of an address that is not there does nothing.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(pointer.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = pointer;
}

/// The same pointer, of which the compiler knows nothing.
#[inline(always)]
#[allow(clippy::pointers_in_nomem_asm_block)]
pub fn opaque<T>(pointer: *const T) -> *const T {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut pointer = pointer;
        // SAFETY: no instruction, only a claim to have changed the register.
        unsafe { std::arch::asm!("/* {0} */", inout(reg) pointer, options(pure, nomem, nostack, preserves_flags)) };
        pointer
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pointer
}

/// No vector has more lanes.
pub const MOST_LANES: usize = 32;

/// The vector operations of one instruction set on one element type.
pub trait Simd: Copy + Send + Sync {
    /// One lane.
    type Scalar: Accumulator;
    /// All lanes.
    type Vector: Copy;
    /// Some of the lanes.
    type Mask: Copy + Into<u64>;
    /// Lanes of a vector.
    const LANES: usize;
    /// Output pixels that, times two vectors, fit the registers beside two weights and one input.
    const PIXELS: usize;
    /// Whether `multiply_add` rounds once (fused) or twice.
    const FUSED: bool;
    /// Whether a load of some lanes costs no more than one of all.
    const MASKS: bool;

    /// Runs a kernel as a function of its own, with registers of its own.
    fn outlined<O: Operation<Self::Scalar>>(self, operation: O) -> O::Output;
    /// All lanes zero.
    fn zero(self) -> Self::Vector;
    /// All lanes `value`.
    fn splat(self, value: Self::Scalar) -> Self::Vector;
    /// Lanes from memory, unaligned.
    ///
    /// # Safety
    /// `LANES` elements can be read from `from`.
    unsafe fn load(self, from: *const Self::Scalar) -> Self::Vector;
    /// Lanes to memory, unaligned.
    ///
    /// # Safety
    /// `LANES` elements can be written from `to`.
    unsafe fn store(self, to: *mut Self::Scalar, vector: Self::Vector);
    /// The first `count` lanes from memory, the others zero.
    ///
    /// # Safety
    /// `count` elements, at most `LANES`, can be read from `from`.
    unsafe fn load_some(self, from: *const Self::Scalar, count: usize) -> Self::Vector;
    /// The lanes whose bits are set, the first lane's the lowest; bits beyond the lanes are ignored.
    fn mask(self, bits: u64) -> Self::Mask;
    /// Some lanes from memory, the others zero.
    ///
    /// # Safety
    /// The elements at the lanes of the mask can be read from `from`.
    #[inline(always)]
    unsafe fn load_masked(self, from: *const Self::Scalar, mask: Self::Mask) -> Self::Vector {
        let bits: u64 = mask.into();
        let mut lanes = [Self::Scalar::default(); MOST_LANES];
        for (lane, value) in lanes[..Self::LANES].iter_mut().enumerate() {
            if bits >> lane & 1 == 1 {
                // SAFETY: the caller promises that the element is readable.
                *value = unsafe { *from.add(lane) };
            }
        }
        // SAFETY: no vector has more lanes.
        unsafe { self.load(lanes.as_ptr()) }
    }
    /// The first `count` lanes to memory.
    ///
    /// # Safety
    /// `count` elements, at most `LANES`, can be written from `to`.
    unsafe fn store_some(self, to: *mut Self::Scalar, vector: Self::Vector, count: usize);
    /// A square block of `LANES` rows: `to[column * to_stride + row] = from[row * from_stride + column]`.
    ///
    /// # Safety
    /// `LANES` rows of `LANES` elements can be read at `from` and written at `to`, which do not overlap.
    unsafe fn transpose(self, from: *const Self::Scalar, from_stride: usize, to: *mut Self::Scalar, to_stride: usize);
    /// `x * w + accumulator`, lane by lane.
    fn multiply_add(self, x: Self::Vector, w: Self::Vector, accumulator: Self::Vector) -> Self::Vector;
    /// `a + b`, lane by lane.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `x`, no less than `least` and no more than `most`, lane by lane; NaN stays. Asked of real floats only.
    fn clamp(self, x: Self::Vector, least: Self::Vector, most: Self::Vector) -> Self::Vector;
    /// Every second lane of `a` and then of `b`, the first among them.
    fn evens(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Every second element, the first among them.
    ///
    /// # Safety
    /// `2 * LANES - 1` elements can be read from `from`.
    #[inline(always)]
    unsafe fn load_evens(self, from: *const Self::Scalar) -> Self::Vector {
        let mut lanes = [Self::Scalar::default(); MOST_LANES];
        // SAFETY: the caller promises the memory; no vector has more lanes.
        unsafe {
            for (lane, value) in lanes[..Self::LANES].iter_mut().enumerate() {
                *value = *from.add(2 * lane);
            }
            self.load(lanes.as_ptr())
        }
    }
    /// Lanes from elements that are narrower, or the same.
    ///
    /// # Safety
    /// `LANES` elements can be read from `from`.
    #[inline(always)]
    unsafe fn load_widened<E: Element<Accumulator = Self::Scalar>>(self, from: *const E) -> Self::Vector {
        // SAFETY: the caller promises the memory; with `IN_PLACE` it holds accumulators.
        unsafe { if E::IN_PLACE { self.load(from.cast()) } else { load_each(self, from) } }
    }
    /// Lanes to elements that are narrower, or the same.
    ///
    /// # Safety
    /// `LANES` elements can be written from `to`.
    #[inline(always)]
    unsafe fn store_narrowed<E: Element<Accumulator = Self::Scalar>>(self, to: *mut E, vector: Self::Vector) {
        // SAFETY: the caller promises the memory; with `IN_PLACE` it holds accumulators.
        unsafe { if E::IN_PLACE { self.store(to.cast(), vector) } else { store_each(self, to, vector) } }
    }
}
