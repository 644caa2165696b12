//! Elements of several rows joined into one row: the step that sliding pools are made of.

use std::marker::PhantomData;

use super::chunks::{Chunks, write_row};
use super::reduction::Reduction;
use crate::array::Element;
use crate::simd::{opaque, prefetch};

/// How far ahead of a row memory is asked for what later rows will read, in bytes.
const AHEAD: usize = 4096;

/// What becomes of the elements of rows.
pub(super) trait Joining: Copy {
    /// An element of a row.
    type From: Copy;
    /// What is joined.
    type Value: Copy;
    /// What is written.
    type To: Copy;
    fn lift(self, element: Self::From) -> Self::Value;
    fn combine(self, before: Self::Value, value: Self::Value) -> Self::Value;
    fn finish(self, value: Self::Value) -> Self::To;
}

/// Elements of the input into values.
#[derive(Clone, Copy)]
pub(super) struct Lift<E, R>(pub R, pub PhantomData<E>);

impl<E: Element, R: Reduction<E>> Joining for Lift<E, R> {
    type From = E;
    type Value = R::Value;
    type To = R::Value;
    #[inline(always)]
    fn lift(self, element: E) -> R::Value {
        self.0.lift(element)
    }
    #[inline(always)]
    fn combine(self, before: R::Value, value: R::Value) -> R::Value {
        self.0.combine(before, value)
    }
    #[inline(always)]
    fn finish(self, value: R::Value) -> R::Value {
        value
    }
}

/// Values into values.
#[derive(Clone, Copy)]
pub(super) struct Combine<E, R>(pub R, pub PhantomData<E>);

impl<E: Element, R: Reduction<E>> Joining for Combine<E, R> {
    type From = R::Value;
    type Value = R::Value;
    type To = R::Value;
    #[inline(always)]
    fn lift(self, value: R::Value) -> R::Value {
        value
    }
    #[inline(always)]
    fn combine(self, before: R::Value, value: R::Value) -> R::Value {
        self.0.combine(before, value)
    }
    #[inline(always)]
    fn finish(self, value: R::Value) -> R::Value {
        value
    }
}

/// Values into outputs whose windows have so many elements.
#[derive(Clone, Copy)]
pub(super) struct Finish<E, R>(pub R, pub i64, pub PhantomData<E>);

impl<E: Element, R: Reduction<E>> Joining for Finish<E, R> {
    type From = R::Value;
    type Value = R::Value;
    type To = E;
    #[inline(always)]
    fn lift(self, value: R::Value) -> R::Value {
        value
    }
    #[inline(always)]
    fn combine(self, before: R::Value, value: R::Value) -> R::Value {
        self.0.combine(before, value)
    }
    #[inline(always)]
    fn finish(self, value: R::Value) -> E {
        self.0.finish(value, self.1)
    }
}

/// Rows of as many columns, at equal distances.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub rows: usize,
    pub columns: usize,
    /// From a row that is read, and from one that is written, to the next.
    pub from: isize,
    pub to: isize,
}

impl Grid {
    /// One row.
    pub fn row(columns: usize) -> Self {
        Grid { rows: 1, columns, from: 0, to: 0 }
    }
}

/// Writes for every element of a grid what the elements at its place in each of `all` come to, joined in their order. The `new`
/// elements that each row reads for the first time follow the last of `all` in memory.
///
/// # Safety
/// There is one to join; each has the elements of the grid, and so has `to`, which does not overlap them.
#[inline(always)]
pub(super) unsafe fn join<J: Joining>(joining: J, all: &[*const J::From], grid: Grid, new: usize, to: *mut J::To) {
    let last = all[all.len() - 1];
    for row in 0..grid.rows {
        let from = row as isize * grid.from;
        for byte in (0..new * size_of::<J::From>()).step_by(64) {
            prefetch(last.wrapping_offset(from).wrapping_byte_add(AHEAD + byte));
        }
        // SAFETY: by the contract of this function.
        unsafe { write_row(Joined { joining, all, from }, grid.columns, to.offset(row as isize * grid.to)) };
    }
}

/// What the elements at `from` come to.
///
/// # Safety
/// There is one to join, and each has that element.
#[inline(always)]
pub(super) unsafe fn join_one<J: Joining>(joining: J, all: &[*const J::From], from: usize) -> J::To {
    // SAFETY: by the contract of this function.
    unsafe { Joined { joining, all, from: from as isize }.chunk::<1>(0)[0] }
}

#[derive(Clone, Copy)]
struct Joined<'a, J: Joining> {
    joining: J,
    all: &'a [*const J::From],
    from: isize,
}

impl<J: Joining> Chunks for Joined<'_, J> {
    type Value = J::Value;
    type Output = J::To;

    #[inline(always)]
    unsafe fn chunk<const N: usize>(self, at: usize) -> [J::To; N] {
        let Joined { joining, all, from } = self;
        let from = from + at as isize;
        // SAFETY: the lanes are those that the caller promises; there is one to join. That the compiler knows nothing about the
        // pointers keeps it from loading several of them at once, which would take the place of vectors of elements.
        unsafe {
            let first: [J::From; N] = opaque(all.get_unchecked(0).offset(from)).cast::<[J::From; N]>().read_unaligned();
            let mut values = [joining.lift(first[0]); N];
            for lane in 0..N {
                values[lane] = joining.lift(first[lane]);
            }
            for one in all.get_unchecked(1..) {
                let elements: [J::From; N] = opaque(one.offset(from)).cast::<[J::From; N]>().read_unaligned();
                for lane in 0..N {
                    values[lane] = joining.combine(values[lane], joining.lift(elements[lane]));
                }
            }
            let mut outputs = [joining.finish(values[0]); N];
            for lane in 0..N {
                outputs[lane] = joining.finish(values[lane]);
            }
            outputs
        }
    }
}
