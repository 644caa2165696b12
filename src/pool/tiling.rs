//! How a pool is cut into tasks: one tile of the output of one plane each.

use std::ops::Range;

use crate::shape::PoolShape;

/// Outputs of a tile, about: enough to hide what a task costs.
const OUTPUTS: usize = 8192;

/// What a task costs beside its elements, in elements.
const TASK_WORK: usize = 200;

/// The tiles of every plane.
pub(super) struct Tiling {
    output: [usize; 3],
    tile: [usize; 3],
    tiles: [usize; 3],
    /// Number of tasks.
    pub tasks: usize,
    /// Elements read for one task, about.
    pub work: usize,
}

/// One task.
pub(super) struct Tile {
    /// Counted over batch and channels.
    pub plane: usize,
    pub start: [usize; 3],
    pub end: [usize; 3],
}

/// Outputs of a tile that are computed together: as many as scratch memory near the core has room for.
pub(super) struct Block {
    pub image: usize,
    pub channel: usize,
    pub z: usize,
    pub height: Range<usize>,
    pub width: Range<usize>,
}

impl Tiling {
    pub fn new(shape: &PoolShape) -> Self {
        let mut tile = [1; 3];
        let mut left = OUTPUTS;
        for axis in (0..3).rev() {
            tile[axis] = shape.output[axis].min(left).max(1);
            left /= tile[axis];
        }
        let tiles: [usize; 3] = std::array::from_fn(|axis| shape.output[axis].div_ceil(tile[axis]));
        let taps = shape.windows(0).iter().fold(1usize, |taps, axis| taps.saturating_mul(axis.most_taps()));
        Tiling {
            output: shape.output,
            tile,
            tiles,
            tasks: shape.batch * shape.channels * tiles.iter().product::<usize>(),
            work: taps.saturating_mul(tile.iter().product()).saturating_add(TASK_WORK),
        }
    }

    /// The tiles of some neighbouring tasks.
    #[inline(always)]
    pub fn tiles(&self, tasks: Range<usize>) -> impl Iterator<Item = Tile> {
        let [depth, height, width] = self.tiles;
        let mut plane = tasks.start / (depth * height * width);
        let mut at = [tasks.start / (height * width) % depth, tasks.start / width % height, tasks.start % width];
        tasks.map(move |_| {
            let start: [usize; 3] = std::array::from_fn(|axis| at[axis] * self.tile[axis]);
            let end = std::array::from_fn(|axis| (start[axis] + self.tile[axis]).min(self.output[axis]));
            let tile = Tile { plane, start, end };
            for axis in (0..3).rev() {
                at[axis] += 1;
                if at[axis] < self.tiles[axis] {
                    return tile;
                }
                at[axis] = 0;
            }
            plane += 1;
            tile
        })
    }
}
