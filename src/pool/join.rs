//! Elements of several rows joined into one row: the step that sliding pools are made of.

use std::marker::PhantomData;

use super::chunks::{Chunks, write_row};
use super::pick::part;
use super::reduction::Reduction;
use crate::array::Element;
use crate::simd::{opaque, prefetch};

/// How far ahead of a row memory is asked for what later rows will read, in bytes.
const AHEAD: usize = 4096;

/// What becomes of the items of rows.
pub(super) trait Joining: Copy {
    /// An item of a row.
    type From: Copy;
    /// What is joined.
    type Value: Copy;
    /// What is written.
    type To: Copy;
    fn read(self, item: Self::From) -> Self::Value;
    fn combine(self, before: Self::Value, value: Self::Value) -> Self::Value;
    fn write(self, value: Self::Value) -> Self::To;
}

/// What the items of a row are.
pub(super) trait Form<E: Element, R: Reduction<E>>: Copy {
    type Item: Copy;
    fn read(reduction: R, item: Self::Item) -> R::Value;
    fn write(reduction: R, value: R::Value, divisor: i64) -> Self::Item;
}

/// Elements of the input or of the output.
#[derive(Clone, Copy)]
pub(super) struct Elements;

impl<E: Element, R: Reduction<E>> Form<E, R> for Elements {
    type Item = E;
    #[inline(always)]
    fn read(reduction: R, item: E) -> R::Value {
        reduction.lift(item)
    }
    #[inline(always)]
    fn write(reduction: R, value: R::Value, divisor: i64) -> E {
        reduction.finish(value, divisor)
    }
}

/// Values on their way.
#[derive(Clone, Copy)]
pub(super) struct Values;

impl<E: Element, R: Reduction<E>> Form<E, R> for Values {
    type Item = R::Value;
    #[inline(always)]
    fn read(_: R, item: R::Value) -> R::Value {
        item
    }
    #[inline(always)]
    fn write(_: R, value: R::Value, _: i64) -> R::Value {
        value
    }
}

/// From items of one form to those of another, with the elements of a window counted where outputs are written.
#[derive(Clone, Copy)]
pub(super) struct Step<E, R, From, To>(pub R, pub i64, PhantomData<(E, From, To)>);

impl<E, R, From, To> Step<E, R, From, To> {
    #[inline(always)]
    pub fn new(reduction: R, divisor: i64) -> Self {
        Step(reduction, divisor, PhantomData)
    }
}

