//! The passes of a convolution, and how they are cut into tasks.

use super::buffers::Sizes;
use super::plan::{PANEL_BYTES, Plan, plan};
use crate::array::{Element, View};
use crate::parallel::num_threads;
use crate::shape::{AxisPass, ConvShape};

/// All passes of a convolution. They share one plan, made for the largest, and are counted rather than listed: a transposed
/// convolution has a pass for every combination of its axes' phases.
pub(super) struct Passes<'a> {
    pub shape: &'a ConvShape,
    /// Along each axis the passes without taps outside the input, where such taps must not take part.
    bare: Option<[Vec<AxisPass>; 3]>,
    counts: [usize; 3],
    /// Along each axis the most outputs and the most taps.
    pub largest: [AxisPass; 3],
    pub plan: Plan,
    /// Tiles of the largest pass; a smaller one may have no output in the last.
    pub tiles: [usize; 3],
    /// Blocks of output channels that share one copy of the input, and how many such splits there are.
    pub blocks_per_split: usize,
    pub splits: usize,
    pub tasks_per_pass: usize,
    pub buffers: Sizes,
}

impl<'a> Passes<'a> {
    /// With `bare`, no tap outside the input takes part, not even as a zero. `packed` says that the weights are.
    pub fn new(shape: &'a ConvShape, lanes: usize, size: usize, bare: bool, packed: bool) -> Self {
        let whole = |axis: usize| (0..shape.passes(axis)).map(move |pass| shape.axis_pass(axis, pass));
        let bare: Option<[Vec<AxisPass>; 3]> = bare
            .then(|| std::array::from_fn(|axis| whole(axis).flat_map(|pass| pass.without_padding(shape.input[axis])).collect()));
        let largest = std::array::from_fn(|axis| match &bare {
            Some(lists) => largest(lists[axis].iter().copied()),
            None => largest(whole(axis)),
        });
        let counts: [usize; 3] = std::array::from_fn(|axis| bare.as_ref().map_or(shape.passes(axis), |lists| lists[axis].len()));
        let plan = plan(shape, &largest, lanes, size);
        let tiles: [usize; 3] = std::array::from_fn(|axis| largest[axis].outputs.div_ceil(plan.tile[axis]));
        let blocks = shape.out_channels.div_ceil(plan.block);
        let units = shape.groups * shape.batch * tiles.iter().product::<usize>();
        let panel = plan.chunk_len().saturating_mul(plan.block * size).max(1);
        let most_blocks = if packed { blocks } else { (PANEL_BYTES / panel).max(1) };
        let splits = splits(blocks, most_blocks, units * counts.iter().product::<usize>());
        let blocks_per_split = blocks.div_ceil(splits);
        let splits = blocks.div_ceil(blocks_per_split);
        let buffers = Sizes::of(shape, &largest, &plan, if packed { 0 } else { blocks_per_split });
        Passes { shape, bare, counts, largest, plan, tiles, blocks_per_split, splits, tasks_per_pass: units * splits, buffers }
    }

    pub fn count(&self) -> usize {
        self.counts.iter().product()
    }

    pub fn pass(&self, index: usize) -> [AxisPass; 3] {
        let [_, heights, widths] = self.counts;
        let at = [index / (heights * widths), index / widths % heights, index % widths];
        std::array::from_fn(|axis| match &self.bare {
            Some(lists) => lists[axis][at[axis]],
            None => self.shape.axis_pass(axis, at[axis]),
        })
    }
}

/// Into how many tasks the blocks of one tile are split: as few as fit the panel, more where threads would have nothing to do.
/// Each split brings in the input anew.
fn splits(blocks: usize, most_blocks: usize, units: usize) -> usize {
    let threads = num_threads();
    let least = blocks.div_ceil(most_blocks).max(1);
    let balanced = |splits: usize| {
        let tasks = units * blocks.div_ceil(blocks.div_ceil(splits));
        tasks.is_multiple_of(threads) || tasks >= 8 * threads
    };
    (least..=blocks.min(least + threads)).find(|&splits| balanced(splits)).unwrap_or(least)
}

/// A pass with the most outputs and the most taps of `passes`.
fn largest(passes: impl Iterator<Item = AxisPass>) -> AxisPass {
    passes.fold(AxisPass::plain(0, 0, 1, 1, 0), |largest, pass| AxisPass {
        outputs: pass.outputs.max(largest.outputs),
        taps: pass.taps.max(largest.taps),
        ..pass
    })
}

/// Whether an array holds neither infinities nor NaN.
pub(super) fn all_finite<E: Element>(array: &View<'_, E>) -> bool {
    let [a, b, c, d, count] = array.shape();
    (0..a * b * c * d).all(|row| {
        let run = array.run([row / (b * c * d), row / (c * d) % b, row / d % c, row % d, 0], count);
        (0..count).all(|position| crate::array::Accumulator::is_finite(run.at(position).widen()))
    })
}
