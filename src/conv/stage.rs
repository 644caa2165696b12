//! The box of a tile copied row by row into a patch: widened, with what the padding holds, de-interleaved where pixels lie in
//! the vectors.

use super::patch::{Patch, Request};
use crate::array::{Element, View};
use crate::shape::PaddingMode;
use crate::simd::{MOST_LANES, Operation, Simd, widen_run};

/// Copies the box of a request, row by row.
pub(super) struct Stage<'a, E: Element> {
    pub request: &'a Request<'a>,
    pub input: &'a View<'a, E>,
    pub patch: &'a Patch<E::Accumulator>,
    /// Columns of the box that lie before the first that is kept.
    pub before: usize,
    pub scratch: &'a mut [E::Accumulator],
}

impl<E: Element> Operation<E::Accumulator> for Stage<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) {
        let Stage { request, input, patch, .. } = self;
        let shape = request.shape;
        let [depth, mut height, _] = patch.axes.map(|axis| axis.length);
        let mut row = patch.strides[1];
        let mut origins: [isize; 3] = std::array::from_fn(|axis| request.origin(axis));
        origins[2] += self.before as isize;
        let joined = self.rows_are_neighbours(origins);
        if joined {
            (height, row) = (1, height * row);
        }
        // Where each row goes, and where it lies in the input.
        let mut rows = Vec::with_capacity(depth * height);
        for z in 0..depth {
            let z_source = patch.axes[0].source(z);
            let in_depth = shape.mode.source(origins[0] + z_source as isize, shape.input[0]);
            for y in 0..height {
                let y_source = patch.axes[1].source(y);
                let in_height = shape.mode.source(origins[1] + y_source as isize, shape.input[1]);
                let source = in_depth.zip(in_height);
                let read = request.read_by_a_pixel(0, z_source) && request.read_by_a_pixel(1, y_source);
                if read && (source.is_some() || !request.inside) {
                    rows.push(((z * height + y) * row, source));
                }
            }
        }
        let ((image, images), channels) = (request.images, request.chunk.channel_count());
        // A channel at a time: its rows lie side by side in the input.
        for index in 0..images * channels {
            let (image, channel) = (image + index / channels, request.first_channel() + index % channels);
            for &(start, source) in &rows {
                let target = &mut self.scratch[index * depth * height * row + start..][..row];
                match source {
                    None => target.fill(E::Accumulator::default()),
                    Some((z, y)) => {
                        let at = input.offset([image, channel, z, y, 0]);
                        // SAFETY: the index is inside the input.
                        let line = unsafe { input.pointer().offset(at) };
                        let size = if joined { row } else { shape.input[2] };
                        let line = Line { line, stride: input.strides()[4], size, mode: shape.mode };
                        if joined {
                            line.neighbours(simd, 0, target);
                        } else {
                            line.stage(simd, origins[2], patch, target);
                        }
                    }
                }
            }
        }
    }
}

impl<E: Element> Stage<'_, E> {
    /// Whether the rows of the box are whole rows of the input which lie side by side there as in the patch.
    fn rows_are_neighbours(&self, [_, y, x]: [isize; 3]) -> bool {
        let (shape, [_, rows, columns]) = (self.request.shape, &self.patch.axes);
        let [_, height, width] = shape.input;
        let [.., down, across] = self.input.strides();
        let whole = x == 0 && columns.is_natural() && [columns.length, self.patch.strides[1]] == [width; 2];
        let inside = rows.is_natural() && y >= 0 && y as usize + rows.length <= height;
        whole && inside && self.patch.interleave == 1 && down == across * width as isize
    }
}

/// One row of the input, or all of them in one.
#[derive(Clone, Copy)]
struct Line<E> {
    line: *const E,
    stride: isize,
    size: usize,
    mode: PaddingMode,
}

