//! The maximum of a window together with where it stands, in torch's order: the first of equals, the last NaN. Taps are
//! taken one by one in the order of the plane, each for a whole row of outputs.

use crate::array::{Ordered, SharedOutput, View, ViewMut, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};
use crate::simd::{Body, Isa, vectorised};

use super::tiling::{Tile, Tiling};

/// Outputs of a row that are computed at once.
const WIDTH: usize = 1024;

/// Max-pools `input` into `output`, and writes for every output the winner's index, flat in its plane, into `indices`.
pub fn run_with_indices<E: Ordered>(
    isa: Isa,
    shape: &PoolShape,
    input: &View<'_, E>,
    output: &mut ViewMut<'_, E>,
    indices: &mut ViewMut<'_, i64>,
) -> Result<(), Error> {
    assert_eq!(input.shape(), [shape.batch, shape.channels, shape.input[0], shape.input[1], shape.input[2]]);
    assert_eq!(output.shape(), shape.output_shape());
    assert_eq!(indices.shape(), shape.output_shape());
    if shape.output_shape().contains(&0) {
        return Ok(());
    }
    let tiling = Tiling::new(shape);
    let (output, indices) = (SharedOutput::new(output), SharedOutput::new(indices));
    for_each_chunk(tiling.tasks, tiling.work, |tasks, progress| {
        with_scratch(WIDTH * (size_of::<E::Key>() + size_of::<u32>()), |scratch| {
            let (best, winners) = (scratch.cut(WIDTH), scratch.cut(WIDTH));
            vectorised(isa, Tasks { shape, tiling: &tiling, tasks, progress, input, output, indices, best, winners });
        });
    })
}

struct Tasks<'a, E: Ordered> {
    shape: &'a PoolShape<'a>,
    tiling: &'a Tiling,
    tasks: std::ops::Range<usize>,
    progress: &'a Progress<'a>,
    input: &'a View<'a, E>,
    output: SharedOutput<'a, E>,
    indices: SharedOutput<'a, i64>,
    best: &'a mut [E::Key],
    /// The winning tap's distance, in the plane, from the first tap of its window.
    winners: &'a mut [u32],
}

struct Row {
    image: usize,
    channel: usize,
    at: [usize; 2],
    depth: Window,
    height: Window,
}

impl<E: Ordered> Body for Tasks<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        for Tile { plane, start, end } in self.tiling.tiles(self.tasks.clone()) {
            if self.progress.cancelled() {
                return;
            }
            let (image, channel) = (plane / self.shape.channels, plane % self.shape.channels);
            let windows = self.shape.windows(plane);
            let interior = windows[2].interior();
            let interior = interior.start.clamp(start[2], end[2])..interior.end.clamp(start[2], end[2]);
            for z in start[0]..end[0] {
                let depth = windows[0].window(z);
                for y in start[1]..end[1] {
                    let row = Row { image, channel, at: [z, y], depth, height: windows[1].window(y) };
                    let near =
                        !interior.is_empty() && self.farthest_tap(&row, &windows[2].window(interior.start)) <= u32::MAX as usize;
                    let vectors = if near { interior.clone() } else { start[2]..start[2] };
                    for x in (start[2]..vectors.start).chain(vectors.end..end[2]) {
                        self.one(&row, x, &windows[2].window(x));
                    }
                    for first in vectors.clone().step_by(WIDTH) {
                        let count = WIDTH.min(vectors.end - first);
                        match (windows[2].stride(), self.input.strides()[4]) {
                            (1, 1) => self.many::<1>(&row, first, count, 1, &windows[2]),
                            (2, 1) => self.many::<2>(&row, first, count, 2, &windows[2]),
                            (stride, _) => self.many::<0>(&row, first, count, stride, &windows[2]),
                        }
                    }
                }
            }
        }
    }
}

