//! Walks the tasks of a direct convolution, (group, split of the output channels, image, tile): stage, multiply, write.

use std::ops::Range;

use super::buffers::Buffers;
use super::chunks::Chunks;
use super::depthwise::PixelVectors;
use super::direct::Pixels;
use super::epilogue::Epilogue;
use super::pack::{Block, Chunk, pack};
use super::pack_phases::{MOST_ELEMENTS, destinations, pack_phases};
use super::passes::{Outside, Passes};
use super::patch::{Patch, Request, Tile};
use super::plan::{Algorithm, Plan};
use super::weights::Weights;
use super::write::{Layout, NOWHERE, Places, Write};
use crate::array::{Element, SharedOutput, View, with_scratch};
use crate::parallel::Progress;
use crate::shape::{AxisPass, ConvShape, RANK};
use crate::simd::{Isa, Lanes, dispatch};

/// A direct convolution, with its passes cut into tasks.
pub(super) struct Job<'a, E: Element> {
    pub isa: Isa,
    pub shape: &'a ConvShape,
    pub input: &'a View<'a, E>,
    pub weights: Weights<'a, E>,
    pub epilogue: &'a Epilogue<'a, E>,
    pub output: SharedOutput<'a, E>,
    pub passes: &'a Passes<'a>,
}

/// Some blocks of output channels of one tile, of one image or several.
struct Task {
    group: usize,
    /// First output channels of the blocks.
    firsts: Range<usize>,
    /// The first image, and how many.
    images: (usize, usize),
    tile: Tile,
}

impl Task {
    /// Image, depth and height of every row of the tile.
    #[inline(always)]
    fn rows(&self) -> impl Iterator<Item = [usize; 3]> {
        let (images, [depth, height, _]) = (self.images.1, self.tile.size);
        (0..images).flat_map(move |image| (0..depth).flat_map(move |z| (0..height).map(move |y| [image, z, y])))
    }
}

/// Passes whose outputs are written together, and where they are found.
struct Group<'a> {
    /// The number of the first, and its number among the passes of the task.
    first: usize,
    slot: usize,
    axes: &'a [[AxisPass; 3]],
}

impl Group<'_> {
    /// The passes that have outputs, with their numbers in the group.
    fn members(&self) -> impl Iterator<Item = (usize, &[AxisPass; 3])> {
        self.axes.iter().enumerate().filter(|(_, axes)| axes[2].outputs > 0)
    }

    /// How many passes' outputs come before those of one of them along the width.
    fn rank(&self, member: usize) -> usize {
        let start = |axes: &[AxisPass; 3]| axes[2].output_start;
        self.axes.iter().filter(|other| start(other) < start(&self.axes[member])).count()
    }
}

/// Group, first output channel and first pass whose weights lie in the panel.
type Panel = (usize, usize, usize);

/// What the passes of a task share.
struct Stage<T> {
    /// The number of the chunk that is brought in.
    patch: Option<(usize, Patch<T>)>,
    /// Whether the weights must be packed.
    pack: bool,
    /// Whether the last pass had a single chunk.
    only_chunk: bool,
}

impl<T> Stage<T> {
    fn fresh() -> Self {
        Stage { patch: None, pack: true, only_chunk: false }
    }
}