impl<E: Element> Line<E> {
    /// The element seen at `position`, which may lie in the padding.
    #[inline(always)]
    fn at(&self, position: isize) -> E::Accumulator {
        match self.mode.source(position, self.size) {
            // SAFETY: `source` gives positions inside the row.
            Some(source) => unsafe { *self.line.offset(source as isize * self.stride) }.widen(),
            None => E::Accumulator::default(),
        }
    }

    /// Copies the columns from `origin` on that the patch keeps.
    #[inline(always)]
    fn stage<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        origin: isize,
        patch: &Patch<E::Accumulator>,
        row: &mut [E::Accumulator],
    ) {
        let axis = &patch.axes[2];
        if patch.interleave > 1 {
            for residue in 0..patch.interleave {
                let count = (axis.length - residue).div_ceil(patch.interleave);
                let target = &mut row[residue * patch.phase..residue * patch.phase + count];
                self.every(simd, origin + residue as isize, patch.interleave, target);
            }
        } else if axis.run == 1 {
            self.every(simd, origin, axis.jump, &mut row[..axis.length]);
        } else {
            for first in (0..axis.length).step_by(axis.run) {
                self.neighbours(simd, origin + axis.source(first) as isize, &mut row[first..first + axis.run]);
            }
        }
    }

    /// Columns inside the row, of `count` from `origin` on, `step` apart.
    #[inline(always)]
    fn inside(&self, origin: isize, step: usize, count: usize) -> (usize, usize) {
        let up_to = |position: isize| (position.max(0) as usize).div_ceil(step).min(count);
        let begin = up_to(-origin);
        (begin, up_to(self.size as isize - origin).max(begin))
    }

    #[inline(always)]
    fn neighbours<S: Simd<Scalar = E::Accumulator>>(&self, simd: S, origin: isize, row: &mut [E::Accumulator]) {
        let (begin, end) = self.inside(origin, 1, row.len());
        for column in (0..begin).chain(end..row.len()) {
            row[column] = self.at(origin + column as isize);
        }
        if begin == end {
            return;
        }
        let origin = origin + begin as isize;
        // SAFETY: these columns are inside the row; with a stride of 1 they are a slice.
        unsafe {
            if self.stride == 1 {
                widen_run(simd, std::slice::from_raw_parts(self.line.offset(origin), end - begin), &mut row[begin..end]);
            } else {
                self.apart(simd, origin, 1, &mut row[begin..end]);
            }
        }
    }

    #[inline(always)]
    fn every<S: Simd<Scalar = E::Accumulator>>(&self, simd: S, origin: isize, step: usize, row: &mut [E::Accumulator]) {
        let (begin, end) = self.inside(origin, step, row.len());
        for column in (0..begin).chain(end..row.len()) {
            row[column] = self.at(origin + (column * step) as isize);
        }
        // SAFETY: these columns are inside the row.
        unsafe { self.apart(simd, origin + (begin * step) as isize, step, &mut row[begin..end]) };
    }

    /// Elements that are not neighbours. They are collected before they are widened, which vectors do.
    ///
    /// # Safety
    /// The columns from `origin` on, `step` apart, are inside the row.
    #[inline(always)]
    unsafe fn apart<S: Simd<Scalar = E::Accumulator>>(&self, simd: S, origin: isize, step: usize, row: &mut [E::Accumulator]) {
        // SAFETY: by the contract of this function; an empty row has no elements.
        let element = |column: usize, apart: isize| unsafe { *self.line.offset(origin * self.stride + column as isize * apart) };
        let apart = step as isize * self.stride;
        if E::IN_PLACE {
            for (column, to) in row.iter_mut().enumerate() {
                *to = element(column, apart).widen();
            }
            return;
        }
        for (index, to) in row.chunks_mut(MOST_LANES).enumerate() {
            let mut run = [E::default(); MOST_LANES];
            let run = &mut run[..to.len()];
            for (position, from) in run.iter_mut().enumerate() {
                let column = index * MOST_LANES + position;
                // A distance that the compiler knows becomes shuffles.
                *from = if apart == 2 { element(column, 2) } else { element(column, apart) };
            }
            widen_run(simd, run, to);
        }
    }
}
