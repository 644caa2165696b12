//! Rows of the input as the kernels read them: where they are, or copied side by side.

use std::marker::PhantomData;

use super::join::{Grid, Lift, join};
use super::reduction::{Reduction, Source};
use crate::array::{Element, RANK};
use crate::shape::Window;

/// Rows that are joined at once.
pub(super) const ROWS: usize = 9;

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

    /// Whether elements can be taken for values where they are.
    pub fn are_values<R: Reduction<E>>(&self, reduction: R) -> bool {
        self.plane.is_some() && reduction.lifted(&[]).is_some()
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

    /// The rows of windows joined, those along depth first: `outputs` of them, `stride` rows apart along the height, of which
    /// `height` is the first. They become the first `columns` of rows of `pitch` values.
    #[inline(always)]
    pub fn join<R: Reduction<E>>(
        &mut self,
        reduction: R,
        [depth, height]: [&Window; 2],
        (outputs, stride): (usize, usize),
        columns: usize,
        joined: &mut [R::Value],
        pitch: usize,
    ) {
        let count = depth.taps * height.taps;
        let together = if self.plane.is_some() { outputs } else { 1 };
        for output in (0..outputs).step_by(together) {
            let joined = &mut joined[output * pitch..];
            assert!(count <= ROWS && joined.len() >= (together - 1) * pitch + columns);
            if columns == 0 {
                continue;
            }
            if count == 0 {
                (0..together).for_each(|row| joined[row * pitch..][..columns].fill(reduction.empty()));
                continue;
            }
            let mut rows = [std::ptr::null(); ROWS];
            let mut number = 0;
            for z in 0..depth.taps {
                for y in 0..height.taps {
                    let height = height.first + output * stride + y * height.step;
                    rows[number] = self.row(depth.first + z * depth.step, height, columns, number);
                    number += 1;
                }
            }
            let grid = Grid { rows: together, columns, from: stride as isize * self.strides[1], to: pitch as isize };
            // Rows that lie between windows are not read.
            let new = stride.min(count) * columns;
            // SAFETY: the windows are inside the input, and the columns that `enter` went to.
            unsafe { join(Lift(reduction, PhantomData), &rows[..count], grid, new, joined.as_mut_ptr()) };
        }
    }
}