impl<E: Element, R: Reduction<E>, From: Form<E, R>, To: Form<E, R>> Joining for Step<E, R, From, To> {
    type From = From::Item;
    type Value = R::Value;
    type To = To::Item;
    #[inline(always)]
    fn read(self, item: From::Item) -> R::Value {
        From::read(self.0, item)
    }
    #[inline(always)]
    fn combine(self, before: R::Value, value: R::Value) -> R::Value {
        self.0.combine(before, value)
    }
    #[inline(always)]
    fn write(self, value: R::Value) -> To::Item {
        To::write(self.0, value, self.1)
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

/// Writes for every item of a grid what the items at its place in each of `all` come to, joined in their order. The `new` items
/// that each row reads for the first time follow the last of `all` in memory.
///
/// # Safety
/// There is one to join; each has the items of the grid, and so has `to`, which does not overlap them.
#[inline(always)]
pub(super) unsafe fn join<J: Joining>(joining: J, all: &[*const J::From], grid: Grid, new: usize, to: *mut J::To) {
    // SAFETY: by the contract of this function.
    unsafe { rows::<J, 1, 1>(joining, all, grid, new, [to]) }
}

/// As [`join`], then `STRIDE` neighbours are dealt out to as many rows: a column of the grid is one of each.
///
/// # Safety
/// As for [`join`].
#[inline(always)]
pub(super) unsafe fn deal<J: Joining, const STRIDE: usize>(
    joining: J,
    all: &[*const J::From],
    grid: Grid,
    new: usize,
    to: [*mut J::To; STRIDE],
) {
    // SAFETY: by the contract of this function.
    unsafe { rows::<J, STRIDE, STRIDE>(joining, all, grid, new, to) }
}

/// As [`join`], then `STRIDE` neighbours are joined to one: a column of the grid.
///
/// # Safety
/// As for [`join`].
#[inline(always)]
pub(super) unsafe fn join_neighbours<J: Joining, const STRIDE: usize>(
    joining: J,
    all: &[*const J::From],
    grid: Grid,
    new: usize,
    to: *mut J::To,
) {
    // SAFETY: by the contract of this function.
    unsafe { rows::<J, STRIDE, 1>(joining, all, grid, new, [to]) }
}

/// # Safety
/// As for [`join`], [`deal`] or [`join_neighbours`].
#[inline(always)]
unsafe fn rows<J: Joining, const STRIDE: usize, const TARGETS: usize>(
    joining: J,
    all: &[*const J::From],
    grid: Grid,
    new: usize,
    to: [*mut J::To; TARGETS],
) {
    let last = all[all.len() - 1];
    let mut row = Joined::<J, STRIDE, TARGETS> { joining, all, from: 0, to };
    for _ in 0..grid.rows {
        for byte in (0..new * size_of::<J::From>()).step_by(64) {
            prefetch(last.wrapping_offset(row.from).wrapping_byte_add(AHEAD + byte));
        }
        // SAFETY: by the contract of this function.
        unsafe { write_row(row, grid.columns) };
        row.from += grid.from;
        for target in 0..TARGETS {
            row.to[target] = row.to[target].wrapping_offset(grid.to);
        }
    }
}

/// What the items at `from` come to.
///
/// # Safety
/// There is one to join, and each has that item.
#[inline(always)]
pub(super) unsafe fn join_one<J: Joining>(joining: J, all: &[*const J::From], from: isize) -> J::To {
    // SAFETY: by the contract of this function.
    unsafe {
        let mut value = joining.read(*all.get_unchecked(0).offset(from));
        for one in all.get_unchecked(1..) {
            value = joining.combine(value, joining.read(*one.offset(from)));
        }
        joining.write(value)
    }
}

#[derive(Clone, Copy)]
struct Joined<'a, J: Joining, const STRIDE: usize, const TARGETS: usize> {
    joining: J,
    all: &'a [*const J::From],
    from: isize,
    to: [*mut J::To; TARGETS],
}

impl<J: Joining, const STRIDE: usize, const TARGETS: usize> Chunks for Joined<'_, J, STRIDE, TARGETS> {
    type Value = [J::Value; STRIDE];

    #[inline(always)]
    unsafe fn write<const N: usize>(self, at: usize) {
        let Joined { joining, all, from, to } = self;
        let from = from + (at * STRIDE) as isize;
        // SAFETY: the columns are those that the caller promises; there is one row to join. That the compiler knows nothing about
        // the pointers keeps it from loading several of them at once, which would take the place of vectors of items.
        unsafe {
            let first = opaque(all.get_unchecked(0).offset(from)).cast::<[[J::From; STRIDE]; N]>().read_unaligned();
            let mut values = [[joining.read(first[0][0]); STRIDE]; N];
            for lane in 0..N {
                for place in 0..STRIDE {
                    values[lane][place] = joining.read(first[lane][place]);
                }
            }
            for tap in 1..all.len() {
                let items = opaque(all.get_unchecked(tap).offset(from)).cast::<[[J::From; STRIDE]; N]>().read_unaligned();
                for lane in 0..N {
                    for place in 0..STRIDE {
                        values[lane][place] = joining.combine(values[lane][place], joining.read(items[lane][place]));
                    }
                }
            }
            if STRIDE == 1 {
                let mut results = [joining.write(values[0][0]); N];
                for lane in 0..N {
                    results[lane] = joining.write(values[lane][0]);
                }
                return to[0].add(at).cast::<[J::To; N]>().write_unaligned(results);
            }
            // By way of memory, or the compiler would part the items of every row and not what they come to.
            let mut joined = [[values[0][0]; STRIDE]; N];
            for lane in 0..N {
                for place in 0..STRIDE {
                    joined[lane][place] = values[lane][place];
                }
            }
            let joined = opaque(joined.as_ptr()).cast::<J::Value>();
            for target in 0..TARGETS {
                let mut items = part::<J::Value, N, STRIDE>(joined, target);
                if TARGETS == 1 {
                    for place in 1..STRIDE {
                        let next = part::<J::Value, N, STRIDE>(joined, place);
                        for lane in 0..N {
                            items[lane] = joining.combine(items[lane], next[lane]);
                        }
                    }
                }
                let mut results = [joining.write(items[0]); N];
                for lane in 0..N {
                    results[lane] = joining.write(items[lane]);
                }
                to[target].add(at).cast::<[J::To; N]>().write_unaligned(results);
            }
        }
    }
}
