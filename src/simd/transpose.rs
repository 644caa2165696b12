//! Square blocks transposed in registers: rows of one array become columns of another.
//!
//! Pairs of rows are interleaved until each 128-bit lane holds a column of four (or two) rows; then the lanes are transposed
//! as a matrix of their own. Elements are moved, never computed with, so blocks of one size serve all types of that size.

use std::arch::x86_64::*;

/// Lane `l` of vector `g` becomes lane `g` of vector `l`.
#[inline(always)]
unsafe fn transpose_lanes_512(v: [__m512; 4]) -> [__m512; 4] {
    // SAFETY: the caller proves AVX-512.
    unsafe {
        let low = _mm512_shuffle_f32x4::<0x44>(v[0], v[1]);
        let low_next = _mm512_shuffle_f32x4::<0x44>(v[2], v[3]);
        let high = _mm512_shuffle_f32x4::<0xEE>(v[0], v[1]);
        let high_next = _mm512_shuffle_f32x4::<0xEE>(v[2], v[3]);
        [
            _mm512_shuffle_f32x4::<0x88>(low, low_next),
            _mm512_shuffle_f32x4::<0xDD>(low, low_next),
            _mm512_shuffle_f32x4::<0x88>(high, high_next),
            _mm512_shuffle_f32x4::<0xDD>(high, high_next),
        ]
    }
}

/// 32 x 32 elements of 16 bits.
///
/// # Safety
/// The CPU has AVX-512; rows of 32 can be read at multiples of `from_stride` and written at multiples of `to_stride`.
#[inline(always)]
pub(super) unsafe fn transpose_512_16<T>(from: *const T, from_stride: usize, to: *mut T, to_stride: usize) {
    // SAFETY: by the contract of this function.
    unsafe {
        let row = |index: usize| _mm512_loadu_si512(from.add(index * from_stride).cast());
        // Two rows are one of pairs, which are 32 bits. Of each 8 columns the first four are in the lower half.
        let low = |pair: usize| _mm512_castsi512_ps(_mm512_unpacklo_epi16(row(2 * pair), row(2 * pair + 1)));
        let high = |pair: usize| _mm512_castsi512_ps(_mm512_unpackhi_epi16(row(2 * pair), row(2 * pair + 1)));
        let store = |column: usize, vector: __m512| _mm512_storeu_ps(to.add(column * to_stride).cast(), vector);
        transpose_rows_512_32(low, |lane, column, vector| store(8 * lane + column, vector));
        transpose_rows_512_32(high, |lane, column, vector| store(8 * lane + 4 + column, vector));
    }
}

/// 16 x 16 elements of 32 bits.
///
/// # Safety
/// The CPU has AVX-512; rows of 16 can be read at multiples of `from_stride` and written at multiples of `to_stride`.
#[inline(always)]
pub(super) unsafe fn transpose_512_32<T>(from: *const T, from_stride: usize, to: *mut T, to_stride: usize) {
    // SAFETY: by the contract of this function.
    unsafe {
        let row = |index: usize| _mm512_loadu_ps(from.add(index * from_stride).cast());
        let store = |lane, column, vector| _mm512_storeu_ps(to.add((4 * lane + column) * to_stride).cast(), vector);
        transpose_rows_512_32(row, store);
    }
}

/// The same for any rows; `store` takes the 128-bit lane that a column was in, its place there, and the column.
#[inline(always)]
unsafe fn transpose_rows_512_32(row: impl Fn(usize) -> __m512, store: impl Fn(usize, usize, __m512)) {
    // SAFETY: the caller proves AVX-512.
    unsafe {
        let mut columns = [[_mm512_setzero_ps(); 4]; 4];
        for group in 0..4 {
            let [a, b, c, d] = [row(4 * group), row(4 * group + 1), row(4 * group + 2), row(4 * group + 3)];
            let (ab, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (cd, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            let (ab, ab_high) = (_mm512_castps_pd(ab), _mm512_castps_pd(ab_high));
            let (cd, cd_high) = (_mm512_castps_pd(cd), _mm512_castps_pd(cd_high));
            columns[0][group] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
            columns[1][group] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
            columns[2][group] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high));
            columns[3][group] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high));
        }
        for column in 0..4 {
            for (lane, vector) in transpose_lanes_512(columns[column]).into_iter().enumerate() {
                store(lane, column, vector);
            }
        }
    }
}

