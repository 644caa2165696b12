//! Sums become outputs: transposed where channels lie in the vectors, then bias, residual, activation, rounding.

use super::epilogue::Epilogue;
use crate::array::{Element, SharedOutput};
use crate::simd::{Operation, Simd};

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
    /// The block's first output channel, and how many there are.
    pub channel: usize,
    pub channels: usize,
    pub places: Places<'a>,
    pub sums: &'a mut [E::Accumulator],
    pub layout: Layout,
}

/// How the sums lie.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    /// `[pixel][lane]`, one place a pixel. Where places rise, `LANES` of them that span `LANES` elements are neighbours.
    Pixels { lanes: usize, rising: bool },
    /// `[channel][vector][lane]`, one place a vector; the last of the `per_row` vectors of a row has `tail` pixels. Vectors are
    /// counted from `first` on; pixels are `step` elements apart in the output, `residual_step` in the residual.
    Vectors { first: usize, per_row: usize, tail: usize, step: isize, residual_step: isize },
}

/// One square block.
#[repr(align(64))]
struct Block<T>([T; 256]);

impl<E: Element> Operation<E::Accumulator> for Write<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) {
        match self.layout {
            Layout::Pixels { lanes, rising } => self.pixels(simd, lanes, rising),
            Layout::Vectors { .. } => self.vectors(simd),
        }
    }
}

impl<E: Element> Write<'_, E> {
    #[inline(always)]
    fn residual(&self, channel: usize) -> *const E {
        let start = |residual: &crate::array::View<'_, E>| {
            let offset = residual.offset([self.image, channel, 0, 0, 0]);
            // SAFETY: image and channel are inside the residual, which has the output's shape.
            unsafe { residual.pointer().offset(offset) }
        };
        self.epilogue.residual.as_ref().map_or(std::ptr::null(), start)
    }

    #[inline(always)]
    fn pixels<S: Simd<Scalar = E::Accumulator>>(self, simd: S, lanes: usize, rising: bool) {
        let count = self.places.output.len();
        assert!(self.sums.len() >= count.next_multiple_of(S::LANES) * lanes && S::LANES * S::LANES <= 256);
        let mut block = Block([E::Accumulator::default(); 256]);
        for vector in (0..self.channels).step_by(S::LANES) {
            for first in (0..count).step_by(S::LANES) {
                // SAFETY: the sums have room for whole vectors of pixels; the block for LANES * LANES elements.
                unsafe { simd.transpose(self.sums.as_ptr().add(first * lanes + vector), lanes, block.0.as_mut_ptr(), S::LANES) };
                let places = &self.places.output[first..count.min(first + S::LANES)];
                let adjacent = rising && places.len() == S::LANES && places[S::LANES - 1] - places[0] == S::LANES as isize - 1;
                for lane in 0..S::LANES.min(self.channels - vector) {
                    let channel = self.channel + vector + lane;
                    let to = self.output.channel(self.image, channel);
                    let from = self.residual(channel);
                    // SAFETY: the residual has an element at each of its places.
                    let residual = |at: usize| unsafe { *from.offset(self.places.residual[first + at]) };
                    let row = &mut block.0[lane * S::LANES..(lane + 1) * S::LANES];
                    // SAFETY: the places are this task's own; adjacent ones are LANES neighbours.
                    unsafe {
                        if adjacent {
                            self.epilogue.apply(channel, row, residual);
                            let to = to.offset(places[0]);
                            for (at, value) in row.iter().enumerate() {
                                *to.add(at) = E::narrow(*value);
                            }
                        } else {
                            let row = &mut row[..places.len()];
                            self.epilogue.apply(channel, row, residual);
                            for (place, value) in places.iter().zip(row) {
                                *to.offset(*place) = E::narrow(*value);
                            }
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn vectors<S: Simd<Scalar = E::Accumulator>>(self, _simd: S) {
        let Layout::Vectors { first, per_row, tail, step, residual_step } = self.layout else { return };
        let count = self.places.output.len();
        for channel in 0..self.channels {
            let from = self.residual(self.channel + channel);
            let to = self.output.channel(self.image, self.channel + channel);
            for vector in 0..count {
                let start = (channel * count + vector) * S::LANES;
                // SAFETY: the places are this task's own, and the residual has an element at each of its places.
                unsafe {
                    let to = to.offset(self.places.output[vector]);
                    let residual = |at: usize| *from.offset(self.places.residual[vector] + at as isize * residual_step);
                    let last = (first + vector + 1).is_multiple_of(per_row);
                    if step == 1 && !last {
                        let row = &mut self.sums[start..start + S::LANES];
                        self.epilogue.apply(self.channel + channel, row, residual);
                        for (at, value) in row.iter().enumerate() {
                            *to.add(at) = E::narrow(*value);
                        }
                    } else {
                        let pixels = if last { tail } else { S::LANES };
                        let row = &mut self.sums[start..start + pixels];
                        self.epilogue.apply(self.channel + channel, row, residual);
                        for (at, value) in row.iter().enumerate() {
                            *to.offset(at as isize * step) = E::narrow(*value);
                        }
                    }
                }
            }
        }
    }
}
