//! Walks the tasks of a direct convolution, (group, split of the output channels, image, tile): stage, multiply, write.

use std::ops::Range;

use super::buffers::Buffers;
use super::chunks::Chunks;
use super::depthwise::PixelVectors;
use super::direct::Pixels;
use super::epilogue::Epilogue;
use super::pack::{Block, Chunk, pack};
use super::passes::{Outside, Passes};
use super::patch::{Patch, Request, Tile};
use super::plan::{Algorithm, Plan};
use super::regions::{Region, Runs};
use super::weights::{Panel, Panels, Weights};
use super::write::{Layout, Places, Write};
use crate::array::{Element, SharedOutput, View, with_scratch};
use crate::parallel::Progress;
use crate::shape::{AxisPass, ConvShape, PaddingMode, RANK};
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
    pub outside: Outside,
}

/// Some blocks of output channels of one tile of one image.
struct Task {
    group: usize,
    /// First output channels of the blocks.
    firsts: Range<usize>,
    image: usize,
    tile: Tile,
}

/// The number of the chunk that is brought in, and where it lies: the passes of a task may share it.
type Stage<T> = Option<(usize, Patch<T>)>;

impl<E: Element<Accumulator: Lanes>> Job<'_, E> {
    /// Some of the tasks.
    pub fn tasks(&self, tasks: Range<usize>, progress: &Progress<'_>) {
        with_scratch(self.passes.buffers.bytes::<E::Accumulator>(), |scratch| {
            let mut work = self.passes.buffers.cut(scratch);
            for task in tasks {
                let (passes, task) = self.passes.of_task(task);
                let task = self.located(task);
                if self.passes.packs_phases {
                    self.packing_task(passes, &task, &mut work, progress);
                } else {
                    self.task(passes, &task, &mut work, &mut None, progress);
                }
                if progress.cancelled() {
                    return;
                }
            }
        });
    }

    /// Neighbouring tasks share weights: tiles are counted first, then images, splits, groups.
    fn located(&self, task: usize) -> Task {
        let Passes { plan, tiles: counts, splits, blocks_per_split, .. } = self.passes;
        let tiles: usize = counts.iter().product();
        let (split, rest) = (task / (tiles * self.shape.batch), task % (tiles * self.shape.batch));
        let (image, index) = (rest / tiles, rest % tiles);
        let channels = plan.block * blocks_per_split;
        let start = split % splits * channels;
        let at = [index / (counts[1] * counts[2]), index / counts[2] % counts[1], index % counts[2]];
        Task {
            group: split / splits,
            firsts: start..(start + channels).min(self.shape.out_channels),
            image,
            tile: Tile { start: std::array::from_fn(|axis| at[axis] * plan.tile[axis]), size: plan.tile },
        }
    }

    /// A task that packs the weights of all passes, a block at a time: they are multiplied while they are in the L2 cache.
    fn packing_task(&self, passes: Range<usize>, task: &Task, work: &mut Buffers<'_, E::Accumulator>, progress: &Progress<'_>) {
        let (shape, plan) = (self.shape, &self.passes.plan);
        let Weights::Given(weight) = &self.weights else { unreachable!("tasks pack only what is given") };
        let all = self.passes.all();
        let mut stage = None;
        for first in task.firsts.clone().step_by(plan.block) {
            let number = task.group * shape.out_channels.div_ceil(plan.block) + first / plan.block;
            let panels = Panels::new(shape, plan, &all, number..number + 1);
            let data = std::mem::take(&mut work.panel);
            panels.pack_block(self.isa, shape, &all, weight, number, &mut data[..panels.elements()]);
            let task = Task { firsts: first..(first + plan.block).min(task.firsts.end), ..*task };
            if panels.finite() {
                let packed = Job { weights: Weights::Packed(&panels, data), ..*self };
                packed.task(passes.clone(), &task, work, &mut stage, progress);
                work.panel = data;
            } else {
                work.panel = data;
                Job { outside: Outside::Dropped, ..*self }.task(passes.clone(), &task, work, &mut None, progress);
                stage = None;
            }
        }
    }

    fn task(
        &self,
        passes: Range<usize>,
        task: &Task,
        work: &mut Buffers<'_, E::Accumulator>,
        stage: &mut Stage<E::Accumulator>,
        progress: &Progress<'_>,
    ) {
        for pass in passes {
            let axes = self.passes.pass(pass);
            let Tile { start, size } = task.tile;
            let size: [usize; 3] = std::array::from_fn(|axis| size[axis].min(axes[axis].outputs.saturating_sub(start[axis])));
            if size.contains(&0) {
                continue;
            }
            let range = |axis: usize| start[axis]..start[axis] + size[axis];
            let input = self.shape.input;
            let cut = |axes: [AxisPass; 3]| {
                let tile = Tile { start: [0; 3], size: axes.map(|axis| axis.outputs) };
                (axes, Task { tile, firsts: task.firsts.clone(), ..*task })
            };
            match self.outside {
                Outside::Padding => {
                    let task = Task { tile: Tile { start, size }, firsts: task.firsts.clone(), ..*task };
                    self.blocks(pass, &axes, &task, work, stage, progress);
                }
                Outside::Clipped => {
                    let (axes, task) = cut(std::array::from_fn(|axis| axes[axis].clipped(range(axis), input[axis])));
                    self.blocks(pass, &axes, &task, work, &mut None, progress);
                }
                Outside::Dropped => {
                    for depth in axes[0].without_padding(range(0), input[0]) {
                        for height in axes[1].without_padding(range(1), input[1]) {
                            for width in axes[2].without_padding(range(2), input[2]) {
                                let (axes, task) = cut([depth, height, width]);
                                self.blocks(pass, &axes, &task, work, &mut None, progress);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Multiplies and writes all blocks of a tile of one pass.
    fn blocks(
        &self,
        pass: usize,
        axes: &[AxisPass; 3],
        task: &Task,
        work: &mut Buffers<'_, E::Accumulator>,
        stage: &mut Stage<E::Accumulator>,
        progress: &Progress<'_>,
    ) {
        let (shape, plan) = (self.shape, &self.passes.plan);
        let chunks = Chunks::of(shape, axes, plan);
        let skips = plan.algorithm == Algorithm::Direct && self.outside == Outside::Padding;
        let regions = if skips && shape.mode == PaddingMode::Zeros {
            Region::of(axes, &task.tile, shape.input)
        } else {
            vec![Region::whole(axes, &task.tile)]
        };
        // Weights that are packed are known.
        let finite = matches!(self.weights, Weights::Packed(panels, _) if panels.finite());
        let inside = finite && regions.iter().all(|region| region.is_inside(axes, &task.tile, shape.input));
        let entries = self.places(axes, task, &regions, self.output.strides(), work.places);
        if let Some(residual) = &self.epilogue.residual {
            self.places(axes, task, &regions, residual.strides(), work.residual_places);
        }
        let piece = if plan.algorithm == Algorithm::Direct { plan.piece } else { plan.piece / plan.lanes };
        // Offsets of this pass's taps and pixels are not those of the pass before.
        let (mut offsets, mut runs) = (None, Vec::new());
        for first in task.firsts.clone().step_by(plan.block) {
            let block = Block::new(shape, plan, task.group, first);
            let mut finite = true;
            for start in (0..entries).step_by(piece) {
                let range = start..entries.min(start + piece);
                for number in 0..chunks.number() {
                    if progress.cancelled() {
                        return;
                    }
                    let chunk = chunks.get(number);
                    let patch = match *stage {
                        Some((staged, patch)) if staged == number => patch,
                        _ => self.bring_in(axes, task, (chunk, inside), work),
                    };
                    *stage = Some((number, patch));
                    if offsets != Some(number) {
                        self.offsets(&patch, axes, &chunk, &regions, work);
                        offsets = Some(number);
                        runs = regions.iter().map(|region| region.runs(&chunk)).collect();
                    }
                    let panel = match self.weights {
                        Weights::Packed(panels, data) => panels.panel(data, pass, axes, block, &chunk),
                        Weights::Given(weight) => {
                            let data = &mut work.panel[..chunk.len() * block.lanes];
                            if chunks.number() > 1 || range.start == 0 {
                                finite = pack(self.isa, shape, axes, &weight, block, &chunk, data);
                            }
                            Panel { data, finite }
                        }
                    };
                    let mut next = 0;
                    for (region, runs) in regions.iter().zip(&runs) {
                        let begin = next.max(range.start);
                        next += region.places(self.pixel_step());
                        let end = next.min(range.end);
                        if begin < end {
                            let (pixels, taps) = (&work.pixels[begin..end], &work.taps[..chunk.len()]);
                            let sums = &mut work.sums[(begin - range.start) * block.lanes..];
                            // Zeros of the padding add nothing, unless they are multiplied by an infinite weight.
                            let runs = runs.as_ref().filter(|_| panel.finite);
                            self.multiply(&patch, pixels, (taps, runs), panel.data, block, number == 0, sums);
                        }
                    }
                }
                self.write(axes, task, block, range, work);
            }
        }
    }

    /// The input of a chunk, in place or staged: that of all passes of the task, where they share it.
    fn bring_in(
        &self,
        axes: &[AxisPass; 3],
        task: &Task,
        (chunk, inside): (Chunk, bool),
        work: &mut Buffers<'_, E::Accumulator>,
    ) -> Patch<E::Accumulator> {
        let Task { tile, image, group, .. } = *task;
        let (pass, chunk, tile) = match self.union() {
            Some(union) => {
                let size = std::array::from_fn(|axis| self.passes.plan.tile[axis].min(union[axis].outputs - tile.start[axis]));
                let taps = union.map(|axis| (0, axis.taps));
                (union, Chunk { taps, ..chunk }, Tile { size, ..tile })
            }
            None => (axes, chunk, tile),
        };
        let inside = inside && self.passes.count() == 1;
        let request = Request { shape: self.shape, pass, tile, chunk, image, group, pixel_lanes: self.pixel_lanes(), inside };
        request.in_place(self.input).unwrap_or_else(|| request.staged(self.isa, self.input, work.patch))
    }

    /// What one copy of the input serves, if several passes share it.
    fn union(&self) -> Option<&[AxisPass; 3]> {
        self.passes.shared.as_ref().filter(|_| self.passes.count() > 1 && self.outside == Outside::Padding)
    }

    /// Writes the offsets of the pixels and taps of one pass in the patch.
    fn offsets(
        &self,
        patch: &Patch<E::Accumulator>,
        axes: &[AxisPass; 3],
        chunk: &Chunk,
        regions: &[Region],
        work: &mut Buffers<'_, E::Accumulator>,
    ) {
        patch.tap_offsets(axes, self.union(), chunk, work.taps);
        let (step, mut count) = (patch.pixel_step(), 0);
        for region in regions {
            region.each_place(self.pixel_step(), |z, y, x| {
                work.pixels[count] = (patch.pixel_row(z, y) + x * step) as u32;
                count += 1;
            });
        }
    }

    /// Lanes of the vectors if pixels lie in them.
    fn pixel_lanes(&self) -> Option<usize> {
        let plan = &self.passes.plan;
        (plan.algorithm == Algorithm::Depthwise).then_some(plan.lanes)
    }

    /// Pixels of a row from one place to the next.
    fn pixel_step(&self) -> usize {
        self.pixel_lanes().unwrap_or(1)
    }

    #[allow(clippy::too_many_arguments)]
    fn multiply(
        &self,
        patch: &Patch<E::Accumulator>,
        pixels: &[u32],
        (taps, runs): (&[u32], Option<&Runs>),
        panel: &[E::Accumulator],
        block: Block,
        fresh: bool,
        sums: &mut [E::Accumulator],
    ) {
        let Plan { algorithm, lanes, .. } = self.passes.plan;
        let patch = patch.pointer;
        match algorithm {
            Algorithm::Direct => {
                dispatch(self.isa, Pixels { patch, pixels, taps, runs, panel, sums, vectors: block.lanes / lanes, fresh })
            }
            Algorithm::Depthwise | Algorithm::Rows => {
                dispatch(self.isa, PixelVectors { patch, vectors: pixels, taps, panel, sums, channels: block.lanes, fresh })
            }
        }
    }

    /// Offsets of the pixels of a tile, or of the first pixel of every vector of them, in an array of the output's shape,
    /// counted from the first element of a channel.
    fn places(
        &self,
        axes: &[AxisPass; 3],
        task: &Task,
        regions: &[Region],
        strides: [isize; RANK],
        places: &mut [isize],
    ) -> usize {
        let at = |axis: usize, offset: usize| {
            (axes[axis].output_start + (task.tile.start[axis] + offset) * axes[axis].output_step) as isize * strides[2 + axis]
        };
        let mut count = 0;
        for region in regions {
            region.each_place(self.pixel_step(), |z, y, x| {
                places[count] = at(0, z) + at(1, y) + at(2, x);
                count += 1;
            });
        }
        count
    }

    /// Writes the block's sums of a range of the tile's pixels.
    fn write(
        &self,
        axes: &[AxisPass; 3],
        task: &Task,
        block: Block,
        range: Range<usize>,
        work: &mut Buffers<'_, E::Accumulator>,
    ) {
        let (shape, plan) = (self.shape, &self.passes.plan);
        let strides = self.output.strides();
        let layout = match plan.algorithm {
            Algorithm::Direct => {
                Layout::Pixels { lanes: block.lanes, step: axes[2].output_step as isize * strides[4], rows: work.rows }
            }
            Algorithm::Depthwise | Algorithm::Rows => {
                let width = task.tile.size[2];
                let per_row = width.div_ceil(plan.lanes);
                let step = |strides: [isize; RANK]| axes[2].output_step as isize * strides[4];
                let residual_step = self.epilogue.residual.as_ref().map_or(0, |residual| step(residual.strides()));
                let tail = width - (per_row - 1) * plan.lanes;
                Layout::Vectors { per_row, first: range.start, tail, step: step(strides), residual_step }
            }
        };
        let residual = if self.epilogue.residual.is_some() { &work.residual_places[range.clone()] } else { &[] };
        dispatch(
            self.isa,
            Write {
                output: &self.output,
                epilogue: self.epilogue,
                image: task.image,
                channel: block.group * shape.out_channels + block.first,
                channels: block.channels(shape),
                places: Places { output: &work.places[range], residual },
                sums: work.sums,
                layout,
            },
        );
    }
}
