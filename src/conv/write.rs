//! Sums with their bias become outputs: transposed where channels lie in the vectors, then residual, activation, rounding.

use std::ops::Range;

use super::epilogue::Epilogue;
use super::plan::DIRECT_PIECE;
use crate::array::{Element, SharedOutput};
use crate::simd::{Lanes, Operation, Simd, narrow_run};

/// The place of a pixel that does not exist: some phases of a transposed convolution have one output less than others.
pub(super) const NOWHERE: isize = isize::MIN;

/// Where the pixels of a tile lie, counted from the first element of a channel.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    /// Offset of every pixel, or of the first pixel of every vector, in the output.
    pub output: &'a [isize],
    /// The same in the residual; empty where there is none.
    pub residual: &'a [isize],
}

/// Pixels of one tile, for one block of output channels.
pub(super) struct Write<'a, E: Element> {
    pub output: &'a SharedOutput<'a, E>,
    pub epilogue: &'a Epilogue<'a, E>,
    pub image: usize,
    /// The block's output channels.
    pub channels: Range<usize>,
    pub places: Places<'a>,
    pub sums: &'a mut [E::Accumulator],
    /// Whether [bounds](Epilogue::bounds) have been applied.
    pub bounded: bool,
    pub layout: Layout<'a, E::Accumulator>,
}

/// How the sums lie.
pub(super) enum Layout<'a, T> {
    /// `[pixel][lane]`, one place a pixel, which may be [`NOWHERE`]; neighbouring pixels of a row are `step` elements apart in the
    /// output. `rows` has room for a vector of channels by all pixels, rounded up to whole vectors.
    Pixels { lanes: usize, step: isize, rows: &'a mut [T] },
    /// `[channel][vector][lane]`, one place a vector; the last of the `per_row` vectors of a row has `tail` pixels. Vectors are
    /// counted from `first` on; pixels are `step` elements apart in the output, `residual_step` in the residual.
    Vectors { first: usize, per_row: usize, tail: usize, step: isize, residual_step: isize },
}

impl<E: Element<Accumulator: Lanes>> Operation<E::Accumulator> for Write<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) {
        let Write { output, epilogue, image, channels, places, sums, bounded, layout } = self;
        let (channel, channels) = (channels.start, channels.len());
        let bounded = bounded && epilogue.bounds().is_some();
        let target = Target { output, epilogue, image, places, bounded };
        match layout {
            Layout::Pixels { lanes, step, rows } => {
                let (runs, residual_runs) = (Runs::of(places.output, step), Runs::of(places.residual, 1));
                let length = places.output.len().next_multiple_of(S::LANES);
                let neighbours = output.strides()[1] == 1;
                assert!(sums.len() >= length * lanes && rows.len() >= length * S::LANES);
                let finished = target.finish_all(&mut sums[..places.output.len() * lanes]);
                let blocks = finished && E::IN_PLACE && output.strides()[1] > 0 && runs.are_vectors(S::LANES);
                for vector in (0..channels).step_by(S::LANES) {
                    if finished && neighbours {
                        break;
                    }
                    if blocks && channels - vector >= S::LANES {
                        target.blocks(simd, channel + vector, &sums[vector..], lanes, &runs);
                        continue;
                    }
                    for first in (0..length).step_by(S::LANES) {
                        let (from, to) = (sums[first * lanes + vector..].as_ptr(), rows[first..].as_mut_ptr());
                        // SAFETY: sums and rows have room for whole vectors of pixels.
                        unsafe { simd.transpose(from, lanes, to, length) };
                    }
                    // A channel at a time: neighbouring lines of the output, however far apart its channels are.
                    for lane in 0..S::LANES.min(channels - vector) {
                        let row = &mut rows[lane * length..][..places.output.len()];
                        if !finished {
                            target.finish(channel + vector + lane, row, &residual_runs);
                        }
                        if !neighbours {
                            target.pixels(simd, channel + vector + lane, row, &runs);
                        }
                    }
                    if neighbours {
                        for first in (0..length).step_by(S::LANES) {
                            let (from, to) = (rows[first..].as_ptr(), sums[first * lanes + vector..].as_mut_ptr());
                            // SAFETY: as above.
                            unsafe { simd.transpose(from, length, to, lanes) };
                        }
                    }
                }
                if neighbours {
                    for (pixel, sums) in sums.chunks_exact(lanes).take(places.output.len()).enumerate() {
                        target.channels(simd, channel, pixel, &sums[..channels]);
                    }
                }
            }
            Layout::Vectors { first, per_row, tail, step, residual_step } => {
                let count = places.output.len();
                for index in 0..channels * count {
                    let (of, vector) = (index / count, index % count);
                    let last = (first + vector + 1).is_multiple_of(per_row);
                    let sums = &mut sums[index * S::LANES..(index + 1) * S::LANES];
                    if last {
                        target.vector(simd, channel + of, vector, &mut sums[..tail], (step, residual_step));
                    } else {
                        target.vector(simd, channel + of, vector, sums, (step, residual_step));
                    }
                }
            }
        }
    }
}

/// Where values go, and what is done to them on the way.
struct Target<'a, E: Element> {
    output: &'a SharedOutput<'a, E>,
    epilogue: &'a Epilogue<'a, E>,
    image: usize,
    places: Places<'a>,
    /// Whether nothing follows the sums, to which bounds have been applied.
    bounded: bool,
}

