//! How a pool is cut into tasks: one tile of the output of one plane each.

use crate::shape::PoolShape;

/// Outputs of a tile, about: enough to hide what a task costs.
const OUTPUTS: usize = 8192;

/// The tiles of every plane.
pub(super) struct Tiling {
    channels: usize,
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
    pub image: usize,
    pub channel: usize,
    pub start: [usize; 3],
    pub end: [usize; 3],
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
            channels: shape.channels,
            output: shape.output,
            tile,
            tiles,
            tasks: shape.batch * shape.channels * tiles.iter().product::<usize>(),
            work: taps.saturating_mul(tile.iter().product()),
        }
    }

    #[inline(always)]
    pub fn tile(&self, task: usize) -> Tile {
        let [depth, height, width] = self.tiles;
        let plane = task / (depth * height * width);
        let at = [task / (height * width) % depth, task / width % height, task % width];
        let start: [usize; 3] = std::array::from_fn(|axis| at[axis] * self.tile[axis]);
        let end = std::array::from_fn(|axis| (start[axis] + self.tile[axis]).min(self.output[axis]));
        Tile { image: plane / self.channels, channel: plane % self.channels, start, end }
    }
}
