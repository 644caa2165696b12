//! Tall windows at three steps a row, however tall (van Herk; Gil and Werman). The rows are cut into runs as tall as a window,
//! which then is the end of one run and the beginning of the next. Neighbours share both, so that neither the order nor the number
//! of the elements may matter.

use std::ops::Range;

use super::chunks::{Chunks, write_row};
use super::join::Joining;
use crate::simd::{opaque, prefetch};

/// Windows of neighbouring rows, each a row further down.
#[derive(Clone, Copy)]
pub(super) struct Runs<J: Joining> {
    pub joining: J,
    /// The value of no element.
    pub empty: J::Value,
    /// Rows of a window.
    pub taps: usize,
    /// The first row of the first window, and how far apart rows are.
    pub from: *const J::From,
    pub pitch: isize,
    /// What rows come to together with those below them in their run, a chunk of each.
    pub ends: *mut J::Value,
    /// The first window, and how far apart they are.
    pub to: *mut J::To,
    pub to_pitch: usize,
}

impl<J: Joining> Runs<J> {
    /// Writes so many windows of so many columns; of the rows that they cover only those `inside` are there.
    ///
    /// # Safety
    /// The rows inside can be read and the windows written; there is room for the ends, and nothing overlaps.
    #[inline(always)]
    pub unsafe fn write(mut self, windows: usize, columns: usize, inside: &Range<usize>) {
        for first in (0..windows).step_by(self.taps) {
            let [start, end] = [inside.start, inside.end].map(|row| row.saturating_sub(first));
            // SAFETY: by the contract of this function.
            unsafe { write_row(Run { runs: self, windows: self.taps.min(windows - first), start, end }, columns) };
            self.from = self.from.wrapping_offset(self.taps as isize * self.pitch);
            self.to = self.to.wrapping_add(self.taps * self.to_pitch);
        }
    }
}

/// The windows that begin in a run.
#[derive(Clone, Copy)]
struct Run<J: Joining> {
    runs: Runs<J>,
    windows: usize,
    /// Of the rows from the run's first on, those that are there.
    start: usize,
    end: usize,
}

impl<J: Joining> Chunks for Run<J> {
    type Value = J::Value;

    #[inline(always)]
    unsafe fn write<const N: usize>(self, at: usize) {
        let Run { runs: Runs { joining, empty, taps, from, pitch, ends, to, to_pitch }, windows, start, end } = self;
        let from = from.wrapping_add(at);
        let ends = ends.cast::<[J::Value; N]>();
        // SAFETY: by the contract of `Runs::write`.
        unsafe {
            let mut values = [empty; N];
            for row in (0..taps).rev() {
                if (start..end).contains(&row) {
                    let items = opaque(from.wrapping_offset(row as isize * pitch)).cast::<[J::From; N]>().read_unaligned();
                    for lane in 0..N {
                        values[lane] = joining.combine(values[lane], joining.read(items[lane]));
                    }
                }
                ends.add(row).write_unaligned(values);
            }
            values = [empty; N];
            for window in 0..windows {
                let row = taps + window - 1;
                if window > 0 && (start..end).contains(&row) {
                    let row = from.wrapping_offset(row as isize * pitch);
                    prefetch(row.wrapping_offset(taps as isize * pitch));
                    let items = opaque(row).cast::<[J::From; N]>().read_unaligned();
                    for lane in 0..N {
                        values[lane] = joining.combine(values[lane], joining.read(items[lane]));
                    }
                }
                let end = opaque(ends.add(window)).read_unaligned();
                let mut results = [joining.write(empty); N];
                for lane in 0..N {
                    results[lane] = joining.write(joining.combine(end[lane], values[lane]));
                }
                to.add(at + window * to_pitch).cast::<[J::To; N]>().write_unaligned(results);
            }
        }
    }
}
