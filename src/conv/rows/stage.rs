//! The input of a tile: in place where it lies inside the input, else copied with its halo.

use super::tile::Columns;
use crate::array::{Element, View};
use crate::conv::patch::{PatchAxis, Tile};
use crate::shape::{AxisPass, PaddingMode};
use crate::simd::Simd;

/// Where kernels find the input of a tile.
#[derive(Clone, Copy)]
pub(super) struct Source<T> {
    pub pointer: *const T,
    /// Elements between planes, and between rows.
    pub plane: usize,
    pub row: usize,
    /// Planes, and rows, from an output to the next and from a tap to the next.
    pub pixel_steps: [usize; 2],
    pub tap_steps: [usize; 2],
}

/// What to bring in: one channel of one image, for one tile.
pub(super) struct Request<'a, E: Element> {
    pub input: &'a View<'a, E>,
    pub mode: PaddingMode,
    pub pass: &'a [AxisPass; 3],
    pub tile: Tile,
    pub image: usize,
    pub channel: usize,
}

impl<E: Element> Request<'_, E> {
    #[inline(always)]
    fn origin(&self, axis: usize) -> isize {
        self.pass[axis].input_start + (self.tile.start[axis] * self.pass[axis].input_step) as isize
    }

    /// The input itself, if vectors can be read there, `lanes` elements past the last one included.
    #[inline(always)]
    pub fn in_place(&self, lanes: usize) -> Option<Source<E::Accumulator>> {
        let strides = self.input.strides();
        if !E::IN_PLACE || self.pass[2].input_step != 1 || strides[4] != 1 || strides.iter().any(|&stride| stride < 0) {
            return None;
        }
        let mut first = self.image as isize * strides[0] + self.channel as isize * strides[1];
        let mut last = first;
        for axis in 0..3 {
            let (origin, extent) = (self.origin(axis), self.pass[axis].extent(self.tile.size[axis], self.pass[axis].taps));
            if origin < 0 || origin as usize + extent > self.input.shape()[2 + axis] {
                return None;
            }
            first += origin * strides[2 + axis];
            last += (origin as usize + extent - 1) as isize * strides[2 + axis];
        }
        if last + lanes as isize > self.input.last_offset() {
            return None;
        }
        Some(Source {
            // SAFETY: the first element that the tile reads is inside the input.
            pointer: unsafe { self.input.pointer().offset(first) }.cast(),
            plane: strides[2] as usize,
            row: strides[3] as usize,
            pixel_steps: [self.pass[0].input_step, self.pass[1].input_step],
            tap_steps: [self.pass[0].tap_step, self.pass[1].tap_step],
        })
    }

    /// A copy, widened, with the padding filled in.
    #[inline(always)]
    pub fn staged<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        columns: &Columns,
        scratch: &mut [E::Accumulator],
    ) -> Source<E::Accumulator> {
        let axes: [PatchAxis; 2] =
            std::array::from_fn(|axis| PatchAxis::new(&self.pass[axis], self.tile.size[axis], self.pass[axis].taps));
        let (row, height) = (columns.row(), axes[1].length);
        assert!(scratch.len() >= axes[0].length * height * row);
        let shape = self.input.shape();
        let lines: [Line; 4] = std::array::from_fn(|residue| self.line(columns, residue));
        for z in 0..axes[0].length {
            let depth = self.mode.source(self.origin(0) + axes[0].source(z) as isize, shape[2]);
            for y in 0..height {
                let to = &mut scratch[(z * height + y) * row..][..row];
                let high = self.mode.source(self.origin(1) + axes[1].source(y) as isize, shape[3]);
                let Some((depth, high)) = depth.zip(high) else {
                    to.fill(E::Accumulator::default());
                    continue;
                };
                // SAFETY: the index is inside the input.
                let from = unsafe { self.input.pointer().offset(self.input.offset([self.image, self.channel, depth, high, 0])) };
                for residue in 0..columns.residues {
                    let line = if residue < lines.len() { lines[residue] } else { self.line(columns, residue) };
                    let to = &mut to[residue * columns.spacing..][..columns.spacing];
                    // SAFETY: `from` is a row of the input, `line` was made for it, and `to` has a vector to spare.
                    unsafe { self.copy(simd, &line, from, to) };
                }
            }
        }
        Source {
            pointer: scratch.as_ptr(),
            plane: height * row,
            row,
            pixel_steps: axes.map(|axis| axis.pixel_step),
            tap_steps: axes.map(|axis| axis.tap_step),
        }
    }

    /// The columns of one residue.
    #[inline(always)]
    fn line(&self, columns: &Columns, residue: usize) -> Line {
        let step = self.pass[2].input_step;
        let origin = self.origin(2) + (residue * self.pass[2].tap_step) as isize;
        let up_to = |position: isize| {
            let position = position.max(0) as usize;
            (if step == 1 { position } else { position.div_ceil(step) }).min(columns.length)
        };
        let begin = up_to(-origin);
        Line { origin, step, begin, end: up_to(self.input.shape()[4] as isize - origin).max(begin), length: columns.length }
    }

    /// # Safety
    /// `from` is the row of the input that `line` was made for; `to` has room for a vector more than the line's length.
    #[inline(always)]
    unsafe fn copy<S: Simd<Scalar = E::Accumulator>>(&self, simd: S, line: &Line, from: *const E, to: &mut [E::Accumulator]) {
        let &Line { origin, step, begin, end, length } = line;
        let (stride, width) = (self.input.strides()[4], self.input.shape()[4]);
        let zeros = self.mode == PaddingMode::Zeros;
        debug_assert!(to.len() >= length + S::LANES);
        // SAFETY: vectors written begin below `length`; what is read lies between `begin` and `end`, inside the row.
        unsafe {
            let out = to.as_mut_ptr();
            let mut column = 0;
            while zeros && column < begin {
                simd.store(out.add(column), simd.zero());
                column += S::LANES;
            }
            let first = from.offset((origin + (begin * step) as isize) * stride * isize::from(begin < end));
            let count = end - begin;
            column = begin;
            if E::IN_PLACE && stride == 1 && step == 1 {
                let first = first.cast::<E::Accumulator>();
                while column + S::LANES <= end {
                    simd.store(out.add(column), simd.load(first.add(column - begin)));
                    column += S::LANES;
                }
                if column < end {
                    simd.store(out.add(column), simd.load_some(first.add(column - begin), end - column));
                    column += S::LANES;
                }
            } else {
                let inside = &mut to[begin..end];
                match stride * step as isize {
                    1 => E::widen_run(std::slice::from_raw_parts(first, count), inside),
                    2 => every::<E, 2>(first, inside),
                    3 => every::<E, 3>(first, inside),
                    4 => every::<E, 4>(first, inside),
                    apart => {
                        for (position, to) in inside.iter_mut().enumerate() {
                            *to = (*first.offset(position as isize * apart)).widen();
                        }
                    }
                }
                column = end;
            }
            let out = to.as_mut_ptr();
            while zeros && column < length {
                simd.store(out.add(column), simd.zero());
                column += S::LANES;
            }
            if !zeros {
                for column in (0..begin).chain(end..length) {
                    let source = self.mode.source(origin + (column * step) as isize, width);
                    let source = source.expect("only zeros come from nowhere");
                    *out.add(column) = (*from.offset(source as isize * stride)).widen();
                }
            }
        }
    }
}

/// Where the columns of one residue lie in a row of the input: those from `begin` to `end` inside it.
#[derive(Clone, Copy)]
struct Line {
    origin: isize,
    step: usize,
    begin: usize,
    end: usize,
    length: usize,
}

/// Every `STEP`th element: known steps become shuffles.
///
/// # Safety
/// The elements can be read.
#[inline(always)]
unsafe fn every<E: Element, const STEP: usize>(from: *const E, to: &mut [E::Accumulator]) {
    for (position, to) in to.iter_mut().enumerate() {
        // SAFETY: by the contract of this function.
        *to = unsafe { *from.add(position * STEP) }.widen();
    }
}
