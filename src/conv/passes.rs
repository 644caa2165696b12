//! The passes of a convolution, and how they are cut into tasks.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::buffers::Sizes;
use super::plan::{Algorithm, DIRECT_PIECE, DIRECT_PIXELS, PANEL_BYTES, Plan, extents, patch_room, plan, plan_blocks};
use crate::array::{Accumulator, CALL_BYTES, Element, View};
use crate::error::Error;
use crate::parallel::{for_each_chunk, num_threads};
use crate::shape::{AxisPass, ConvShape};

/// Passes written together at most: their pieces must not become smaller than what the registers hold.
const MOST_TOGETHER: usize = 16;

/// What becomes of the taps that read outside the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// They read what the padding holds.
    Padding,
    /// There is no padding that they could read (a transposed convolution), but zeros serve as well; where there are many such
    /// taps they are cut away.
    Clipped,
    /// They take no part at all: zero times an infinite weight must not become NaN.
    Dropped,
}

impl Outside {
    /// For weights of which is known whether they are finite.
    pub fn of(shape: &ConvShape, finite: bool) -> Self {
        // No pass has more taps than the first.
        let long = |axis: usize| shape.axis_pass(axis, 0).taps > shape.input[axis];
        match shape.transposed {
            true if !finite => Outside::Dropped,
            true if (0..3).any(long) => Outside::Clipped,
            _ => Outside::Padding,
        }
    }
}

/// All passes of a convolution. They share one plan, made for the largest, and are counted rather than listed: a transposed
/// convolution has a pass for every combination of its axes' phases.
pub(super) struct Passes {
    pub shape: ConvShape,
    pub outside: Outside,
    counts: [usize; 3],
    /// Along each axis the most outputs and the most taps.
    pub largest: [AxisPass; 3],
    pub plan: Plan,
    /// What one copy of the input serves, if every task computes all passes of its tile: the inputs of all of them.
    pub shared: Option<[AxisPass; 3]>,
    /// Passes written together: the phases along the width, whose outputs lie side by side.
    pub together: usize,
    /// Images of a tile: several where one has few pixels.
    pub images: usize,
    /// Tiles of the largest pass; a smaller one may have no output in the last.
    pub tiles: [usize; 3],
    /// Blocks of output channels that share one copy of the input, and how many such splits there are.
    pub blocks_per_split: usize,
    pub splits: usize,
    /// Tasks of one pass, or of all where they are shared.
    pub tasks_per_pass: usize,
    /// Bytes of the packed weights of a split, if a call packs them before it runs its tasks, since each thread would pack them more
    /// than once. Otherwise they are packed already, or a task packs a block just before it needs it: it then lies in the L2 cache.
    pub packed_ahead: Option<usize>,
    /// Whether each task packs a block for all passes.
    pub packs_phases: bool,
    pub buffers: Sizes,
}

impl Passes {
    /// `packed` says that the weights are; they are only with [`Outside::Padding`].
    pub fn new(shape: &ConvShape, lanes: usize, size: usize, outside: Outside, packed: bool) -> Self {
        let counts = std::array::from_fn(|axis| shape.passes(axis));
        let all = |axis: usize| (0..counts[axis]).map(move |pass| shape.axis_pass(axis, pass));
        let mut largest: [AxisPass; 3] = std::array::from_fn(|axis| largest(all(axis)));
        if outside != Outside::Padding {
            // Tiles as long as the input: longer ones would have more taps outside it.
            for (axis, largest) in largest.iter_mut().enumerate() {
                let outputs = longest_tile(shape, axis, lanes);
                largest.taps = largest.taps.min((outputs + shape.input[axis]) / largest.tap_step + 1);
            }
        }
        let mut plan = match outside {
            Outside::Padding => plan(shape, &largest, lanes, size),
            Outside::Clipped | Outside::Dropped => plan_blocks(shape, &largest, lanes, size),
        };
        if outside != Outside::Padding {
            plan.tile = std::array::from_fn(|axis| plan.tile[axis].min(longest_tile(shape, axis, lanes)));
        }
        let tiles: [usize; 3] = std::array::from_fn(|axis| largest[axis].outputs.div_ceil(plan.tile[axis]));
        let blocks = shape.out_channels.div_ceil(plan.block);
        let count: usize = counts.iter().product();
        let taps: usize = largest.iter().map(|axis| axis.taps).product();
        let panels = taps.saturating_mul(shape.in_channels * plan.block * size).saturating_mul(count).max(1);
        let union = std::array::from_fn(|axis| union(all(axis).filter(|pass| pass.outputs > 0), count == 1));
        let shared = (outside == Outside::Padding
            && plan.algorithm != Algorithm::Rows
            && plan.chunk_taps == largest.map(|axis| axis.taps)
            && (packed || count == 1 || panels <= PANEL_BYTES)
            && (count == 1 || extents(&plan, &union, plan.tile, union.map(|axis| axis.taps)) <= patch_room(lanes, size)))
        .then_some(union);
        let staged = shared.unwrap_or(largest);
        // Elements of a channel of what is brought in, where all taps are.
        let channel = |plan: &Plan| extents(plan, &staged, plan.tile, staged.map(|axis| axis.taps)).max(1);
        if count > 1 && shared.is_some() {
            plan.chunk_channels = plan.chunk_channels.min((patch_room(lanes, size) / channel(&plan)).max(1));
        }
        let direct = plan.algorithm == Algorithm::Direct && shared.is_some();
        // Outputs that lie side by side are worth it where a sum has few taps, which are one chunk.
        let adjacent = counts[2] == largest[2].output_step && counts[2] <= MOST_TOGETHER;
        let together = if direct && adjacent && plan.chunk_channels >= shape.in_channels { counts[2] } else { 1 };
        if direct {
            plan.piece = DIRECT_PIECE / together;
        }
        let mut images = 1;
        if direct && tiles == [1; 3] && shape.batch > 1 {
            let pixels: usize = plan.tile.iter().product();
            let most = (DIRECT_PIXELS / pixels).min(patch_room(lanes, size) / (channel(&plan) * plan.chunk_channels));
            // All tiles of about as many.
            images = shape.batch.div_ceil(shape.batch.div_ceil(most.max(1)));
        }
        let uses = shape.batch.div_ceil(images) * tiles.iter().product::<usize>();
        let ahead = !packed && shared.is_some() && panels <= CALL_BYTES && uses > num_threads();
        let most_blocks = if ahead { CALL_BYTES / panels } else { blocks };
        let units = shape.groups * uses;
        let splits = splits(blocks, most_blocks, if shared.is_some() { units } else { units * count });
        let blocks_per_split = blocks.div_ceil(splits);
        let splits = blocks.div_ceil(blocks_per_split);
        let packs_phases = !packed && !ahead && shared.is_some() && count > 1;
        let panel = match (packed || ahead, packs_phases) {
            (true, _) => 0,
            (_, true) => panels / size,
            _ => plan.block * plan.chunk_len().min(taps * shape.in_channels),
        };
        let buffers = Sizes::of(shape, &largest, &staged, &plan, panel, (images, together));
        let tasks_per_pass = units * splits;
        let packed_ahead = ahead.then_some(panels * blocks_per_split);
        Passes {
            shape: shape.clone(),
            outside,
            counts,
            largest,
            plan,
            shared,
            together,
            images,
            tiles,
            blocks_per_split,
            splits,
            tasks_per_pass,
            packed_ahead,
            packs_phases,
            buffers,
        }
    }

