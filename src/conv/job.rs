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
use super::task::{Task, Together};
use super::weights::{Panel, Panels, Weights};
use super::write::{Layout, NOWHERE, Places, Write};
use crate::array::{Accumulator, Element, SharedOutput, View, with_scratch};
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
    pub passes: &'a Passes,
    pub outside: Outside,
}

/// The number of the chunk that is brought in, and where it lies: the passes of a task may share it.
pub(super) type Stage<T> = Option<(usize, Patch<T>)>;

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
        let together = if self.outside == Outside::Padding { self.passes.together } else { 1 };
        for first in passes.step_by(together) {
            let all: Vec<_> = (first..first + together).map(|pass| self.passes.pass(pass)).collect();
            let axes = all[0];
            let Tile { start, size } = task.tile;
            let outputs = |axis: usize| all.iter().map(|axes| axes[axis].outputs).max().unwrap_or(0);
            let size: [usize; 3] = std::array::from_fn(|axis| size[axis].min(outputs(axis).saturating_sub(start[axis])));
            if size.contains(&0) {
                continue;
            }
            let range = |axis: usize| start[axis]..start[axis] + size[axis];
            let input = self.shape.input;
            let mut cut = |axes: [AxisPass; 3]| {
                let task = task.of_tile(Tile { start: [0; 3], size: axes.map(|axis| axis.outputs) });
                self.blocks(&Together { first, axes: &[axes] }, &task, work, &mut None, progress);
            };
            match self.outside {
                Outside::Padding => {
                    let task = task.of_tile(Tile { start, size });
                    self.blocks(&Together { first, axes: &all }, &task, work, stage, progress);
                }
                Outside::Clipped => cut(std::array::from_fn(|axis| axes[axis].clipped(range(axis), input[axis]))),
                Outside::Dropped => {
                    for depth in axes[0].without_padding(range(0), input[0]) {
                        for height in axes[1].without_padding(range(1), input[1]) {
                            for width in axes[2].without_padding(range(2), input[2]) {
                                cut([depth, height, width]);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Multiplies and writes all blocks of a tile of the passes that are written together.
    fn blocks(
        &self,
        together: &Together<'_>,
        task: &Task,
        work: &mut Buffers<'_, E::Accumulator>,
        stage: &mut Stage<E::Accumulator>,
        progress: &Progress<'_>,
    ) {
        let (shape, plan, axes) = (self.shape, &self.passes.plan, &together.axes[0]);
        let (images, step) = (task.images.1, self.pixel_step());
        let chunks = Chunks::of(shape, axes, plan);
        let blocks = task.firsts.len().div_ceil(plan.block) * self.passes.count();
        let regions = self.regions(axes, &task.tile);
        // Weights that are packed are known.
        let finite = matches!(self.weights, Weights::Packed(panels, _) if panels.finite());
        let inside = finite && regions.iter().all(|region| region.is_inside(axes, &task.tile, shape.input));
        together.places(task, (&regions, step), self.output.strides(), NOWHERE, work.places);
        if let Some(residual) = &self.epilogue.residual {
            // Something is read even for a pixel that does not exist.
            together.places(task, (&regions, step), residual.strides(), 0, work.residual_places);
        }
        let entries = regions.iter().map(|region| region.places(images, step)).sum();
        let piece = if plan.algorithm == Algorithm::Direct { plan.piece } else { plan.piece / plan.lanes };
        if const { E::IN_PLACE && E::Accumulator::ACTIVATES }
            && self.is_straight(together, &regions)
            && self.straight(together, task, (&regions, inside), work, stage)
        {
            return;
        }
        // Offsets of these passes' taps and pixels are not those of the passes before.
        let (mut offsets, mut runs) = (None, Vec::new());
        for first in task.firsts.clone().step_by(plan.block) {
            let block = Block::new(shape, plan, task.group, first);
            let sums_step = together.axes.len() * block.lanes;
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
                        _ => self.bring_in(axes, task, (chunk, inside), blocks, work),
                    };
                    *stage = Some((number, patch));
                    if offsets != Some(number) {
                        self.offsets(&patch, together, (chunk, images), &regions, work);
                        offsets = Some(number);
                        runs = regions.iter().map(|region| region.runs(&chunk)).collect();
                    }
                    let last = number + 1 == chunks.number();
                    let bias = if last { self.epilogue.bias_of(block.outputs(shape), work.bias) } else { None };
                    for (member, axes) in together.members() {
                        let chunk = self.chunk_of(member, axes, chunk);
                        let panel = match self.weights {
                            Weights::Packed(panels, data) => panels.panel(data, together.first + member, axes, block, &chunk),
                            Weights::Given(weight) => {
                                let data = &mut work.panel[..chunk.len() * block.lanes];
                                if chunks.number() > 1 || range.start == 0 {
                                    finite = pack(self.isa, shape, axes, &weight, block, &chunk, data);
                                }
                                Panel { data, finite }
                            }
                        };
                        let taps = &work.taps[member * self.passes.buffers.taps..][..chunk.len()];
                        let mut next = 0;
                        for (region, runs) in regions.iter().zip(&runs) {
                            let begin = next.max(range.start);
                            next += region.places(images, step);
                            let end = next.min(range.end);
                            if begin < end {
                                let sums = (begin - range.start) * sums_step + together.rank(member) * block.lanes;
                                let sums = (&mut work.sums[sums..], sums_step);
                                // Zeros of the padding add nothing, unless they are multiplied by an infinite weight.
                                let runs = runs.as_ref().filter(|_| panel.finite);
                                self.multiply(
                                    &patch,
                                    &work.pixels[begin..end],
                                    (taps, runs),
                                    panel.data,
                                    block,
                                    [number == 0, last],
                                    bias,
                                    sums,
                                );
                            }
                        }
                    }
                }
                self.write(together, task, block, range, work);
            }
        }
    }

    /// How a tile is cut where its pixels read the same taps. The phases of a transposed convolution, which may be multiplied
    /// together, read others each and are not cut.
    fn regions(&self, axes: &[AxisPass; 3], tile: &Tile) -> Vec<Region> {
        let direct = self.passes.plan.algorithm == Algorithm::Direct && self.outside == Outside::Padding;
        if direct && self.passes.count() == 1 && self.shape.mode == PaddingMode::Zeros {
            Region::of(axes, tile, self.shape.input)
        } else {
            vec![Region::whole(axes, tile)]
        }
    }

    /// The chunk of one of the passes written together; several have a single one each.
    fn chunk_of(&self, member: usize, axes: &[AxisPass; 3], chunk: Chunk) -> Chunk {
        if member > 0 { Chunks::of(self.shape, axes, &self.passes.plan).get(0) } else { chunk }
    }

    /// The input of a chunk, in place or staged: that of all passes of the task, where they share it. So many blocks read it.
    pub(super) fn bring_in(
        &self,
        axes: &[AxisPass; 3],
        task: &Task,
        (chunk, inside): (Chunk, bool),
        blocks: usize,
        work: &mut Buffers<'_, E::Accumulator>,
    ) -> Patch<E::Accumulator> {
        let Task { tile, images, group, .. } = *task;
        let (pass, chunk, tile) = match self.union() {
            Some(union) => {
                let size = std::array::from_fn(|axis| self.passes.plan.tile[axis].min(union[axis].outputs - tile.start[axis]));
                let taps = union.map(|axis| (0, axis.taps));
                (union, Chunk { taps, ..chunk }, Tile { size, ..tile })
            }
            None => (axes, chunk, tile),
        };
        let inside = inside && self.passes.count() == 1;
        let request = Request { shape: self.shape, pass, tile, chunk, images, group, pixel_lanes: self.pixel_lanes(), inside };
        let in_place =
            if request.is_worth_a_copy(self.input, blocks, self.passes.plan.lanes) { None } else { request.in_place(self.input) };
        in_place.unwrap_or_else(|| request.staged(self.isa, self.input, work.patch))
    }

    /// What one copy of the input serves, if several passes share it.
    fn union(&self) -> Option<&[AxisPass; 3]> {
        self.passes.shared.as_ref().filter(|_| self.passes.count() > 1 && self.outside == Outside::Padding)
    }

    /// Writes the offsets of the pixels of so many images and of each pass's taps in the patch.
    pub(super) fn offsets(
        &self,
        patch: &Patch<E::Accumulator>,
        together: &Together<'_>,
        (chunk, images): (Chunk, usize),
        regions: &[Region],
        work: &mut Buffers<'_, E::Accumulator>,
    ) {
        for (member, axes) in together.members() {
            let taps = &mut work.taps[member * self.passes.buffers.taps..];
            patch.tap_offsets(axes, self.union(), &self.chunk_of(member, axes, chunk), taps);
        }
        let (step, mut count) = (patch.pixel_step(), 0);
        for region in regions {
            region.each_place(images, self.pixel_step(), |row, x| {
                work.pixels[count] = (patch.pixel_row(row) + x * step) as u32;
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
        [fresh, last]: [bool; 2],
        bias: Option<&[E::Accumulator]>,
        (sums, step): (&mut [E::Accumulator], usize),
    ) {
        let Plan { algorithm, lanes, .. } = self.passes.plan;
        let patch = patch.pointer;
        let bounds = self.epilogue.bounds().filter(|_| last);
        match algorithm {
            Algorithm::Direct => {
                let vectors = block.lanes / lanes;
                dispatch(self.isa, Pixels { patch, pixels, taps, runs, panel, sums, step, vectors, fresh, bias, bounds });
            }
            Algorithm::Depthwise | Algorithm::Rows => {
                let channels = block.lanes;
                dispatch(self.isa, PixelVectors { patch, vectors: pixels, taps, panel, sums, channels, fresh, bias, bounds });
            }
        }
    }

    /// Writes the block's sums of a range of the tile's pixels.
    fn write(
        &self,
        together: &Together<'_>,
        task: &Task,
        block: Block,
        range: Range<usize>,
        work: &mut Buffers<'_, E::Accumulator>,
    ) {
        let (shape, plan, count) = (self.shape, &self.passes.plan, together.axes.len());
        let step = |strides: [isize; RANK]| strides[4] * if count > 1 { 1 } else { together.axes[0][2].output_step as isize };
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
        let range = range.start * count..range.end * count;
        let residual = if self.epilogue.residual.is_some() { &work.residual_places[range.clone()] } else { &[] };
        dispatch(
            self.isa,
            Write {
                output: &self.output,
                epilogue: self.epilogue,
                image: task.images.0,
                channels: block.outputs(shape),
                places: Places { output: &work.places[range], residual },
                sums: work.sums,
                bounded: true,
                layout,
            },
        );
    }
}