impl<E: Element<Accumulator: Lanes>> Job<'_, E> {
    /// Some of the tasks.
    pub fn tasks(&self, tasks: Range<usize>, progress: &Progress<'_>) {
        with_scratch(self.passes.buffers.bytes::<E::Accumulator>(), |scratch| {
            let mut work = self.passes.buffers.cut(scratch);
            let mut panel = None;
            for task in tasks {
                let (passes, task) = self.passes.of_task(task);
                self.task(passes, &self.located(task), &mut work, &mut panel, progress);
                if progress.cancelled() {
                    return;
                }
            }
        });
    }

    /// Neighbouring tasks share weights: tiles are counted first, then images, splits, groups.
    fn located(&self, task: usize) -> Task {
        let Passes { plan, tiles: counts, splits, blocks_per_split, images, .. } = self.passes;
        let tiles: usize = counts.iter().product();
        let batches = self.shape.batch.div_ceil(*images);
        let (split, rest) = (task / (tiles * batches), task % (tiles * batches));
        let (image, index) = (rest / tiles * images, rest % tiles);
        let channels = plan.block * blocks_per_split;
        let start = split % splits * channels;
        let at = [index / (counts[1] * counts[2]), index / counts[2] % counts[1], index % counts[2]];
        Task {
            group: split / splits,
            firsts: start..(start + channels).min(self.shape.out_channels),
            images: (image, (self.shape.batch - image).min(*images)),
            tile: Tile { start: std::array::from_fn(|axis| at[axis] * plan.tile[axis]), size: plan.tile },
        }
    }

    fn task(
        &self,
        passes: Range<usize>,
        task: &Task,
        work: &mut Buffers<'_, E::Accumulator>,
        packed: &mut Option<Panel>,
        progress: &Progress<'_>,
    ) {
        let key = (task.group, task.firsts.start, passes.start);
        let needed = *packed != Some(key);
        let mut stage = Stage { pack: needed && !self.pack_all_phases(task, work), ..Stage::fresh() };
        let mut keep = true;
        for pass in passes.clone().step_by(self.passes.together) {
            let group: Vec<_> = (pass..pass + self.passes.together).map(|pass| self.passes.pass(pass)).collect();
            let axes = group[0];
            let Tile { start, size } = task.tile;
            let outputs = |axis: usize| group.iter().map(|axes| axes[axis].outputs).max().unwrap_or(0);
            let size: [usize; 3] = std::array::from_fn(|axis| size[axis].min(outputs(axis).saturating_sub(start[axis])));
            if size.contains(&0) {
                // Its weights were not packed, but the next tile may need them, if any does.
                keep &= (0..3).any(|axis| outputs(axis) == 0);
                continue;
            }
            let range = |axis: usize| start[axis]..start[axis] + size[axis];
            let input = self.shape.input;
            let cut = |axes: [AxisPass; 3]| {
                let tile = Tile { start: [0; 3], size: axes.map(|axis| axis.outputs) };
                (axes, Task { tile, firsts: task.firsts.clone(), ..*task })
            };
            match self.passes.outside {
                Outside::Padding => {
                    let task = Task { tile: Tile { start, size }, firsts: task.firsts.clone(), ..*task };
                    let group = Group { first: pass, slot: pass - passes.start, axes: &group };
                    self.blocks(&group, &task, work, &mut stage, progress);
                }
                Outside::Clipped => {
                    let (axes, task) = cut(std::array::from_fn(|axis| axes[axis].clipped(range(axis), input[axis])));
                    let group = Group { first: pass, slot: 0, axes: &[axes] };
                    self.blocks(&group, &task, work, &mut Stage::fresh(), progress);
                }
                Outside::Dropped => {
                    for depth in axes[0].without_padding(range(0), input[0]) {
                        for height in axes[1].without_padding(range(1), input[1]) {
                            for width in axes[2].without_padding(range(2), input[2]) {
                                let (axes, task) = cut([depth, height, width]);
                                let group = Group { first: pass, slot: 0, axes: &[axes] };
                                self.blocks(&group, &task, work, &mut Stage::fresh(), progress);
                            }
                        }
                    }
                }
            }
        }
        let only_chunk = stage.only_chunk && self.passes.outside == Outside::Padding;
        *packed = (only_chunk && keep).then_some(key);
    }

    /// Packs the weights of all passes of a task together, where that is possible; says whether it did.
    fn pack_all_phases(&self, task: &Task, work: &mut Buffers<'_, E::Accumulator>) -> bool {
        let (shape, plan, count) = (self.shape, &self.passes.plan, self.passes.count());
        let Weights::Given(weight) = self.weights else { return false };
        let chunks = Chunks::of(shape, &self.passes.pass(0), plan).number();
        let elements: usize = shape.kernel.iter().product();
        if self.passes.shared.is_none() || count == 1 || chunks > 1 || elements > MOST_ELEMENTS {
            return false;
        }
        let passes: Vec<_> = (0..count).map(|pass| self.passes.pass(pass)).collect();
        let slot = plan.block * self.passes.buffers.taps;
        task.firsts.clone().step_by(plan.block).enumerate().all(|(index, first)| {
            let block = Block::new(shape, plan, task.group, first);
            let destinations = destinations(shape, &passes, block.lanes, self.passes.blocks_per_split * slot);
            pack_phases(self.isa, shape, &weight, block, &destinations, &mut work.panel[index * slot..])
        })
    }

    /// Multiplies and writes all blocks of a tile of the passes of a group.
    fn blocks(
        &self,
        group: &Group<'_>,
        task: &Task,
        work: &mut Buffers<'_, E::Accumulator>,
        stage: &mut Stage<E::Accumulator>,
        progress: &Progress<'_>,
    ) {
        let (shape, plan) = (self.shape, &self.passes.plan);
        let chunks = Chunks::of(shape, &group.axes[0], plan);
        let only_chunk = chunks.number() == 1;
        stage.only_chunk = only_chunk;
        let entries = self.places(group, task, self.output.strides(), NOWHERE, work.places);
        if let Some(residual) = &self.epilogue.residual {
            // Something is read even for a pixel that does not exist.
            self.places(group, task, residual.strides(), 0, work.residual_places);
        }
        let piece = if plan.algorithm == Algorithm::Direct { plan.piece } else { plan.piece / plan.lanes };
        // Offsets of these passes' taps and pixels are not those of the passes before.
        let mut offsets = None;
        for (index, first) in task.firsts.clone().step_by(plan.block).enumerate() {
            let block = Block::new(shape, plan, task.group, first);
            for start in (0..entries).step_by(piece) {
                let range = start..entries.min(start + piece);
                for number in 0..chunks.number() {
                    if progress.cancelled() {
                        return;
                    }
                    let chunk = chunks.get(number);
                    let patch = match stage.patch {
                        Some((staged, patch)) if staged == number => patch,
                        _ => self.bring_in(&group.axes[0], task, chunk, work),
                    };
                    stage.patch = Some((number, patch));
                    if offsets != Some(number) {
                        self.offsets(&patch, group, &chunk, task, work);
                        offsets = Some(number);
                    }
                    for (member, axes) in group.members() {
                        // Where passes are written together, all their taps are one chunk.
                        let chunk = if member > 0 { Chunks::of(shape, axes, plan).get(0) } else { chunk };
                        let panel = match self.weights {
                            Weights::Packed(packed) => packed.panel(shape, group.first + member, axes, block, &chunk),
                            Weights::Given(weight) => {
                                let slot = (group.slot + member) * self.passes.blocks_per_split + index;
                                let start = if only_chunk { slot * plan.block * self.passes.buffers.taps } else { 0 };
                                let panel = &mut work.panel[start..][..chunk.len() * block.lanes];
                                if !only_chunk || (stage.pack && range.start == 0) {
                                    pack(self.isa, shape, axes, &weight, block, &chunk, panel);
                                }
                                panel
                            }
                        };
                        let taps = &work.taps[member * self.passes.buffers.taps..][..chunk.len()];
                        let sums = &mut work.sums[group.rank(member) * block.lanes..];
                        let step = group.axes.len() * block.lanes;
                        self.multiply(&patch, &work.pixels[range.clone()], taps, panel, block, number == 0, (sums, step));
                    }
                }
                self.write(group, task, block, range, work);
            }
        }
    }

    /// The input of a chunk, in place or staged: that of all passes of the task, where they share it.
    fn bring_in(
        &self,
        axes: &[AxisPass; 3],
        task: &Task,
        chunk: Chunk,
        work: &mut Buffers<'_, E::Accumulator>,
    ) -> Patch<E::Accumulator> {
        let Task { tile, images, group, .. } = *task;
        let (pass, chunk, tile) = match &self.passes.shared {
            Some(union) if self.passes.count() > 1 => {
                let size = std::array::from_fn(|axis| self.passes.plan.tile[axis].min(union[axis].outputs - tile.start[axis]));
                let taps = union.map(|axis| (0, axis.taps));
                (union, Chunk { taps, ..chunk }, Tile { size, ..tile })
            }
            _ => (axes, chunk, tile),
        };
        let request = Request { shape: self.shape, pass, tile, chunk, images, group, pixel_lanes: self.pixel_lanes() };
        request.in_place(self.input).unwrap_or_else(|| request.staged(self.isa, self.input, work.patch))
    }

    /// Writes the offsets of the pixels and of each pass's taps in the patch.
    fn offsets(
        &self,
        patch: &Patch<E::Accumulator>,
        group: &Group<'_>,
        chunk: &Chunk,
        task: &Task,
        work: &mut Buffers<'_, E::Accumulator>,
    ) {
        let union = self.passes.shared.as_ref().filter(|_| self.passes.count() > 1);
        for (member, axes) in group.members() {
            let chunk = if member > 0 { Chunks::of(self.shape, axes, &self.passes.plan).get(0) } else { *chunk };
            patch.tap_offsets(axes, union, &chunk, &mut work.taps[member * self.passes.buffers.taps..]);
        }
        let (step, mut count) = (patch.pixel_step(), 0);
        for row in task.rows() {
            let row = patch.pixel_row(row);
            for x in (0..task.tile.size[2]).step_by(self.pixel_lanes().unwrap_or(1)) {
                work.pixels[count] = (row + x * step) as u32;
                count += 1;
            }
        }
    }

    /// Lanes of the vectors if pixels lie in them.
    fn pixel_lanes(&self) -> Option<usize> {
        let plan = &self.passes.plan;
        (plan.algorithm == Algorithm::Depthwise).then_some(plan.lanes)
    }

    #[allow(clippy::too_many_arguments)]
    fn multiply(
        &self,
        patch: &Patch<E::Accumulator>,
        pixels: &[u32],
        taps: &[u32],
        panel: &[E::Accumulator],
        block: Block,
        fresh: bool,
        (sums, step): (&mut [E::Accumulator], usize),
    ) {
        let Plan { algorithm, lanes, .. } = self.passes.plan;
        let patch = patch.pointer;
        match algorithm {
            Algorithm::Direct => {
                dispatch(self.isa, Pixels { patch, pixels, taps, panel, sums, step, vectors: block.lanes / lanes, fresh })
            }
            Algorithm::Depthwise | Algorithm::Rows => {
                dispatch(self.isa, PixelVectors { patch, vectors: pixels, taps, panel, sums, channels: block.lanes, fresh })
            }
        }
    }

    /// Offsets of the pixels of a tile, or of the first pixel of every vector of them, in an array of the output's shape,
    /// counted from the first element of a channel of the first image; `nowhere` for a pixel that one of the passes has not.
    /// Says how many pixels a pass has.
    fn places(&self, group: &Group<'_>, task: &Task, strides: [isize; RANK], nowhere: isize, places: &mut [isize]) -> usize {
        let plan = &self.passes.plan;
        let lanes = if plan.algorithm == Algorithm::Direct { 1 } else { plan.lanes };
        let mut all = 0;
        for (member, axes) in group.axes.iter().enumerate() {
            let (rank, mut count) = (group.rank(member), 0);
            let at = |axis: usize, offset: usize| {
                (axes[axis].output_start + (task.tile.start[axis] + offset) * axes[axis].output_step) as isize * strides[2 + axis]
            };
            for [image, z, y] in task.rows() {
                let row = image as isize * strides[0] + at(0, z) + at(1, y);
                for x in (0..task.tile.size[2]).step_by(lanes) {
                    let exists = task.tile.start[2] + x < axes[2].outputs;
                    places[count * group.axes.len() + rank] = if exists { row + at(2, x) } else { nowhere };
                    count += 1;
                }
            }
            all = count;
        }
        all
    }

    /// Writes the block's sums of a range of the tile's pixels.
    fn write(&self, group: &Group<'_>, task: &Task, block: Block, range: Range<usize>, work: &mut Buffers<'_, E::Accumulator>) {
        let (shape, plan, together) = (self.shape, &self.passes.plan, group.axes.len());
        let step = |strides: [isize; RANK]| strides[4] * if together > 1 { 1 } else { group.axes[0][2].output_step as isize };
        let layout = match plan.algorithm {
            Algorithm::Direct => Layout::Pixels { lanes: block.lanes, step: step(self.output.strides()), rows: work.rows },
            Algorithm::Depthwise | Algorithm::Rows => {
                let width = task.tile.size[2];
                let per_row = width.div_ceil(plan.lanes);
                let residual_step = self.epilogue.residual.as_ref().map_or(0, |residual| step(residual.strides()));
                let tail = width - (per_row - 1) * plan.lanes;
                Layout::Vectors { per_row, first: range.start, tail, step: step(self.output.strides()), residual_step }
            }
        };
        let range = range.start * together..range.end * together;
        let residual = if self.epilogue.residual.is_some() { &work.residual_places[range.clone()] } else { &[] };
        dispatch(
            self.isa,
            Write {
                output: &self.output,
                epilogue: self.epilogue,
                image: task.images.0,
                channel: block.group * shape.out_channels + block.first,
                channels: block.channels(shape),
                places: Places { output: &work.places[range], residual },
                sums: work.sums,
                layout,
            },
        );
    }
}
