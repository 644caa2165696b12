//! Every second, third, … value of a row becomes an output.

use super::chunks::{Chunks, write_row};
use super::join::{Grid, Joining};

/// Values that a row may have to have after the last that is picked.
pub(super) const BEYOND: usize = 4;

/// Writes for every place of a grid the value at `stride` times its column.
///
/// # Safety
/// `from` has `stride` values for each column of the grid, and `to` room for the grid. They do not overlap.
#[inline(always)]
pub(super) unsafe fn pick<J: Joining<From = <J as Joining>::Value>>(
    joining: J,
    from: *const J::From,
    stride: usize,
    grid: Grid,
    to: *mut J::To,
) {
    for row in 0..grid.rows as isize {
        // SAFETY: by the contract of this function.
        unsafe {
            let (from, to) = (from.offset(row * grid.from), to.offset(row * grid.to));
            match stride {
                2 => write_row(Picked::<J, 2> { joining, from, stride }, grid.columns, to),
                3 => write_row(Picked::<J, 3> { joining, from, stride }, grid.columns, to),
                4 => write_row(Picked::<J, 4> { joining, from, stride }, grid.columns, to),
                _ => write_row(Picked::<J, 0> { joining, from, stride }, grid.columns, to),
            }
        }
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
struct Picked<J: Joining, const STRIDE: usize> {
    joining: J,
    from: *const J::From,
    stride: usize,
}

impl<J: Joining<From = <J as Joining>::Value>, const STRIDE: usize> Chunks for Picked<J, STRIDE> {
    type Value = J::Value;
    type Output = J::To;

    #[inline(always)]
    unsafe fn chunk<const N: usize>(self, at: usize) -> [J::To; N] {
        // SAFETY: by the contract of `pick`.
        unsafe {
            let values = every::<J::From, N, STRIDE>(self.from.add(at * self.stride), self.stride);
            let mut outputs = [self.joining.finish(values[0]); N];
            for lane in 0..N {
                outputs[lane] = self.joining.finish(values[lane]);
            }
            outputs
        }
    }
}

/// # Safety
/// `N * stride` values can be read from `from`.
#[inline(always)]
unsafe fn every<V: Copy, const N: usize, const STRIDE: usize>(from: *const V, stride: usize) -> [V; N] {
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
