//! AVX-512 and AVX2 with FMA, on floats, on integers whose product the compiler does not vectorise, and on complex numbers.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::Simd;
use crate::array::{Complex32, Complex64};

/// Proof that the CPU has AVX-512 (F, BW, DQ, VL).
#[derive(Clone, Copy)]
pub struct Avx512<T>(PhantomData<T>);

/// Proof that the CPU has AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub struct Avx2<T>(PhantomData<T>);

macro_rules! token {
    ($token:ident, $scalar:ty, $vector:ty, $lanes:literal, $pixels:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $multiply_add:ident, $fused:literal) => {
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
            const FUSED: bool = $fused;

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
                unsafe { $load(from.cast()) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar, vector: $vector) {
                // SAFETY: the token proves the instruction set, the caller the memory.
                unsafe { $store(to.cast(), vector) }
            }
            #[inline(always)]
            fn multiply_add(self, x: $vector, w: $vector, accumulator: $vector) -> $vector {
                // SAFETY: the token proves the instruction set.
                unsafe { $multiply_add(x, w, accumulator) }
            }
        }
    };
}

// Ten and six pixels by two vectors are the most for which the compiler keeps every pixel pointer in a register.
token!(Avx512, f32, __m512, 16, 10, _mm512_setzero_ps, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, true);
token!(Avx512, f64, __m512d, 8, 10, _mm512_setzero_pd, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd, true);
token!(Avx2, f32, __m256, 8, 6, _mm256_setzero_ps, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, true);
token!(Avx2, f64, __m256d, 4, 6, _mm256_setzero_pd, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd, true);

token!(
    Avx512,
    i32,
    __m512i,
    16,
    10,
    _mm512_setzero_si512,
    _mm512_set1_epi32,
    _mm512_loadu_si512,
    _mm512_storeu_si512,
    add_product_512_i32,
    false
);
token!(
    Avx512,
    i64,
    __m512i,
    8,
    10,
    _mm512_setzero_si512,
    _mm512_set1_epi64,
    _mm512_loadu_si512,
    _mm512_storeu_si512,
    add_product_512_i64,
    false
);
token!(
    Avx2,
    i32,
    __m256i,
    8,
    6,
    _mm256_setzero_si256,
    _mm256_set1_epi32,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    add_product_256_i32,
    false
);
token!(
    Avx2,
    Complex32,
    __m256,
    4,
    4,
    _mm256_setzero_ps,
    splat_complex32,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    add_product_complex32,
    false
);
token!(
    Avx2,
    Complex64,
    __m256d,
    2,
    4,
    _mm256_setzero_pd,
    splat_complex64,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    add_product_complex64,
    false
);

/// Helpers with the signature of an intrinsic; their callers prove the instruction set.
macro_rules! helper {
    ($name:ident($($argument:ident: $type:ty),*) -> $result:ty $body:block) => {
        /// # Safety
        /// The CPU has the instruction set.
        #[inline(always)]
        unsafe fn $name($($argument: $type),*) -> $result {
            // SAFETY: by the contract of this function.
            unsafe { $body }
        }
    };
}

helper!(add_product_512_i32(x: __m512i, w: __m512i, sum: __m512i) -> __m512i { _mm512_add_epi32(sum, _mm512_mullo_epi32(x, w)) });
helper!(add_product_512_i64(x: __m512i, w: __m512i, sum: __m512i) -> __m512i { _mm512_add_epi64(sum, _mm512_mullo_epi64(x, w)) });
helper!(add_product_256_i32(x: __m256i, w: __m256i, sum: __m256i) -> __m256i { _mm256_add_epi32(sum, _mm256_mullo_epi32(x, w)) });
helper!(splat_complex32(value: Complex32) -> __m256 {
    let Complex32 { re, im } = value;
    _mm256_setr_ps(re, im, re, im, re, im, re, im)
});
helper!(splat_complex64(value: Complex64) -> __m256d { _mm256_setr_pd(value.re, value.im, value.re, value.im) });
// (a + bi)(c + di): ac and ad in the lanes of w, bd and bc in those of w with its parts swapped; then ac - bd and ad + bc. Each
// step is rounded by itself, as in the portable form.
helper!(add_product_complex32(x: __m256, w: __m256, sum: __m256) -> __m256 {
    let first = _mm256_mul_ps(_mm256_moveldup_ps(x), w);
    let second = _mm256_mul_ps(_mm256_movehdup_ps(x), _mm256_permute_ps::<0b10_11_00_01>(w));
    _mm256_add_ps(sum, _mm256_addsub_ps(first, second))
});
helper!(add_product_complex64(x: __m256d, w: __m256d, sum: __m256d) -> __m256d {
    let first = _mm256_mul_pd(_mm256_movedup_pd(x), w);
    let second = _mm256_mul_pd(_mm256_permute_pd::<0b1111>(x), _mm256_permute_pd::<0b0101>(w));
    _mm256_add_pd(sum, _mm256_addsub_pd(first, second))
});
