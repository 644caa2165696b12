//! AVX-512 and AVX2 with FMA, on floats, on integers whose product the compiler does not vectorise, and on complex numbers.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::convert::{load_each, store_each};
use super::dispatch::{Held, with_avx2, with_avx512};
use super::transpose::{
    transpose_256_16, transpose_256_32, transpose_256_64, transpose_256_128, transpose_512_16, transpose_512_32, transpose_512_64,
};
use super::x86_convert::*;
use super::{Operation, Simd};
use crate::array::{Complex32, Complex64, DType, Element};

/// Proof that the CPU has AVX-512 (F, BW, DQ, VL).
#[derive(Clone, Copy)]
pub struct Avx512<T>(PhantomData<T>);

/// Proof that the CPU has AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub struct Avx2<T>(PhantomData<T>);

/// One token's operations; each is the intrinsic that follows its name.
macro_rules! token {
    (
        $token:ident<$scalar:ty>, $vector:ty, lanes $lanes:literal, pixels $pixels:literal, fused $fused:literal, shim $shim:ident,
        zero $zero:ident, splat $splat:ident, load $load:ident, store $store:ident, load_some $load_some:ident,
        store_some $store_some:ident, transpose $transpose:ident, multiply_add $multiply_add:ident,
        $(mask $mask:ty, load_masked $load_masked:ident,)? $(load_evens $load_evens:ident,)?
        $(max $max:ident, min $min:ident,)? add $add:ident, evens $evens:ident
        $(, $narrow:ident $load_narrow:ident $store_narrow:ident)*
    ) => {
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
            masks!($($mask, $load_masked)?);

            #[inline(always)]
            fn outlined<O: Operation<$scalar>>(self, operation: O) -> O::Output {
                // SAFETY: the token proves the instruction set.
                unsafe { $shim(Held { simd: self, operation }) }
            }
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
            unsafe fn load_some(self, from: *const $scalar, count: usize) -> $vector {
                // SAFETY: the token proves the instruction set, the caller the memory.
                unsafe { $load_some(from.cast(), count) }
            }
            #[inline(always)]
            unsafe fn store_some(self, to: *mut $scalar, vector: $vector, count: usize) {
                // SAFETY: the token proves the instruction set, the caller the memory.
                unsafe { $store_some(to.cast(), vector, count) }
            }
            #[inline(always)]
            unsafe fn transpose(self, from: *const $scalar, from_stride: usize, to: *mut $scalar, to_stride: usize) {
                // SAFETY: the token proves the instruction set, the caller the memory.
                unsafe { $transpose(from, from_stride, to, to_stride) }
            }
            #[inline(always)]
            fn multiply_add(self, x: $vector, w: $vector, accumulator: $vector) -> $vector {
                // SAFETY: the token proves the instruction set.
                unsafe { $multiply_add(x, w, accumulator) }
            }
            #[inline(always)]
            fn add(self, a: $vector, b: $vector) -> $vector {
                // SAFETY: the token proves the instruction set.
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            #[allow(unused_variables, unreachable_code)]
            fn clamp(self, x: $vector, least: $vector, most: $vector) -> $vector {
                // SAFETY: the token proves the instruction set. Of a NaN and a number these take the second operand.
                $(return unsafe { $min(most, $max(least, x)) };)?
                unreachable!("asked of real floats only")
            }
            #[inline(always)]
            fn evens(self, a: $vector, b: $vector) -> $vector {
                // SAFETY: the token proves the instruction set.
                unsafe { $evens(a, b) }
            }
            $(
                #[inline(always)]
                unsafe fn load_evens(self, from: *const $scalar) -> $vector {
                    // SAFETY: the token proves the instruction set, the caller the memory.
                    unsafe { $load_evens(from.cast()) }
                }
            )?
            #[inline(always)]
            unsafe fn load_widened<E: Element<Accumulator = $scalar>>(self, from: *const E) -> $vector {
                // SAFETY: the token proves the instruction set, the caller the memory; with `IN_PLACE` it holds accumulators.
                unsafe {
                    match E::DTYPE {
                        $(DType::$narrow => $load_narrow(from.cast()),)*
                        _ if E::IN_PLACE => self.load(from.cast()),
                        _ => load_each(self, from),
                    }
                }
            }
            #[inline(always)]
            unsafe fn store_narrowed<E: Element<Accumulator = $scalar>>(self, to: *mut E, vector: $vector) {
                // SAFETY: the token proves the instruction set, the caller the memory; with `IN_PLACE` it holds accumulators.
                unsafe {
                    match E::DTYPE {
                        $(DType::$narrow => $store_narrow(to.cast(), vector),)*
                        _ if E::IN_PLACE => self.store(to.cast(), vector),
                        _ => store_each(self, to, vector),
                    }
                }
            }
        }
    };
}