/// 8 x 8 elements of 64 bits.
///
/// # Safety
/// The CPU has AVX-512; rows of 8 can be read at multiples of `from_stride` and written at multiples of `to_stride`.
#[inline(always)]
pub(super) unsafe fn transpose_512_64<T>(from: *const T, from_stride: usize, to: *mut T, to_stride: usize) {
    // SAFETY: by the contract of this function.
    unsafe {
        let mut columns = [[_mm512_setzero_ps(); 4]; 2];
        for group in 0..4 {
            let row = |index: usize| _mm512_loadu_pd(from.add((2 * group + index) * from_stride).cast());
            let [a, b] = [row(0), row(1)];
            columns[0][group] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            columns[1][group] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
        for column in 0..2 {
            for (lane, vector) in transpose_lanes_512(columns[column]).into_iter().enumerate() {
                _mm512_storeu_ps(to.add((2 * lane + column) * to_stride).cast(), vector);
            }
        }
    }
}

/// 16 x 16 elements of 16 bits.
///
/// # Safety
/// The CPU has AVX2; rows of 16 can be read at multiples of `from_stride` and written at multiples of `to_stride`.
#[inline(always)]
pub(super) unsafe fn transpose_256_16<T>(from: *const T, from_stride: usize, to: *mut T, to_stride: usize) {
    // SAFETY: by the contract of this function.
    unsafe {
        let row = |index: usize| _mm256_loadu_si256(from.add(index * from_stride).cast());
        let low = |pair: usize| _mm256_castsi256_ps(_mm256_unpacklo_epi16(row(2 * pair), row(2 * pair + 1)));
        let high = |pair: usize| _mm256_castsi256_ps(_mm256_unpackhi_epi16(row(2 * pair), row(2 * pair + 1)));
        let store = |column: usize, vector: __m256| _mm256_storeu_ps(to.add(column * to_stride).cast(), vector);
        transpose_rows_256_32(low, |lane, column, vector| store(8 * lane + column, vector));
        transpose_rows_256_32(high, |lane, column, vector| store(8 * lane + 4 + column, vector));
    }
}

/// 8 x 8 elements of 32 bits.
///
/// # Safety
/// The CPU has AVX; rows of 8 can be read at multiples of `from_stride` and written at multiples of `to_stride`.
#[inline(always)]
pub(super) unsafe fn transpose_256_32<T>(from: *const T, from_stride: usize, to: *mut T, to_stride: usize) {
    // SAFETY: by the contract of this function.
    unsafe {
        let row = |index: usize| _mm256_loadu_ps(from.add(index * from_stride).cast());
        let store = |lane, column, vector| _mm256_storeu_ps(to.add((4 * lane + column) * to_stride).cast(), vector);
        transpose_rows_256_32(row, store);
    }
}

/// The same for any rows; `store` takes the 128-bit lane that a column was in, its place there, and the column.
#[inline(always)]
unsafe fn transpose_rows_256_32(row: impl Fn(usize) -> __m256, store: impl Fn(usize, usize, __m256)) {
    // SAFETY: the caller proves AVX.
    unsafe {
        let mut columns = [[_mm256_setzero_ps(); 2]; 4];
        for group in 0..2 {
            let [a, b, c, d] = [row(4 * group), row(4 * group + 1), row(4 * group + 2), row(4 * group + 3)];
            let (ab, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            columns[0][group] = _mm256_shuffle_ps::<0x44>(ab, cd);
            columns[1][group] = _mm256_shuffle_ps::<0xEE>(ab, cd);
            columns[2][group] = _mm256_shuffle_ps::<0x44>(ab_high, cd_high);
            columns[3][group] = _mm256_shuffle_ps::<0xEE>(ab_high, cd_high);
        }
        for column in 0..4 {
            let [first, second] = columns[column];
            store(0, column, _mm256_permute2f128_ps::<0x20>(first, second));
            store(1, column, _mm256_permute2f128_ps::<0x31>(first, second));
        }
    }
}

/// 4 x 4 elements of 64 bits.
///
/// # Safety
/// The CPU has AVX; rows of 4 can be read at multiples of `from_stride` and written at multiples of `to_stride`.
#[inline(always)]
pub(super) unsafe fn transpose_256_64<T>(from: *const T, from_stride: usize, to: *mut T, to_stride: usize) {
    // SAFETY: by the contract of this function.
    unsafe {
        let row = |index: usize| _mm256_loadu_pd(from.add(index * from_stride).cast());
        let [a, b, c, d] = [row(0), row(1), row(2), row(3)];
        let (ab, ab_high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        let (cd, cd_high) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
        let store = |index: usize, vector: __m256d| _mm256_storeu_pd(to.add(index * to_stride).cast(), vector);
        store(0, _mm256_permute2f128_pd::<0x20>(ab, cd));
        store(1, _mm256_permute2f128_pd::<0x20>(ab_high, cd_high));
        store(2, _mm256_permute2f128_pd::<0x31>(ab, cd));
        store(3, _mm256_permute2f128_pd::<0x31>(ab_high, cd_high));
    }
}

/// 2 x 2 elements of 128 bits.
///
/// # Safety
/// The CPU has AVX; rows of 2 can be read at multiples of `from_stride` and written at multiples of `to_stride`.
#[inline(always)]
pub(super) unsafe fn transpose_256_128<T>(from: *const T, from_stride: usize, to: *mut T, to_stride: usize) {
    // SAFETY: by the contract of this function.
    unsafe {
        let (a, b) = (_mm256_loadu_pd(from.cast()), _mm256_loadu_pd(from.add(from_stride).cast()));
        _mm256_storeu_pd(to.cast(), _mm256_permute2f128_pd::<0x20>(a, b));
        _mm256_storeu_pd(to.add(to_stride).cast(), _mm256_permute2f128_pd::<0x31>(a, b));
    }
}
