//! What one task computes, and where its outputs lie.

use std::ops::Range;

use super::patch::Tile;
use super::regions::Region;
use crate::shape::{AxisPass, RANK};

/// Some blocks of output channels of one tile, of one image or several.
pub(super) struct Task {
    pub group: usize,
    /// First output channels of the blocks.
    pub firsts: Range<usize>,
    /// The first image, and how many.
    pub images: (usize, usize),
    pub tile: Tile,
}

impl Task {
    /// The same blocks and images of another tile.
    pub fn of_tile(&self, tile: Tile) -> Self {
        Task { tile, firsts: self.firsts.clone(), ..*self }
    }
}

/// Passes whose outputs are written together: they differ along the width alone.
pub(super) struct Together<'a> {
    /// The number of the first.
    pub first: usize,
    pub axes: &'a [[AxisPass; 3]],
}

impl Together<'_> {
    /// The passes that have outputs, with their numbers among those written together.
    pub fn members(&self) -> impl Iterator<Item = (usize, &[AxisPass; 3])> {
        self.axes.iter().enumerate().filter(|(_, axes)| axes[2].outputs > 0)
    }

    /// How many passes' outputs come before those of one of them along the width.
    pub fn rank(&self, member: usize) -> usize {
        let start = |axes: &[AxisPass; 3]| axes[2].output_start;
        self.axes.iter().filter(|other| start(other) < start(&self.axes[member])).count()
    }

    /// Offsets of the pixels of a task, or of the first of every `step` of them, in an array of the output's shape, counted from the
    /// first element of a channel of the first image; `nowhere` for a pixel that one of the passes has not. Those of all passes
    /// lie side by side.
    pub fn places(
        &self,
        task: &Task,
        (regions, step): (&[Region], usize),
        strides: [isize; RANK],
        nowhere: isize,
        places: &mut [isize],
    ) {
        for (member, axes) in self.axes.iter().enumerate() {
            let at = |axis: usize, offset: usize| {
                (axes[axis].output_start + (task.tile.start[axis] + offset) * axes[axis].output_step) as isize * strides[2 + axis]
            };
            let mut next = self.rank(member);
            for region in regions {
                region.each_place(task.images.1, step, |[image, z, y], x| {
                    let exists = task.tile.start[2] + x < axes[2].outputs;
                    let place = image as isize * strides[0] + at(0, z) + at(1, y) + at(2, x);
                    places[next] = if exists { place } else { nowhere };
                    next += self.axes.len();
                });
            }
        }
    }
}
