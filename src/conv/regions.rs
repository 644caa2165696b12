//! A tile cut into regions of pixels that read the same taps inside the input. Taps in the padding would multiply zeros.

use std::ops::Range;

use super::pack::Chunk;
use super::patch::Tile;
use crate::shape::AxisPass;

/// Pixels that a region has at least, along one axis with all of the axes behind it: about as many as fit the registers.
const LEAST_PIXELS: usize = 6;

/// Some outputs of a tile, and the taps that they read.
#[derive(Debug, Clone)]
pub(super) struct Region {
    /// Counted within the tile, which begins at output 0.
    pub outputs: [Range<usize>; 3],
    pub taps: [Range<usize>; 3],
}

/// Neighbouring taps that take part, behind some that do not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub skipped: usize,
    pub taps: usize,
}

impl Region {
    /// The whole tile with all taps.
    pub fn whole(axes: &[AxisPass; 3], tile: &Tile) -> Self {
        Region { outputs: tile.size.map(|size| 0..size), taps: axes.each_ref().map(|axis| 0..axis.taps) }
    }

    /// The regions of a tile, in the order in which its pixels are multiplied.
    pub fn of(axes: &[AxisPass; 3], tile: &Tile, input: [usize; 3]) -> Vec<Self> {
        if (0..3).all(|axis| axes[axis].is_inside(tile.start[axis]..tile.start[axis] + tile.size[axis], input[axis])) {
            return vec![Region::whole(axes, tile)];
        }
        let mut behind = 1;
        let mut runs: [Vec<_>; 3] = Default::default();
        for axis in (0..3).rev() {
            let outputs = tile.start[axis]..tile.start[axis] + tile.size[axis];
            runs[axis] = axes[axis].runs_inside(outputs, input[axis], LEAST_PIXELS.div_ceil(behind));
            behind *= tile.size[axis];
        }
        let mut regions = Vec::with_capacity(runs.iter().map(Vec::len).product());
        for z in &runs[0] {
            for y in &runs[1] {
                for x in &runs[2] {
                    let within =
                        |axis: usize, outputs: &Range<usize>| outputs.start - tile.start[axis]..outputs.end - tile.start[axis];
                    regions.push(Region {
                        outputs: [within(0, &z.0), within(1, &y.0), within(2, &x.0)],
                        taps: [z.1.clone(), y.1.clone(), x.1.clone()],
                    });
                }
            }
        }
        regions
    }

    /// Whether every pixel of the region reads all its taps inside the input, and so nothing of the padding.
    pub fn is_inside(&self, axes: &[AxisPass; 3], tile: &Tile, input: [usize; 3]) -> bool {
        (0..3).all(|axis| {
            let outputs = tile.start[axis] + self.outputs[axis].start..tile.start[axis] + self.outputs[axis].end;
            let ends = [outputs.start, outputs.end - 1];
            ends.iter().all(|&end| axes[axis].taps_inside(end..end + 1, input[axis]) == self.taps[axis])
        })
    }

    /// Every `step`-th pixel of every row of so many images.
    #[inline(always)]
    pub fn each_place(&self, images: usize, step: usize, mut place: impl FnMut([usize; 3], usize)) {
        let [depth, height, width] = self.outputs.clone();
        for image in 0..images {
            for z in depth.clone() {
                for y in height.clone() {
                    for x in width.clone().step_by(step) {
                        place([image, z, y], x);
                    }
                }
            }
        }
    }

    /// How many those are.
    pub fn places(&self, images: usize, step: usize) -> usize {
        let [depth, height, width] = self.outputs.each_ref().map(Range::len);
        images * depth * height * width.div_ceil(step)
    }

    /// Which taps of a chunk the region reads, if not all.
    pub fn runs(&self, chunk: &Chunk) -> Option<Runs> {
        let counts @ [depth, height, width] = chunk.tap_counts();
        let inside: [Range<usize>; 3] = std::array::from_fn(|axis| {
            let (start, end) = chunk.taps[axis];
            let first = self.taps[axis].start.clamp(start, end);
            first - start..self.taps[axis].end.clamp(first, end) - start
        });
        if inside == counts.map(|count| 0..count) {
            return None;
        }
        let (mut list, mut next) = (Vec::<Run>::new(), 0);
        for z in inside[0].clone() {
            for y in inside[1].clone() {
                let first = (z * height + y) * width + inside[2].start;
                match list.last_mut() {
                    Some(run) if first == next => run.taps += inside[2].len(),
                    _ => list.push(Run { skipped: first - next, taps: inside[2].len() }),
                }
                next = first + inside[2].len();
            }
        }
        list.push(Run { skipped: depth * height * width - next, taps: 0 });
        Some(Runs { channels: chunk.channel_count(), list })
    }
}

/// The taps of a chunk that take part.
pub(super) struct Runs {
    /// The list is that of each of so many input channels.
    pub channels: usize,
    pub list: Vec<Run>,
}