impl<E: Element<Accumulator: Lanes>> Target<'_, E> {
    /// Turns the sums of all channels into values, if what remains to be done is the same for all.
    #[inline(always)]
    fn finish_all(&self, sums: &mut [E::Accumulator]) -> bool {
        let Epilogue { residual, activation, .. } = self.epilogue;
        let alike = residual.is_none() && !activation.knows_channels();
        if alike && !self.bounded {
            self.epilogue.activate(0, sums);
        }
        alike
    }

    /// Writes the values of a vector of channels in square blocks, transposed on their way.
    #[inline(always)]
    fn blocks<S: Simd<Scalar = E::Accumulator>>(&self, simd: S, channel: usize, sums: &[S::Scalar], lanes: usize, runs: &Runs) {
        let (to, distance) = (self.output.channel(self.image, channel), self.output.strides()[1] as usize);
        let mut start = 0;
        for &end in &runs.ends[..runs.count] {
            let end = usize::from(end);
            let mut first = start;
            while first < end {
                // The last block of a run begins inside the one before.
                let block = first.min(end - S::LANES);
                let from = sums[block * lanes..].as_ptr();
                // SAFETY: the places are this task's own, and those of a run are neighbours; the sums have whole vectors.
                unsafe {
                    let place = to.offset(self.places.output[start]).add(block - start);
                    simd.transpose(from, lanes, place.cast(), distance);
                }
                first += S::LANES;
            }
            start = end;
        }
    }

    /// Turns the sums of one channel into values.
    #[inline(always)]
    fn finish(&self, channel: usize, row: &mut [E::Accumulator], runs: &Runs) {
        let mut start = 0;
        for &end in &runs.ends[..runs.count] {
            let end = usize::from(end);
            self.epilogue.add_residual([self.image, channel], self.places.residual[start], runs.step, &mut row[start..end]);
            start = end;
        }
        self.epilogue.activate(channel, row);
    }

    /// Writes the channels of one pixel, which are neighbours in the output.
    #[inline(always)]
    fn channels<S: Simd<Scalar = E::Accumulator>>(&self, simd: S, channel: usize, pixel: usize, values: &[S::Scalar]) {
        let place = self.places.output[pixel];
        if place == NOWHERE {
            return;
        }
        // SAFETY: the places are this task's own, and so are its channels there.
        unsafe {
            let to = self.output.channel(self.image, channel).offset(place);
            narrow_run(simd, values, std::slice::from_raw_parts_mut(to, values.len()));
        }
    }

    /// Writes the pixels of one channel.
    #[inline(always)]
    fn pixels<S: Simd<Scalar = E::Accumulator>>(&self, simd: S, channel: usize, row: &[S::Scalar], runs: &Runs) {
        let to = self.output.channel(self.image, channel);
        let mut start = 0;
        for &end in &runs.ends[..runs.count] {
            let end = usize::from(end);
            let (row, place) = (&row[start..end], self.places.output[start]);
            start = end;
            if place == NOWHERE {
                continue;
            }
            // SAFETY: the places are this task's own, and those of a run are `step` apart.
            unsafe {
                let run = to.offset(place);
                if runs.step == 1 {
                    narrow_run(simd, row, std::slice::from_raw_parts_mut(run, row.len()));
                } else {
                    for (at, value) in row.iter().enumerate() {
                        *run.offset(at as isize * runs.step) = E::narrow(*value);
                    }
                }
            }
        }
    }

    /// Writes one vector of pixels of one channel.
    #[inline(always)]
    fn vector<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        channel: usize,
        vector: usize,
        sums: &mut [S::Scalar],
        (step, residual_step): (isize, isize),
    ) {
        if self.epilogue.residual.is_some() {
            self.epilogue.add_residual([self.image, channel], self.places.residual[vector], residual_step, sums);
        }
        if !self.bounded {
            self.epilogue.activate(channel, sums);
        }
        // SAFETY: the places are this task's own.
        unsafe {
            let to = self.output.channel(self.image, channel).offset(self.places.output[vector]);
            if step == 1 {
                narrow_run(simd, sums, std::slice::from_raw_parts_mut(to, sums.len()));
            } else {
                for (at, sum) in sums.iter().enumerate() {
                    *to.offset(at as isize * step) = E::narrow(*sum);
                }
            }
        }
    }
}

/// Pixels of a piece that are `step` elements apart: each run ends before `ends`.
struct Runs {
    step: isize,
    ends: [u8; DIRECT_PIECE],
    count: usize,
}

impl Runs {
    #[inline(always)]
    fn of(places: &[isize], step: isize) -> Self {
        let mut runs = Runs { step, ends: [0; DIRECT_PIECE], count: 0 };
        for at in 1..=places.len() {
            if at == places.len() || places[at] != places[at - 1].wrapping_add(step) {
                runs.ends[runs.count] = at as u8;
                runs.count += 1;
            }
        }
        runs
    }

    /// Whether all are neighbours and at least so many. A pixel that does not exist is a run of its own.
    #[inline(always)]
    fn are_vectors(&self, lanes: usize) -> bool {
        let starts = [0].into_iter().chain(self.ends);
        self.step == 1 && self.ends[..self.count].iter().zip(starts).all(|(&end, start)| usize::from(end - start) >= lanes)
    }
}

const _: () = assert!(DIRECT_PIECE <= u8::MAX as usize);
