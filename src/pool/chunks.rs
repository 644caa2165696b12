//! Rows of outputs, chunk by chunk. A chunk is an array of one cache line, which the compiler keeps in vectors of whatever
//! length the instruction set has.

/// Something that a row of outputs is computed from.
pub(super) trait Chunks: Copy {
    /// What is computed with; a chunk of these is a cache line.
    type Value;
    /// The outputs.
    type Output: Copy;
    /// The outputs from `at` on.
    ///
    /// # Safety
    /// `N` outputs from `at` on are outputs of the row.
    unsafe fn chunk<const N: usize>(self, at: usize) -> [Self::Output; N];
}

/// Writes `count` outputs.
///
/// # Safety
/// The row has as many outputs, and `to` room for them.
#[inline(always)]
pub(super) unsafe fn write_row<C: Chunks>(row: C, count: usize, to: *mut C::Output) {
    // SAFETY: by the contract of this function.
    unsafe {
        match size_of::<C::Value>() {
            1 => in_chunks::<C, 64, 16>(row, count, to),
            2 => in_chunks::<C, 32, 8>(row, count, to),
            4 => in_chunks::<C, 16, 4>(row, count, to),
            _ => in_chunks::<C, 8, 2>(row, count, to),
        }
    }
}

/// # Safety
/// As for `write_row`.
#[inline(always)]
unsafe fn in_chunks<C: Chunks, const MANY: usize, const FEW: usize>(row: C, count: usize, to: *mut C::Output) {
    // SAFETY: chunks end at `count` at most.
    unsafe {
        let mut at = 0;
        while at + MANY <= count {
            write::<C, MANY>(row, at, to);
            at += MANY;
        }
        if at == count {
            return;
        }
        if at > 0 {
            // Once more what precedes them: cheaper than one by one.
            return write::<C, MANY>(row, count - MANY, to);
        }
        while at + FEW <= count {
            write::<C, FEW>(row, at, to);
            at += FEW;
        }
        while at < count {
            write::<C, 1>(row, at, to);
            at += 1;
        }
    }
}

/// # Safety
/// The row has `N` outputs from `at` on, and `to` room for them.
#[inline(always)]
unsafe fn write<C: Chunks, const N: usize>(row: C, at: usize, to: *mut C::Output) {
    // SAFETY: by the contract of this function.
    unsafe { to.add(at).cast::<[C::Output; N]>().write_unaligned(row.chunk::<N>(at)) }
}