/// The masks of a token: those of AVX-512. AVX2 would need four instructions to make one.
macro_rules! masks {
    () => {
        type Mask = u64;
        const MASKS: bool = false;

        #[inline(always)]
        fn mask(self, bits: u64) -> u64 {
            bits
        }
    };
    ($mask:ty, $load_masked:ident) => {
        type Mask = $mask;
        const MASKS: bool = true;

        #[inline(always)]
        fn mask(self, bits: u64) -> $mask {
            bits as $mask
        }
        #[inline(always)]
        unsafe fn load_masked(self, from: *const Self::Scalar, mask: $mask) -> Self::Vector {
            // SAFETY: the token proves the instruction set, the caller the memory.
            unsafe { $load_masked(from, mask) }
        }
    };
}

// Ten and six pixels by two vectors are the most for which the compiler keeps every pixel pointer in a register.
token!(
    Avx512<f32>, __m512, lanes 16, pixels 10, fused true, shim with_avx512,
    zero _mm512_setzero_ps, splat _mm512_set1_ps, load _mm512_loadu_ps, store _mm512_storeu_ps, load_some load_some_512_32,
    store_some store_some_512_32, transpose transpose_512_32, multiply_add _mm512_fmadd_ps,
    mask __mmask16, load_masked load_masked_512_32, load_evens load_evens_512_32,
    max _mm512_max_ps, min _mm512_min_ps, add _mm512_add_ps, evens evens_512_32,
    F16 load_512_f16 store_512_f16, BF16 load_512_bf16 store_512_bf16
);
token!(
    Avx512<f64>, __m512d, lanes 8, pixels 10, fused true, shim with_avx512,
    zero _mm512_setzero_pd, splat _mm512_set1_pd, load _mm512_loadu_pd, store _mm512_storeu_pd, load_some load_some_512_64,
    store_some store_some_512_64, transpose transpose_512_64, multiply_add _mm512_fmadd_pd,
    mask __mmask8, load_masked load_masked_512_64, load_evens load_evens_512_64,
    max _mm512_max_pd, min _mm512_min_pd, add _mm512_add_pd, evens evens_512_64
);
token!(
    Avx512<i16>, __m512i, lanes 32, pixels 10, fused false, shim with_avx512,
    zero _mm512_setzero_si512, splat _mm512_set1_epi16, load _mm512_loadu_si512, store _mm512_storeu_si512, load_some load_some_512_i16,
    store_some store_some_512_i16, transpose transpose_512_16, multiply_add add_product_512_i16,
    mask __mmask32, load_masked load_masked_512_i16, add _mm512_add_epi16, evens evens_512_i16,
    I8 load_512_i8 store_512_i8
);
token!(
    Avx512<i32>, __m512i, lanes 16, pixels 10, fused false, shim with_avx512,
    zero _mm512_setzero_si512, splat _mm512_set1_epi32, load _mm512_loadu_si512, store _mm512_storeu_si512, load_some load_some_512_i32,
    store_some store_some_512_i32, transpose transpose_512_32, multiply_add add_product_512_i32,
    mask __mmask16, load_masked load_masked_512_i32, add _mm512_add_epi32, evens evens_512_i32
);
token!(
    Avx512<i64>, __m512i, lanes 8, pixels 10, fused false, shim with_avx512,
    zero _mm512_setzero_si512, splat _mm512_set1_epi64, load _mm512_loadu_si512, store _mm512_storeu_si512, load_some load_some_512_i64,
    store_some store_some_512_i64, transpose transpose_512_64, multiply_add add_product_512_i64,
    mask __mmask8, load_masked load_masked_512_i64, add _mm512_add_epi64, evens evens_512_i64
);
token!(
    Avx2<f32>, __m256, lanes 8, pixels 6, fused true, shim with_avx2,
    zero _mm256_setzero_ps, splat _mm256_set1_ps, load _mm256_loadu_ps, store _mm256_storeu_ps, load_some load_some_256_32,
    store_some store_some_256_32, transpose transpose_256_32, multiply_add _mm256_fmadd_ps,
    load_evens load_evens_256_32,
    max _mm256_max_ps, min _mm256_min_ps, add _mm256_add_ps, evens evens_256_32,
    F16 load_256_f16 store_256_f16, BF16 load_256_bf16 store_256_bf16
);
token!(
    Avx2<f64>, __m256d, lanes 4, pixels 6, fused true, shim with_avx2,
    zero _mm256_setzero_pd, splat _mm256_set1_pd, load _mm256_loadu_pd, store _mm256_storeu_pd, load_some load_some_256_64,
    store_some store_some_256_64, transpose transpose_256_64, multiply_add _mm256_fmadd_pd,
    load_evens load_evens_256_64,
    max _mm256_max_pd, min _mm256_min_pd, add _mm256_add_pd, evens evens_256_64
);
token!(
    Avx2<i16>, __m256i, lanes 16, pixels 6, fused false, shim with_avx2,
    zero _mm256_setzero_si256, splat _mm256_set1_epi16, load _mm256_loadu_si256, store _mm256_storeu_si256, load_some load_some_256_i16,
    store_some store_some_256_i16, transpose transpose_256_16, multiply_add add_product_256_i16,
    add _mm256_add_epi16, evens evens_256_i16,
    I8 load_256_i8 store_256_i8
);
token!(
    Avx2<i32>, __m256i, lanes 8, pixels 6, fused false, shim with_avx2,
    zero _mm256_setzero_si256, splat _mm256_set1_epi32, load _mm256_loadu_si256, store _mm256_storeu_si256, load_some load_some_256_i32,
    store_some store_some_256_i32, transpose transpose_256_32, multiply_add add_product_256_i32,
    add _mm256_add_epi32, evens evens_256_i32
);
token!(
    Avx2<Complex32>, __m256, lanes 4, pixels 4, fused false, shim with_avx2,
    zero _mm256_setzero_ps, splat splat_complex32, load _mm256_loadu_ps, store _mm256_storeu_ps, load_some load_some_complex32,
    store_some store_some_complex32, transpose transpose_256_64, multiply_add add_product_complex32,
    add _mm256_add_ps, evens evens_complex32
);
token!(
    Avx2<Complex64>, __m256d, lanes 2, pixels 4, fused false, shim with_avx2,
    zero _mm256_setzero_pd, splat splat_complex64, load _mm256_loadu_pd, store _mm256_storeu_pd, load_some load_some_complex64,
    store_some store_some_complex64, transpose transpose_256_128, multiply_add add_product_complex64,
    add _mm256_add_pd, evens evens_256_128
);

