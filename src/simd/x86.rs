//! AVX-512 and AVX2 with FMA, on f32 and f64.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::Simd;

/// Proof that the CPU has AVX-512 (F, BW, DQ, VL).
#[derive(Clone, Copy)]
pub struct Avx512<T>(PhantomData<T>);

/// Proof that the CPU has AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub struct Avx2<T>(PhantomData<T>);

macro_rules! token {
    ($token:ident, $scalar:ty, $vector:ty, $lanes:literal, $pixels:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $fma:ident) => {
        impl $token<$scalar> {
            /// # Safety
            /// The CPU has this instruction set.
            pub(super) unsafe fn new() -> Self {
                $token(PhantomData)
            }
        }

        impl Simd for $token<$scalar> {
            type Scalar = $scalar;
            type Vector = $vector;
            const LANES: usize = $lanes;
            const PIXELS: usize = $pixels;
            const FUSED: bool = true;

            #[inline(always)]
            fn zero(self) -> $vector {
                // SAFETY: the token proves the instruction set.
                unsafe { $zero() }
            }
            #[inline(always)]
            fn splat(self, value: $scalar) -> $vector {
                // SAFETY: the token proves the instruction set.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn load(self, from: *const $scalar) -> $vector {
                // SAFETY: the token proves the instruction set, the caller the memory.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar, vector: $vector) {
                // SAFETY: the token proves the instruction set, the caller the memory.
                unsafe { $store(to, vector) }
            }
            #[inline(always)]
            fn multiply_add(self, x: $vector, w: $vector, accumulator: $vector) -> $vector {
                // SAFETY: the token proves the instruction set.
                unsafe { $fma(x, w, accumulator) }
            }
        }
    };
}

// Ten and six pixels by two vectors are the most for which the compiler keeps every pixel pointer in a register.
token!(Avx512, f32, __m512, 16, 10, _mm512_setzero_ps, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps);
token!(Avx512, f64, __m512d, 8, 10, _mm512_setzero_pd, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd);
token!(Avx2, f32, __m256, 8, 6, _mm256_setzero_ps, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps);
token!(Avx2, f64, __m256d, 4, 6, _mm256_setzero_pd, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd);
