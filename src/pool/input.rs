//! Rows of the input as the kernels read them: where they are, or copied side by side.

use std::ops::Range;

use super::join::{Elements, Grid, Step, Values, deal, join, join_one};
use super::reduction::{Reduction, Source};
use crate::array::{Element, RANK};
use crate::shape::Window;

/// Rows that are joined at once.
pub(super) const ROWS: usize = 9;

/// How rows of values lie in memory.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// 1, or 2 where even and odd columns lie in rows of their own, so that windows two columns apart are neighbours.
    pub turns: usize,
    /// Values from the even columns to the odd ones, and from a row to the next.
    pub turn: usize,
    pub pitch: usize,
}

impl Layout {
    /// Where a column is in its row.
    #[inline(always)]
    pub fn place(&self, column: usize) -> usize {
        (column & (self.turns - 1)) * self.turn + self.whole(column)
    }

    /// Of so many columns, those in each of the rows that they are dealt out to.
    #[inline(always)]
    pub fn whole(&self, columns: usize) -> usize {
        columns >> (self.turns - 1)
    }
}

/// Columns of one plane of the input.
pub(super) struct Rows<'a, E> {
    source: Source<'a, E>,
    /// Image, channel, first column.
    place: [usize; 3],
    /// The first of the columns, if columns lie side by side.
    plane: Option<*const E>,
    /// From a plane along the depth, and from a row, to the next.
    strides: [isize; 2],
    /// Copies of rows.
    copies: &'a mut [E],
}

impl<'a, E: Element> Rows<'a, E> {
    /// `copies` holds [`ROWS`] rows.
    pub fn new(source: Source<'a, E>, copies: &'a mut [E]) -> Self {
        Rows { source, place: [0; 3], plane: None, strides: [0; 2], copies }
    }

    /// Whether rows are read where they are.
    pub fn in_place(&self) -> bool {
        self.plane.is_some()
    }

    /// Whether elements can be taken for values where they are.
    pub fn are_values<R: Reduction<E>>(&self, reduction: R) -> bool {
        self.in_place() && reduction.lifted(&[]).is_some()
    }

    /// From a row that is read where it is to the next.
    pub fn stride(&self) -> isize {
        self.strides[1]
    }

    /// Goes to the columns from `column` on of a plane.
    #[inline(always)]
    pub fn enter(&mut self, image: usize, channel: usize, column: usize) {
        self.place = [image, channel, column];
        let Source::Array(array) = self.source else { return };
        let strides = array.strides();
        if strides[RANK - 1] == 1 {
            self.strides = [strides[2], strides[3]];
            let offset = image as isize * strides[0] + channel as isize * strides[1] + column as isize;
            // Perhaps beyond the array, if then no column is asked for.
            self.plane = Some(array.pointer().wrapping_offset(offset));
        }
    }

    /// The first of `count` columns of a row; a copy is good until the next of the same number.
    #[inline(always)]
    pub fn row(&mut self, depth: usize, height: usize, count: usize, number: usize) -> *const E {
        match self.plane {
            Some(plane) => plane.wrapping_offset(depth as isize * self.strides[0] + height as isize * self.strides[1]),
            None => self.copied(depth, height, count, number),
        }
    }

    fn copied(&mut self, depth: usize, height: usize, count: usize, number: usize) -> *const E {
        let [image, channel, column] = self.place;
        let place = [image, channel, depth, height, column];
        let pitch = self.copies.len() / ROWS;
        let copy = &mut self.copies[number * pitch..][..count];
        match self.source {
            Source::Array(array) => {
                let run = array.run(place, count);
                copy.iter_mut().enumerate().for_each(|(column, element)| *element = run.at(column));
            }
            Source::Converted(fill) => fill(place, 1, copy),
        }
        copy.as_ptr()
    }

    /// The first of `count` columns of each row of a window, those along depth first, and how many rows there are.
    #[inline(always)]
    pub fn window(&mut self, [depth, height]: [&Window; 2], count: usize) -> ([*const E; ROWS], usize) {
        let mut rows = [std::ptr::null(); ROWS];
        let mut number = 0;
        for z in 0..depth.taps {
            for y in 0..height.taps {
                rows[number] = self.row(depth.first + z * depth.step, height.first + y * height.step, count, number);
                number += 1;
            }
        }
        (rows, number)
    }

    /// The rows of windows joined: `outputs` of them, `stride` rows apart along the height, of which `height` is the first. They
    /// become `columns` of as many rows of `joined`.
    #[inline(always)]
    pub fn join<R: Reduction<E>>(
        &mut self,
        reduction: R,
        [depth, height]: [&Window; 2],
        (outputs, stride): (usize, usize),
        columns: &Range<usize>,
        joined: &mut [R::Value],
        layout: Layout,
    ) {
        let Layout { turns, pitch, .. } = layout;
        let together = if self.in_place() { outputs } else { 1 };
        assert!(joined.len() >= outputs * pitch && columns.end <= turns * layout.turn);
        if depth.taps * height.taps == 0 || columns.is_empty() {
            return joined[..outputs * pitch].fill(reduction.empty());
        }
        let lift = Step::<E, R, Elements, Values>::new(reduction, 1);
        let mut output = 0;
        while output < outputs {
            let window = Window { first: height.first + output * stride, ..*height };
            let (rows, count) = self.window([depth, &window], columns.len());
            let rows = &rows[..count];
            let joined = &mut joined[output * pitch..];
            let whole = layout.whole(columns.len());
            let grid = Grid { rows: together, columns: whole, from: stride as isize * self.strides[1], to: pitch as isize };
            // Rows that lie between windows are not read.
            let new = stride.min(count) * columns.len();
            // SAFETY: the windows are inside the input, and the columns that `enter` went to; that rows have room for the columns
            // was asserted.
            unsafe {
                let to = joined.as_mut_ptr();
                let turn = |turn: usize| to.add(layout.place(columns.start + turn));
                if R::WIDENS || turns == 1 {
                    join(lift, rows, grid, new, turn(0));
                } else {
                    deal(lift, rows, grid, new, [turn(0), turn(1)]);
                }
                for row in 0..together {
                    for column in whole * turns..columns.len() {
                        let from = row as isize * grid.from + column as isize;
                        *to.add(row * pitch + layout.place(columns.start + column)) = join_one(lift, rows, from);
                    }
                }
            }
            output += together;
        }
    }
}
