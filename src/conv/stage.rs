//! The box of a tile copied row by row into a patch: widened, with what the padding holds, de-interleaved where pixels lie in
//! the vectors.

use super::patch::{Patch, Request};
use crate::array::{Element, View};
use crate::shape::PaddingMode;
use crate::simd::{Operation, Simd};

/// Copies the box of a request, row by row.
pub(super) struct Stage<'a, E: Element> {
    pub request: &'a Request<'a>,
    pub input: &'a View<'a, E>,
    pub patch: &'a Patch<E::Accumulator>,
    pub scratch: &'a mut [E::Accumulator],
}

impl<E: Element> Operation<E::Accumulator> for Stage<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) {
        let Stage { request, input, patch, scratch } = self;
        let shape = request.shape;
        let [depth, height, _] = patch.axes.map(|axis| axis.length);
        let row = patch.strides[1];
        let origins: [isize; 3] = std::array::from_fn(|axis| request.origin(axis));
        // A channel at a time: its rows lie side by side in the input.
        for channel in 0..request.chunk.channel_count() {
            for z in 0..depth {
                let z_source = patch.axes[0].source(z);
                let in_depth = shape.mode.source(origins[0] + z_source as isize, shape.input[0]);
                for y in 0..height {
                    let y_source = patch.axes[1].source(y);
                    if !request.read_by_a_pixel(0, z_source) || !request.read_by_a_pixel(1, y_source) {
                        continue;
                    }
                    let in_height = shape.mode.source(origins[1] + y_source as isize, shape.input[1]);
                    let source = in_depth.zip(in_height);
                    let start = (channel * depth + z) * height * row + y * row;
                    let target = &mut scratch[start..start + row];
                    match source {
                        None => target.fill(E::Accumulator::default()),
                        Some((z, y)) => {
                            let at = input.offset([request.image, request.first_channel() + channel, z, y, 0]);
                            // SAFETY: the index is inside the input.
                            let line = unsafe { input.pointer().offset(at) };
                            let line = Line { line, stride: input.strides()[4], size: shape.input[2], mode: shape.mode };
                            line.stage(simd, origins[2], patch, target);
                        }
                    }
                }
            }
        }
    }
}

/// One row of the input.
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
                self.every(origin + residue as isize, patch.interleave, target);
            }
        } else if axis.run == 1 {
            self.every(origin, axis.jump, &mut row[..axis.length]);
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
        if self.stride != 1 {
            for column in begin..end {
                row[column] = self.at(origin + column as isize);
            }
            return;
        }
        let count = end - begin;
        // SAFETY: these columns are inside the row and adjacent; with `IN_PLACE` an element is its accumulator.
        unsafe {
            let from = self.line.offset(origin + begin as isize);
            if !E::IN_PLACE {
                E::widen_run(std::slice::from_raw_parts(from, count), &mut row[begin..end]);
                return;
            }
            let (from, to) = (from.cast::<E::Accumulator>(), row[begin..end].as_mut_ptr());
            let mut done = 0;
            while done + S::LANES <= count {
                simd.store(to.add(done), simd.load(from.add(done)));
                done += S::LANES;
            }
            if done < count {
                simd.store_some(to.add(done), simd.load_some(from.add(done), count - done), count - done);
            }
        }
    }

    #[inline(always)]
    fn every(&self, origin: isize, step: usize, row: &mut [E::Accumulator]) {
        let (begin, end) = self.inside(origin, step, row.len());
        for column in (0..begin).chain(end..row.len()) {
            row[column] = self.at(origin + (column * step) as isize);
        }
        for column in begin..end {
            // SAFETY: the column is inside the row.
            row[column] = unsafe { *self.line.offset((origin + (column * step) as isize) * self.stride) }.widen();
        }
    }
}
