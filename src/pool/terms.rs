//! The order in which the elements of a sliding window are combined along one axis. Up to [`FEW`] are taken one after the
//! other. Of more, four quarters are combined element by element, which neighbouring windows share: the quarter that begins at
//! an element is a value of one more row. The window is then a quarter as long in that row, and so on; what four does not
//! divide comes last. So a window costs, and errs, as the logarithm of its size, and its order depends on nothing but it.
//!
//! Where elements may count twice, four neighbours make a row of windows of 4, four of those one of windows of 16, and so on;
//! the window is at most four of the longest that fit, of which the last overlaps the one before.

/// Elements that are combined one after the other.
pub(super) const FEW: usize = 8;
/// Enough for windows of [`MOST_TAPS`].
pub(super) const LEVELS: usize = 5;
/// The longest window.
pub(super) const MOST_TAPS: usize = FEW << (2 * LEVELS);
/// What is left of it at most.
pub(super) const MOST_TERMS: usize = FEW + 3 * LEVELS;

/// The terms of every window along one axis, as distances from where the window begins.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// How far apart the elements are that are combined for the next row.
    quarters: [usize; LEVELS],
    /// Rows beside that of the elements.
    pub levels: usize,
    /// Which row, and where in it.
    terms: [(usize, usize); MOST_TERMS],
    count: usize,
}

impl Terms {
    /// Of `taps` elements, at least one, `step` apart, which may count twice if the reduction is `idempotent`.
    pub fn new(taps: usize, step: usize, idempotent: bool) -> Self {
        let mut all = Terms { quarters: [0; LEVELS], levels: 0, terms: [(0, 0); MOST_TERMS], count: 0 };
        if idempotent && taps > FEW {
            let mut length = 1;
            while taps > 4 * length && all.levels < LEVELS {
                all.quarters[all.levels] = length * step;
                all.levels += 1;
                length *= 4;
            }
            all.append(all.levels, (0..taps - length).step_by(length), step);
            all.append(all.levels, [taps - length], step);
            return all;
        }
        let mut left = taps;
        let mut rests = [(0, 0); LEVELS];
        while left > FEW {
            let quarter = left / 4;
            all.quarters[all.levels] = quarter * step;
            rests[all.levels] = (4 * quarter, left);
            all.levels += 1;
            left = quarter;
        }
        all.append(all.levels, 0..left, step);
        for level in (0..all.levels).rev() {
            all.append(level, rests[level].0..rests[level].1, step);
        }
        all
    }

    fn append(&mut self, level: usize, taps: impl IntoIterator<Item = usize>, step: usize) {
        for tap in taps {
            self.terms[self.count] = (level, tap * step);
            self.count += 1;
        }
    }

    /// Distances of the elements of row `level` that make one of the next, and by how much that row is shorter.
    #[inline(always)]
    pub fn quarters(&self, level: usize) -> ([usize; 4], usize) {
        let quarter = self.quarters[level];
        ([0, quarter, 2 * quarter, 3 * quarter], 3 * quarter)
    }

    /// The terms in their order.
    #[inline(always)]
    pub fn all(&self) -> &[(usize, usize)] {
        &self.terms[..self.count]
    }
}
