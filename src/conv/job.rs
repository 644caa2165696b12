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
use super::weights::{Panel, Weights};
use super::write::{Layout, Places, Write};
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
                self.task(passes, &self.located(task), &mut work, progress);
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

    fn task(
        &self,
        passes: Range<usize>,
        task: &Task,
        work: &mut Buffers<'_, E::Accumulator>,
        progress: &Progress<'_>,
    ) {
        let mut stage = None;
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
            match self.passes.outside {
                Outside::Padding => {
                    let task = Task { tile: Tile { start, size }, firsts: task.firsts.clone(), ..*task };
                    self.blocks(pass, &axes, &task, work, &mut stage, progress);
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
        let entries = self.places(axes, &task.tile, self.output.strides(), work.places);
        if let Some(residual) = &self.epilogue.residual {
            self.places(axes, &task.tile, residual.strides(), work.residual_places);
        }
        let piece = if plan.algorithm == Algorithm::Direct { plan.piece } else { plan.piece / plan.lanes };
        // Offsets of this pass's taps and pixels are not those of the pass before.
        let mut offsets = None;
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
                        _ => self.bring_in(axes, task, chunk, work),
                    };
                    *stage = Some((number, patch));
                    if offsets != Some(number) {
                        self.offsets(&patch, axes, &chunk, &task.tile, work);
                        offsets = Some(number);
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
                    let (pixels, taps) = (&work.pixels[range.clone()], &work.taps[..chunk.len()]);
                    self.multiply(&patch, pixels, taps, panel, block, number == 0, work.sums);
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
        chunk: Chunk,
        work: &mut Buffers<'_, E::Accumulator>,
    ) -> Patch<E::Accumulator> {
        let Task { tile, image, group, .. } = *task;
        let (pass, chunk, tile) = match &self.passes.shared {
            Some(union) if self.passes.count() > 1 => {
                let size = std::array::from_fn(|axis| self.passes.plan.tile[axis].min(union[axis].outputs - tile.start[axis]));
                let taps = union.map(|axis| (0, axis.taps));
                (union, Chunk { taps, ..chunk }, Tile { size, ..tile })
            }
            _ => (axes, chunk, tile),
        };
        let request = Request { shape: self.shape, pass, tile, chunk, image, group, pixel_lanes: self.pixel_lanes() };
        request.in_place(self.input).unwrap_or_else(|| request.staged(self.isa, self.input, work.patch))
    }

    /// Writes the offsets of the pixels and taps of one pass in the patch.
    fn offsets(
        &self,
        patch: &Patch<E::Accumulator>,
        axes: &[AxisPass; 3],
        chunk: &Chunk,
        tile: &Tile,
        work: &mut Buffers<'_, E::Accumulator>,
    ) {
        let union = self.passes.shared.as_ref().filter(|_| self.passes.count() > 1);
        patch.tap_offsets(axes, union, chunk, work.taps);
        let (step, mut count) = (patch.pixel_step(), 0);
        for z in 0..tile.size[0] {
            for y in 0..tile.size[1] {
                let row = patch.pixel_row(z, y);
                for x in (0..tile.size[2]).step_by(self.pixel_lanes().unwrap_or(1)) {
                    work.pixels[count] = (row + x * step) as u32;
                    count += 1;
                }
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
        panel: Panel<'_, E::Accumulator>,
        block: Block,
        fresh: bool,
        sums: &mut [E::Accumulator],
    ) {
        let Plan { algorithm, lanes, .. } = self.passes.plan;
        let (patch, panel) = (patch.pointer, panel.data);
        match algorithm {
            Algorithm::Direct => {
                dispatch(self.isa, Pixels { patch, pixels, taps, panel, sums, vectors: block.lanes / lanes, fresh })
            }
            Algorithm::Depthwise | Algorithm::Rows => {
                dispatch(self.isa, PixelVectors { patch, vectors: pixels, taps, panel, sums, channels: block.lanes, fresh })
            }
        }
    }

    /// Offsets of the pixels of a tile, or of the first pixel of every vector of them, in an array of the output's shape,
    /// counted from the first element of a channel.
    fn places(&self, axes: &[AxisPass; 3], tile: &Tile, strides: [isize; RANK], places: &mut [isize]) -> usize {
        let plan = &self.passes.plan;
        let lanes = if plan.algorithm == Algorithm::Direct { 1 } else { plan.lanes };
        let at = |axis: usize, offset: usize| {
            (axes[axis].output_start + (tile.start[axis] + offset) * axes[axis].output_step) as isize * strides[2 + axis]
        };
        let mut count = 0;
        for z in 0..tile.size[0] {
            for y in 0..tile.size[1] {
                let row = at(0, z) + at(1, y);
                for x in (0..tile.size[2]).step_by(lanes) {
                    places[count] = row + at(2, x);
                    count += 1;
                }
            }
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
