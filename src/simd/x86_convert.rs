//! Vectors of float32 from and to 16-bit floats, and of int16 from and to int8.

use std::arch::x86_64::*;

use super::x86::helper;

/// The first bit of a float32's mantissa: a NaN that has it is quiet.
const QUIET: i32 = 0x40_0000;

helper!(load_512_f16(from: *const u16) -> __m512 { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) });
helper!(load_256_f16(from: *const u16) -> __m256 { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) });
// Rounded to the nearest, ties to even.
helper!(store_512_f16(to: *mut u16, vector: __m512) -> () {
    _mm256_storeu_si256(to.cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(vector))
});
helper!(store_256_f16(to: *mut u16, vector: __m256) -> () {
    _mm_storeu_si128(to.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(vector))
});

helper!(load_512_bf16(from: *const u16) -> __m512 {
    let bits = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast())));
    quiet_512(bits)
});
helper!(load_256_bf16(from: *const u16) -> __m256 {
    let bits = _mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast())));
    quiet_256(bits)
});
// The upper half, after half of its last bit (less one where that bit is even) is added; NaNs are cut instead.
helper!(store_512_bf16(to: *mut u16, vector: __m512) -> () {
    let bits = _mm512_castps_si512(vector);
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(vector, vector);
    let rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(QUIET));
    _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(rounded)))
});
helper!(store_256_bf16(to: *mut u16, vector: __m256) -> () {
    let bits = _mm256_castps_si256(vector);
    let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
    let rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
    let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(vector, vector));
    let quiet = _mm256_or_si256(bits, _mm256_set1_epi32(QUIET));
    let upper = _mm256_srli_epi32::<16>(_mm256_blendv_epi8(rounded, quiet, nan));
    _mm_storeu_si128(to.cast(), _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256::<1>(upper)))
});
helper!(quiet_512(bits: __m512i) -> __m512 {
    let vector = _mm512_castsi512_ps(bits);
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(vector, vector);
    _mm512_castsi512_ps(_mm512_mask_or_epi32(bits, nan, bits, _mm512_set1_epi32(QUIET)))
});
helper!(quiet_256(bits: __m256i) -> __m256 {
    let vector = _mm256_castsi256_ps(bits);
    let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(vector, vector);
    _mm256_or_ps(vector, _mm256_and_ps(nan, _mm256_castsi256_ps(_mm256_set1_epi32(QUIET))))
});

helper!(load_512_i8(from: *const i8) -> __m512i { _mm512_cvtepi8_epi16(_mm256_loadu_si256(from.cast())) });
helper!(load_256_i8(from: *const i8) -> __m256i { _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast())) });
helper!(store_512_i8(to: *mut i8, vector: __m512i) -> () { _mm256_storeu_si256(to.cast(), _mm512_cvtepi16_epi8(vector)) });
helper!(store_256_i8(to: *mut i8, vector: __m256i) -> () {
    let bytes = _mm256_and_si256(vector, _mm256_set1_epi16(0xFF));
    let (low, high) = (_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes));
    _mm_storeu_si128(to.cast(), _mm_packus_epi16(low, high))
});