/// Helpers with the signature of an intrinsic; their callers prove the instruction set.
macro_rules! helper {
    ($name:ident($($argument:ident: $type:ty),*) -> $result:ty $body:block) => {
        /// # Safety
        /// The CPU has the instruction set.
        #[inline(always)]
        pub(super) unsafe fn $name($($argument: $type),*) -> $result {
            // SAFETY: by the contract of this function.
            unsafe { $body }
        }
    };
}
pub(super) use helper;

helper!(add_product_512_i16(x: __m512i, w: __m512i, sum: __m512i) -> __m512i { _mm512_add_epi16(sum, _mm512_mullo_epi16(x, w)) });
helper!(add_product_256_i16(x: __m256i, w: __m256i, sum: __m256i) -> __m256i { _mm256_add_epi16(sum, _mm256_mullo_epi16(x, w)) });
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

helper!(evens_512_32(a: __m512, b: __m512) -> __m512 {
    let lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    _mm512_permutex2var_ps(a, lanes, b)
});
helper!(evens_512_64(a: __m512d, b: __m512d) -> __m512d {
    _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), b)
});
helper!(evens_512_i32(a: __m512i, b: __m512i) -> __m512i {
    _mm512_castps_si512(evens_512_32(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)))
});
// The lower half of each pair of lanes.
helper!(evens_512_i16(a: __m512i, b: __m512i) -> __m512i {
    let (a, b) = (_mm512_cvtepi32_epi16(a), _mm512_cvtepi32_epi16(b));
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b)
});
helper!(evens_256_i16(a: __m256i, b: __m256i) -> __m256i {
    let lower = _mm256_set1_epi32(0xFFFF);
    let packed = _mm256_packus_epi32(_mm256_and_si256(a, lower), _mm256_and_si256(b, lower));
    _mm256_permute4x64_epi64::<0b11_01_10_00>(packed)
});
helper!(evens_512_i64(a: __m512i, b: __m512i) -> __m512i {
    _mm512_castpd_si512(evens_512_64(_mm512_castsi512_pd(a), _mm512_castsi512_pd(b)))
});
helper!(evens_256_32(a: __m256, b: __m256) -> __m256 {
    _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(_mm256_shuffle_ps::<0b10_00_10_00>(a, b))))
});
// The last vector begins an element early, so that nothing beyond what is asked for is read.
helper!(load_evens_512_32(from: *const f32) -> __m512 {
    let lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
    _mm512_permutex2var_ps(_mm512_loadu_ps(from), lanes, _mm512_loadu_ps(from.add(15)))
});
helper!(load_evens_512_64(from: *const f64) -> __m512d {
    let lanes = _mm512_setr_epi64(0, 2, 4, 6, 9, 11, 13, 15);
    _mm512_permutex2var_pd(_mm512_loadu_pd(from), lanes, _mm512_loadu_pd(from.add(7)))
});
// Halves of vectors are read from where they belong, since moving them takes longer.
helper!(load_halves_32(from: *const f32) -> __m256 {
    _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(_mm_loadu_ps(from)), _mm_loadu_ps(from.add(8)))
});
helper!(load_evens_256_32(from: *const f32) -> __m256 {
    _mm256_shuffle_ps::<0b11_01_10_00>(load_halves_32(from), load_halves_32(from.add(3)))
});
helper!(load_halves_64(from: *const f64) -> __m256d {
    _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(_mm_loadu_pd(from)), _mm_loadu_pd(from.add(4)))
});
helper!(load_evens_256_64(from: *const f64) -> __m256d {
    _mm256_shuffle_pd::<0b1010>(load_halves_64(from), load_halves_64(from.add(1)))
});
helper!(evens_256_64(a: __m256d, b: __m256d) -> __m256d { _mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_unpacklo_pd(a, b)) });
helper!(evens_256_128(a: __m256d, b: __m256d) -> __m256d { _mm256_permute2f128_pd::<0x20>(a, b) });
helper!(evens_256_i32(a: __m256i, b: __m256i) -> __m256i {
    _mm256_castps_si256(evens_256_32(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)))
});
helper!(evens_complex32(a: __m256, b: __m256) -> __m256 {
    _mm256_castpd_ps(evens_256_64(_mm256_castps_pd(a), _mm256_castps_pd(b)))
});