impl<E: Ordered> Tasks<'_, E> {
    /// Flat index in the plane.
    #[inline(always)]
    fn flat(&self, depth: usize, height: usize, width: usize) -> usize {
        (depth * self.shape.input[1] + height) * self.shape.input[2] + width
    }

    #[inline(always)]
    fn farthest_tap(&self, row: &Row, width: &Window) -> usize {
        let span = |window: &Window| window.taps.saturating_sub(1) * window.step;
        self.flat(span(&row.depth), span(&row.height), span(width))
    }

    /// One output of a window that may be clipped or far-flung.
    #[inline(always)]
    fn one(&self, row: &Row, x: usize, width: &Window) {
        let mut best = E::LOWEST;
        let mut winner = self.flat(row.depth.first, row.height.first, width.first);
        for z in 0..row.depth.taps {
            let depth = row.depth.first + z * row.depth.step;
            for y in 0..row.height.taps {
                if y % 64 == 63 && self.progress.cancelled() {
                    return;
                }
                let height = row.height.first + y * row.height.step;
                for tap in 0..width.taps {
                    let place = width.first + tap * width.step;
                    let key = self.input.get([row.image, row.channel, depth, height, place]).key();
                    if E::replaces(key, best) {
                        best = key;
                        winner = self.flat(depth, height, place);
                    }
                }
            }
        }
        let index = [row.image, row.channel, row.at[0], row.at[1], x];
        // SAFETY: planes and tiles are disjoint, and each is one task.
        unsafe {
            self.output.write_row(index, 1, 1, |_| E::from_key(best));
            self.indices.write_row(index, 1, 1, |_| winner as i64);
        }
    }

    /// `count` outputs from `first` on whose windows are full, `STRIDE` apart (`stride` where that is 0).
    #[inline(always)]
    fn many<const STRIDE: usize>(&mut self, row: &Row, first: usize, count: usize, stride: usize, windows: &Windows) {
        let stride = if STRIDE == 0 { stride } else { STRIDE };
        let width = windows.window(first);
        self.best[..count].fill(E::LOWEST);
        self.winners[..count].fill(0);
        for z in 0..row.depth.taps {
            for y in 0..row.height.taps {
                let place =
                    [row.image, row.channel, row.depth.first + z * row.depth.step, row.height.first + y * row.height.step];
                for tap in 0..width.taps {
                    // A window may be as large as the input.
                    if tap % 64 == 63 && self.progress.cancelled() {
                        return;
                    }
                    let start = [place[0], place[1], place[2], place[3], width.first + tap * width.step];
                    let run = self.input.run(start, (count - 1) * stride + 1);
                    let winner = self.flat(z * row.depth.step, y * row.height.step, tap * width.step) as u32;
                    let outputs = self.best[..count].iter_mut().zip(&mut self.winners[..count]);
                    if STRIDE == 0 {
                        for (output, (best, index)) in outputs.enumerate() {
                            better::<E>(run.at(output * stride), winner, best, index);
                        }
                    } else if let Some(slice) = run.as_slice() {
                        // SAFETY: the run ends with the last output's element.
                        let element = |output: usize| unsafe { *slice.get_unchecked(output * STRIDE) };
                        for (output, (best, index)) in outputs.enumerate() {
                            better::<E>(element(output), winner, best, index);
                        }
                    }
                }
            }
        }
        let base = self.flat(row.depth.first, row.height.first, width.first);
        let index = [row.image, row.channel, row.at[0], row.at[1], first];
        let (best, winners) = (&self.best[..count], &self.winners[..count]);
        // SAFETY: planes and tiles are disjoint, and each is one task.
        unsafe {
            self.output.write_row(index, 1, count, |output| E::from_key(best[output]));
            self.indices.write_row(index, 1, count, |output| (base + output * stride + winners[output] as usize) as i64);
        }
    }
}

#[inline(always)]
fn better<E: Ordered>(element: E, candidate: u32, best: &mut E::Key, winner: &mut u32) {
    let key = element.key();
    let wins = E::replaces(key, *best);
    *best = if wins { key } else { *best };
    *winner = if wins { candidate } else { *winner };
}
