//! What follows a sum while it is in a register, and its way to memory.

use crate::simd::Simd;

/// Of the sums of one channel.
#[derive(Clone, Copy)]
pub(super) struct Ending<T> {
    /// Added.
    pub bias: Option<T>,
    /// The least value and the largest.
    pub bounds: Option<[T; 2]>,
}

impl<T> Ending<T> {
    /// Sums stay what they are.
    pub const NONE: Self = Ending { bias: None, bounds: None };

    #[inline(always)]
    pub fn vectors<S: Simd<Scalar = T>>(self, simd: S) -> Ending<S::Vector> {
        // No closures around vector operations: one that is not inlined would lose the instruction set.
        let mut vectors = Ending::NONE;
        if let Some(bias) = self.bias {
            vectors.bias = Some(simd.splat(bias));
        }
        if let Some([least, most]) = self.bounds {
            vectors.bounds = Some([simd.splat(least), simd.splat(most)]);
        }
        vectors
    }
}

impl<V: Copy> Ending<V> {
    /// The lanes for which there is room.
    ///
    /// # Safety
    /// `room` elements at `to`, or a vector of them, are this thread's own.
    #[inline(always)]
    pub unsafe fn write<S: Simd<Vector = V>>(self, simd: S, to: *mut S::Scalar, room: usize, mut sum: V) {
        if let Some(bias) = self.bias {
            sum = simd.add(sum, bias);
        }
        if let Some([least, most]) = self.bounds {
            sum = simd.clamp(sum, least, most);
        }
        // SAFETY: by the contract of this function.
        unsafe {
            if room >= S::LANES {
                simd.store(to, sum);
            } else {
                simd.store_some(to, sum, room);
            }
        }
    }
}
