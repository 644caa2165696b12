//! Every second, third, … value of a row.

use super::chunks::{Chunks, write_row};
use super::join::{Grid, Joining};

/// Writes what the items at `stride` times every index become, row by row.
///
/// # Safety
/// Each row of the grid has those items at `from`, and room for them at `to`. They do not overlap.
#[inline(always)]
pub(super) unsafe fn pick<J: Joining>(joining: J, from: *const J::From, stride: usize, grid: Grid, to: *mut J::To) {
    for row in 0..grid.rows as isize {
        // SAFETY: by the contract of this function.
        unsafe {
            let (from, to) = (from.offset(row * grid.from), to.offset(row * grid.to));
            write_row(Every { joining, from, stride, to }, grid.columns);
        }
    }
}

#[derive(Clone, Copy)]
struct Every<J: Joining> {
    joining: J,
    from: *const J::From,
    stride: usize,
    to: *mut J::To,
}

impl<J: Joining> Chunks for Every<J> {
    type Value = J::Value;

    #[inline(always)]
    unsafe fn write<const N: usize>(self, at: usize) {
        // SAFETY: by the contract of `pick`.
        unsafe {
            let items = every::<J::From, N, 0>(self.from.add(at * self.stride), self.stride);
            let mut results = [self.joining.write(self.joining.read(items[0])); N];
            for lane in 0..N {
                results[lane] = self.joining.write(self.joining.read(items[lane]));
            }
            self.to.add(at).cast::<[J::To; N]>().write_unaligned(results);
        }
    }
}

/// One of two or four values as a part of a number that is as wide as they are together: that every instruction set has an
/// instruction for. Big-endian numbers have the first above.
macro_rules! truncated {
    ($from:ident, $place:ident, $wide:ty, $narrow:ty, $value:ty, $count:ident) => {{
        let wide = $from.cast::<[$wide; $count]>().read_unaligned();
        let mut narrow = [0 as $narrow; $count];
        let last = (<$wide>::BITS / <$narrow>::BITS) as usize - 1;
        let place = if cfg!(target_endian = "big") { last - $place } else { $place };
        for lane in 0..$count {
            narrow[lane] = (wide[lane] >> (place as u32 * <$narrow>::BITS)) as $narrow;
        }
        std::mem::transmute_copy::<[$narrow; $count], [$value; $count]>(&narrow)
    }};
}

/// Values at `stride` times every index below `N`; `STRIDE` is 0 if the compiler does not know it.
///
/// # Safety
/// `N * stride` values can be read from `from`.
#[inline(always)]
pub(super) unsafe fn every<V: Copy, const N: usize, const STRIDE: usize>(from: *const V, stride: usize) -> [V; N] {
    // SAFETY: by the contract of this function.
    unsafe {
        if STRIDE > 0 {
            return part::<V, N, STRIDE>(from, 0);
        }
        let mut values = [*from; N];
        for lane in 0..N {
            values[lane] = *from.add(lane * stride);
        }
        values
    }
}

/// Of groups of `STRIDE` values the one at `place`.
///
/// # Safety
/// `N * STRIDE` values can be read from `from`, and groups have that place.
#[inline(always)]
pub(super) unsafe fn part<V: Copy, const N: usize, const STRIDE: usize>(from: *const V, place: usize) -> [V; N] {
    // SAFETY: by the contract of this function; the numbers read and made are as large as what they are taken for.
    unsafe {
        match (STRIDE, size_of::<V>()) {
            (2, 1) => truncated!(from, place, u16, u8, V, N),
            (2, 2) => truncated!(from, place, u32, u16, V, N),
            (2, 4) => truncated!(from, place, u64, u32, V, N),
            (4, 1) => truncated!(from, place, u32, u8, V, N),
            (4, 2) => truncated!(from, place, u64, u16, V, N),
            _ => {
                let groups = from.cast::<[[V; STRIDE]; N]>().read_unaligned();
                let mut values = [groups[0][place]; N];
                for lane in 0..N {
                    values[lane] = groups[lane][place];
                }
                values
            }
        }
    }
}
