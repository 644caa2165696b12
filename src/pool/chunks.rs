//! Rows of outputs, chunk by chunk. A chunk is an array of one cache line, which the compiler keeps in vectors of whatever
//! length the instruction set has.

use std::ops::Range;

/// Bytes of a chunk at most.
pub(super) const CHUNK: usize = 64;

/// A row of outputs, and what it is computed from.
pub(super) trait Chunks: Copy {
    /// What is computed with; a chunk of these is a cache line.
    type Value;
    /// Writes the outputs from `at` on.
    ///
    /// # Safety
    /// `N` outputs from `at` on are outputs of the row.
    unsafe fn write<const N: usize>(self, at: usize);
}

/// Writes `count` outputs.
///
/// # Safety
/// The row has as many outputs.
#[inline(always)]
pub(super) unsafe fn write_row<C: Chunks>(row: C, count: usize) {
    // SAFETY: by the contract of this function.
    unsafe {
        match size_of::<C::Value>() {
            1 => in_chunks::<C, 64, 16>(row, count),
            2 => in_chunks::<C, 32, 8>(row, count),
            4 => in_chunks::<C, 16, 4>(row, count),
            8 => in_chunks::<C, 8, 2>(row, count),
            _ => in_chunks::<C, 4, 2>(row, count),
        }
    }
}

/// # Safety
/// As for `write_row`.
#[inline(always)]
unsafe fn in_chunks<C: Chunks, const MANY: usize, const FEW: usize>(row: C, count: usize) {
    let mut done = 0;
    // SAFETY: there are as many outputs as a chunk has.
    unsafe {
        if count >= MANY {
            let rest = count % MANY;
            done = if rest <= FEW { count - rest } else { count };
            overlapping::<C, MANY>(row, 0..done);
        }
        if done == count {
            return;
        }
        if count >= FEW {
            overlapping::<C, FEW>(row, done.min(count - FEW)..count);
        } else {
            overlapping::<C, 1>(row, 0..count);
        }
    }
}

/// Chunks of `N`, of which the last begins earlier where it would end too late: cheaper than one by one.
///
/// # Safety
/// As for `write_row`; there are at least `N` outputs in `range`.
#[inline(always)]
unsafe fn overlapping<C: Chunks, const N: usize>(row: C, range: Range<usize>) {
    let mut at = range.start;
    loop {
        // SAFETY: by the contract of this function.
        unsafe { row.write::<N>(at) };
        if at + N == range.end {
            return;
        }
        at = (at + N).min(range.end - N);
    }
}
