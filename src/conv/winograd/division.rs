//! How the grid of tiles and the blocks of output channels are divided among tasks.

use std::ops::Range;

use super::form::Form;
use super::plan::WinogradPlan;
use crate::parallel::num_threads;
use crate::shape::ConvShape;

/// What one task computes.
pub(super) struct Task {
    pub group: usize,
    /// Blocks of output channels.
    pub blocks: Range<usize>,
    pub image: usize,
    /// Bundles of tiles along depth, height, width: see [`Form`].
    pub bundles: [Range<usize>; 3],
}

pub(super) struct Division {
    batch: usize,
    groups: usize,
    grid: [usize; 3],
    /// Runs of bundles along each axis.
    parts: [usize; 3],
    blocks: usize,
    /// Runs of blocks; each brings in the input anew.
    splits: usize,
}

impl Division {
    /// As few tasks as the plan allows, or a few more where threads would have nothing to do. Neither changes a result.
    pub fn new(shape: &ConvShape, plan: &WinogradPlan) -> Self {
        let grid = Form::of(shape).grid(shape.output);
        let fewest = Division {
            batch: shape.batch,
            groups: shape.groups,
            grid,
            parts: std::array::from_fn(|axis| grid[axis].div_ceil(plan.bundles[axis])),
            blocks: shape.out_channels.div_ceil(plan.block),
            splits: 1,
        };
        let threads = num_threads();
        let balanced = |division: &Division| {
            let tasks = division.tasks();
            tasks.is_multiple_of(threads) || tasks >= 8 * threads
        };
        let split = (1..=fewest.blocks.min(threads)).map(|splits| Division { splits, ..fewest });
        let cut = |axis: usize| {
            let most = fewest.grid[axis].min(fewest.parts[axis] + threads);
            (fewest.parts[axis]..=most).map(move |count| (axis, count))
        };
        let cut = [1, 2, 0].into_iter().flat_map(cut).map(|(axis, count)| {
            let mut parts = fewest.parts;
            parts[axis] = count;
            Division { parts, ..fewest }
        });
        // Where one task holds all tiles, its weights are the larger part.
        let whole = fewest.parts == [1; 3];
        let better = if whole { split.chain(cut).find(balanced) } else { cut.chain(split).find(balanced) };
        better.unwrap_or(Division { ..fewest })
    }

    pub fn tasks(&self) -> usize {
        self.groups * self.splits * self.batch * self.parts.iter().product::<usize>()
    }

    /// Bundles of the largest task along each axis.
    pub fn largest(&self) -> [usize; 3] {
        std::array::from_fn(|axis| self.grid[axis].div_ceil(self.parts[axis]))
    }

    /// Neighbouring tasks share their weights.
    pub fn task(&self, index: usize) -> Task {
        let parts: usize = self.parts.iter().product();
        let (channels, rest) = (index / (self.batch * parts), index % (self.batch * parts));
        let (image, part) = (rest / parts, rest % parts);
        let at = [part / (self.parts[1] * self.parts[2]), part / self.parts[2] % self.parts[1], part % self.parts[2]];
        Task {
            group: channels / self.splits,
            blocks: even_run(self.blocks, self.splits, channels % self.splits),
            image,
            bundles: std::array::from_fn(|axis| even_run(self.grid[axis], self.parts[axis], at[axis])),
        }
    }
}

/// One of `parts` even runs of `0..count`.
pub(super) fn even_run(count: usize, parts: usize, part: usize) -> Range<usize> {
    part * count / parts..(part + 1) * count / parts
}
