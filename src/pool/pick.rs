//! Every second, third, … value of a row, or what so many neighbours come to.

use super::chunks::{Chunks, write_row};
use super::reduction::Reduction;
use crate::array::Element;

/// Values that a row may have to have after the last that is picked.
pub(super) const BEYOND: usize = 4;

/// Writes the values at `stride` times every index below `count`.
///
/// # Safety
/// `from` has `stride * count` values, and `to` room for `count`. They do not overlap.
#[inline(always)]
pub(super) unsafe fn pick<V: Copy>(from: *const V, stride: usize, count: usize, to: *mut V) {
    // SAFETY: by the contract of this function.
    unsafe {
        match stride {
            2 => write_row(Every::<V, 2> { from, stride }, count, to),
            3 => write_row(Every::<V, 3> { from, stride }, count, to),
            4 => write_row(Every::<V, 4> { from, stride }, count, to),
            _ => write_row(Every::<V, 0> { from, stride }, count, to),
        }
    }
}

/// Neighbours joined: the first `STRIDE` values, the next, and so on. A plain loop, for which the compiler loads each value once.
#[inline(always)]
pub(super) fn join_neighbours<E: Element, R: Reduction<E>, const STRIDE: usize>(
    reduction: R,
    from: &[R::Value],
    to: &mut [R::Value],
) {
    for (to, neighbours) in to.iter_mut().zip(from.as_chunks::<STRIDE>().0) {
        let mut value = neighbours[0];
        for next in &neighbours[1..] {
            value = reduction.combine(value, *next);
        }
        *to = value;
    }
}

/// The first of some values as the lower part of a number that is as wide as they are together: that every instruction set
/// has an instruction for. Big-endian numbers have it above.
macro_rules! truncated {
    ($from:ident, $wide:ty, $narrow:ty, $value:ty, $count:ident) => {{
        let wide = $from.cast::<[$wide; $count]>().read_unaligned();
        let mut narrow = [0 as $narrow; $count];
        for lane in 0..$count {
            let shift = if cfg!(target_endian = "big") { <$wide>::BITS - <$narrow>::BITS } else { 0 };
            narrow[lane] = (wide[lane] >> shift) as $narrow;
        }
        std::mem::transmute_copy::<[$narrow; $count], [$value; $count]>(&narrow)
    }};
}

/// `STRIDE` is 0 if the compiler does not know it.
#[derive(Clone, Copy)]
struct Every<V, const STRIDE: usize> {
    from: *const V,
    stride: usize,
}

impl<V: Copy, const STRIDE: usize> Chunks for Every<V, STRIDE> {
    type Value = V;
    type Output = V;

    #[inline(always)]
    unsafe fn chunk<const N: usize>(self, at: usize) -> [V; N] {
        // SAFETY: by the contract of `pick`.
        unsafe { every::<V, N, STRIDE>(self.from.add(at * self.stride), self.stride) }
    }
}

/// Values at `stride` times every index below `N`.
///
/// # Safety
/// `N * stride` values can be read from `from`.
#[inline(always)]
pub(super) unsafe fn every<V: Copy, const N: usize, const STRIDE: usize>(from: *const V, stride: usize) -> [V; N] {
    // SAFETY: by the contract of this function; the numbers read and made are as large as what they are taken for.
    unsafe {
        match (STRIDE, size_of::<V>()) {
            (2, 1) => truncated!(from, u16, u8, V, N),
            (2, 2) => truncated!(from, u32, u16, V, N),
            (2, 4) => truncated!(from, u64, u32, V, N),
            (4, 1) => truncated!(from, u32, u8, V, N),
            (4, 2) => truncated!(from, u64, u16, V, N),
            (3, _) => firsts::<V, N, 3>(from),
            (4, _) => firsts::<V, N, 4>(from),
            (2, _) => firsts::<V, N, 2>(from),
            _ => {
                let mut values = [*from; N];
                for lane in 0..N {
                    values[lane] = *from.add(lane * stride);
                }
                values
            }
        }
    }
}

/// The first of `STRIDE` values each.
///
/// # Safety
/// `N * STRIDE` values can be read from `from`.
#[inline(always)]
unsafe fn firsts<V: Copy, const N: usize, const STRIDE: usize>(from: *const V) -> [V; N] {
    // SAFETY: by the contract of this function.
    let groups = unsafe { from.cast::<[[V; STRIDE]; N]>().read_unaligned() };
    let mut values = [groups[0][0]; N];
    for lane in 0..N {
        values[lane] = groups[lane][0];
    }
    values
}