// Masks with the first `count` lanes set.
#[inline(always)]
fn first_512_16(count: usize) -> __mmask32 {
    ((1u64 << count) - 1) as __mmask32
}
#[inline(always)]
fn first_512_32(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as __mmask16
}
#[inline(always)]
fn first_512_64(count: usize) -> __mmask8 {
    ((1u32 << count) - 1) as __mmask8
}
helper!(first_256_32(count: usize) -> __m256i {
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
});
helper!(first_256_64(count: usize) -> __m256i {
    _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), _mm256_setr_epi64x(0, 1, 2, 3))
});
helper!(load_masked_512_i16(from: *const i16, mask: __mmask32) -> __m512i { _mm512_maskz_loadu_epi16(mask, from) });
helper!(load_masked_512_32(from: *const f32, mask: __mmask16) -> __m512 { _mm512_maskz_loadu_ps(mask, from) });
helper!(load_masked_512_64(from: *const f64, mask: __mmask8) -> __m512d { _mm512_maskz_loadu_pd(mask, from) });
helper!(load_masked_512_i32(from: *const i32, mask: __mmask16) -> __m512i { _mm512_maskz_loadu_epi32(mask, from) });
helper!(load_masked_512_i64(from: *const i64, mask: __mmask8) -> __m512i { _mm512_maskz_loadu_epi64(mask, from) });
helper!(load_some_512_32(from: *const f32, count: usize) -> __m512 { _mm512_maskz_loadu_ps(first_512_32(count), from) });
helper!(load_some_512_64(from: *const f64, count: usize) -> __m512d { _mm512_maskz_loadu_pd(first_512_64(count), from) });
helper!(load_some_512_i16(from: *const i16, count: usize) -> __m512i { _mm512_maskz_loadu_epi16(first_512_16(count), from) });
helper!(load_some_512_i32(from: *const i32, count: usize) -> __m512i { _mm512_maskz_loadu_epi32(first_512_32(count), from) });
helper!(load_some_512_i64(from: *const i64, count: usize) -> __m512i { _mm512_maskz_loadu_epi64(first_512_64(count), from) });
helper!(load_some_256_32(from: *const f32, count: usize) -> __m256 { _mm256_maskload_ps(from, first_256_32(count)) });
helper!(load_some_256_64(from: *const f64, count: usize) -> __m256d { _mm256_maskload_pd(from, first_256_64(count)) });
// AVX2 has no masks for 16 bits.
helper!(load_some_256_i16(from: *const i16, count: usize) -> __m256i {
    let mut lanes = [0i16; 16];
    lanes.as_mut_ptr().copy_from_nonoverlapping(from, count);
    _mm256_loadu_si256(lanes.as_ptr().cast())
});
helper!(load_some_256_i32(from: *const i32, count: usize) -> __m256i { _mm256_maskload_epi32(from, first_256_32(count)) });
helper!(load_some_complex32(from: *const f32, count: usize) -> __m256 { _mm256_maskload_ps(from, first_256_64(count)) });
helper!(load_some_complex64(from: *const f64, count: usize) -> __m256d { _mm256_maskload_pd(from, first_256_64(2 * count)) });
helper!(store_some_512_32(to: *mut f32, vector: __m512, count: usize) -> () { _mm512_mask_storeu_ps(to, first_512_32(count), vector) });
helper!(store_some_512_64(to: *mut f64, vector: __m512d, count: usize) -> () { _mm512_mask_storeu_pd(to, first_512_64(count), vector) });
helper!(store_some_512_i16(to: *mut i16, vector: __m512i, count: usize) -> () {
    _mm512_mask_storeu_epi16(to, first_512_16(count), vector)
});
helper!(store_some_512_i32(to: *mut i32, vector: __m512i, count: usize) -> () {
    _mm512_mask_storeu_epi32(to, first_512_32(count), vector)
});
helper!(store_some_512_i64(to: *mut i64, vector: __m512i, count: usize) -> () {
    _mm512_mask_storeu_epi64(to, first_512_64(count), vector)
});
helper!(store_some_256_32(to: *mut f32, vector: __m256, count: usize) -> () { _mm256_maskstore_ps(to, first_256_32(count), vector) });
helper!(store_some_256_64(to: *mut f64, vector: __m256d, count: usize) -> () { _mm256_maskstore_pd(to, first_256_64(count), vector) });
helper!(store_some_256_i16(to: *mut i16, vector: __m256i, count: usize) -> () {
    let mut lanes = [0i16; 16];
    _mm256_storeu_si256(lanes.as_mut_ptr().cast(), vector);
    to.copy_from_nonoverlapping(lanes.as_ptr(), count)
});
helper!(store_some_256_i32(to: *mut i32, vector: __m256i, count: usize) -> () {
    _mm256_maskstore_epi32(to, first_256_32(count), vector)
});
helper!(store_some_complex32(to: *mut f32, vector: __m256, count: usize) -> () { _mm256_maskstore_ps(to, first_256_64(count), vector) });
helper!(store_some_complex64(to: *mut f64, vector: __m256d, count: usize) -> () {
    _mm256_maskstore_pd(to, first_256_64(2 * count), vector)
});
