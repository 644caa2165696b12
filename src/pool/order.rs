//! The order in which the elements of a window that does not slide are combined (for those that do see `terms`). It depends on
//! the window alone, so that instruction set, layout, batch and threads leave every bit as it is; it has enough independent sums
//! for vectors; and no chain of additions in it grows with the window, so that the error of a long sum does not either.
//!
//! 1. Each column is combined from its first row to its last, in runs of [`RUN`]: what the runs have come to is combined in
//!    runs again, until one value is left.
//! 2. Column `j` of a block of [`BLOCK`] columns goes to partial value `j % PARTIALS`, then the partial values are combined
//!    from left to right. Up to [`PARTIALS`] columns are thus simply taken from left to right.
//! 3. The blocks are combined in runs, as the rows are.

use crate::array::Plain;

/// Values combined one after the other before a new chain begins.
pub(super) const RUN: usize = 64;
/// Columns that are combined before other columns are looked at.
pub(super) const BLOCK: usize = 2048;
/// Independent chains among the columns of a block.
pub(super) const PARTIALS: usize = 16;

/// Levels of runs that `count` values make: runs of values, runs of what runs have come to, and so on.
pub(super) fn levels(count: usize) -> usize {
    let mut levels = 1;
    let mut most = RUN;
    while most < count {
        levels += 1;
        most = most.saturating_mul(RUN);
    }
    levels
}

/// Takes what run number `run` has come to from the lowest of the rows of `width` values in `levels` up to where other runs
/// follow; after the last one all is in the highest. For single runs there is nothing to do; others are long, so this is rare.
#[cold]
#[inline(never)]
pub(super) fn carry<V: Plain>(levels: &mut [V], width: usize, mut run: usize, last: bool, combine: impl Fn(V, V) -> V) {
    for level in 1..levels.len() / width {
        let (below, above) = levels.split_at_mut(level * width);
        let (below, above) = (&below[(level - 1) * width..], &mut above[..width]);
        if run.is_multiple_of(RUN) {
            above.copy_from_slice(below);
        } else {
            above.iter_mut().zip(below).for_each(|(above, below)| *above = combine(*above, *below));
        }
        if !last && !(run + 1).is_multiple_of(RUN) {
            return;
        }
        run /= RUN;
    }
}

/// The columns of a block, every `step`-th of `columns`, combined; there must be one.
#[inline(always)]
pub(super) fn across<V: Plain>(columns: &[V], step: usize, combine: impl Fn(V, V) -> V) -> V {
    let taps = columns.len().div_ceil(step);
    let mut value = columns[0];
    if taps <= PARTIALS {
        for tap in 1..taps {
            value = combine(value, columns[tap * step]);
        }
        return value;
    }
    let mut partials = [value; PARTIALS];
    for lane in 0..PARTIALS {
        partials[lane] = columns[lane * step];
    }
    let mut done = PARTIALS;
    if step == 1 {
        for chunk in columns[done..].chunks_exact(PARTIALS) {
            for lane in 0..PARTIALS {
                partials[lane] = combine(partials[lane], chunk[lane]);
            }
            done += PARTIALS;
        }
    }
    for tap in done..taps {
        partials[tap % PARTIALS] = combine(partials[tap % PARTIALS], columns[tap * step]);
    }
    value = partials[0];
    for &partial in &partials[1..] {
        value = combine(value, partial);
    }
    value
}
