//! The maximum of a window together with where it stands, in torch's order: the first of equals, the last NaN. Here are the
//! windows that do not slide or spread too far, one by one.

use crate::array::{Ordered, SharedOutput, View, ViewMut};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window};
use crate::simd::Isa;

use super::places::Places;
use super::tiling::{Tile, Tiling};

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
    let (output, indices) = (SharedOutput::new(output), SharedOutput::new(indices));
    if let Some(places) = Places::new(shape) {
        return places.run(isa, input, output, indices);
    }
    let tiling = Tiling::new(shape);
    for_each_chunk(tiling.tasks, tiling.work, |tasks, progress| {
        Tasks { shape, tiling: &tiling, tasks, progress, input, output, indices }.run();
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
}

struct Row {
    image: usize,
    channel: usize,
    at: [usize; 2],
    depth: Window,
    height: Window,
}

impl<E: Ordered> Tasks<'_, E> {
    fn run(self) {
        for Tile { plane, start, end } in self.tiling.tiles(self.tasks.clone()) {
            let (image, channel) = (plane / self.shape.channels, plane % self.shape.channels);
            let windows = self.shape.windows(plane);
            for z in start[0]..end[0] {
                let depth = windows[0].window(z);
                for y in start[1]..end[1] {
                    if self.progress.cancelled() {
                        return;
                    }
                    let row = Row { image, channel, at: [z, y], depth, height: windows[1].window(y) };
                    for x in start[2]..end[2] {
                        self.one(&row, x, &windows[2].window(x));
                    }
                }
            }
        }
    }

    /// Flat index in the plane.
    #[inline(always)]
    fn flat(&self, depth: usize, height: usize, width: usize) -> usize {
        (depth * self.shape.input[1] + height) * self.shape.input[2] + width
    }

    /// One output.
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
}