    pub fn count(&self) -> usize {
        self.counts.iter().product()
    }

    pub fn tasks(&self) -> usize {
        if self.shared.is_some() { self.tasks_per_pass } else { self.count() * self.tasks_per_pass }
    }

    /// The passes of a task, and its number among those of the same passes.
    pub fn of_task(&self, task: usize) -> (Range<usize>, usize) {
        if self.shared.is_some() {
            return (0..self.count(), task);
        }
        let pass = task / self.tasks_per_pass;
        (pass..pass + 1, task % self.tasks_per_pass)
    }

    pub fn all(&self) -> Vec<[AxisPass; 3]> {
        (0..self.count()).map(|pass| self.pass(pass)).collect()
    }

    pub fn pass(&self, index: usize) -> [AxisPass; 3] {
        let [_, heights, widths] = self.counts;
        let at = [index / (heights * widths), index / widths % heights, index % widths];
        std::array::from_fn(|axis| self.shape.axis_pass(axis, at[axis]))
    }
}

/// Outputs of a tile where taps outside the input are cut away.
fn longest_tile(shape: &ConvShape, axis: usize, lanes: usize) -> usize {
    if axis == 2 { shape.input[axis].max(lanes) } else { shape.input[axis].max(1) }
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

/// A pass whose taps read everything that neighbouring outputs of any of `passes` read, without gaps between its taps; the pass
/// itself if it is the `only` one.
fn union(mut passes: impl Iterator<Item = AxisPass>, only: bool) -> AxisPass {
    let Some(first) = passes.next() else { return AxisPass::plain(0, 0, 1, 1, 0) };
    if only {
        return first;
    }
    let reach = |pass: &AxisPass| pass.input_start + (pass.extent(1, pass.taps) as isize - 1);
    let (mut start, mut end, mut outputs) = (first.input_start, reach(&first), first.outputs);
    for pass in passes {
        (start, end) = (start.min(pass.input_start), end.max(reach(&pass)));
        outputs = outputs.max(pass.outputs);
    }
    AxisPass { outputs, input_start: start, taps: (end - start + 1) as usize, tap_step: 1, ..first }
}

/// Whether an array holds neither infinities nor NaN.
pub(super) fn all_finite<E: Element>(array: &View<'_, E>) -> Result<bool, Error> {
    /// Elements looked at between two questions for Ctrl-C.
    const PIECE: usize = 1 << 14;
    let finite = AtomicBool::new(true);
    let all = |slice: &[E]| slice.iter().fold(true, |all, value| all & value.widen().is_finite());
    if let Some(slice) = array.as_slice() {
        for_each_chunk(slice.len().div_ceil(PIECE), PIECE / 4, |pieces, progress| {
            for piece in pieces {
                if progress.cancelled() || !finite.load(Ordering::Relaxed) {
                    return;
                }
                finite.fetch_and(all(&slice[piece * PIECE..slice.len().min((piece + 1) * PIECE)]), Ordering::Relaxed);
            }
        })?;
        return Ok(finite.into_inner());
    }
    let [a, b, c, d, count] = array.shape();
    for_each_chunk(a * b * c * d, count, |rows, progress| {
        for row in rows {
            let run = array.run([row / (b * c * d), row / (c * d) % b, row / d % c, row % d, 0], count);
            for position in 0..count {
                if position % PIECE == 0 && (progress.cancelled() || !finite.load(Ordering::Relaxed)) {
                    return;
                }
                finite.fetch_and(run.at(position).widen().is_finite(), Ordering::Relaxed);
            }
        }
    })?;
    Ok(finite.into_inner())
}
