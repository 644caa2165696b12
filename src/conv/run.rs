//! Walks every (pass, group, block of output channels, image, tile): pack, stage, multiply, write.

use std::ops::Range;

use super::buffers::{Buffers, Sizes};
use super::depthwise::PixelVectors;
use super::direct::Pixels;
use super::pack::{Block, Chunk, pack};
use super::patch::{Patch, Request, Tile};
use super::plan::{Algorithm, Plan, plan};
use crate::array::{Accumulator, Element, SharedOutput, View, ViewMut, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{AxisPass, ConvShape};
use crate::simd::{Isa, Lanes, Simd, dispatch};

/// The arrays of one convolution.
pub struct Operands<'a, E> {
    /// (batch, groups * in channels, depth, height, width).
    pub input: View<'a, E>,
    /// As [`ConvShape::new`] or [`ConvShape::transposed`] took it.
    pub weight: View<'a, E>,
    /// One element an output channel, at the given stride, if there is a bias.
    pub bias: Option<View<'a, E>>,
}

/// All passes of a convolution. They share one plan, made for the largest, and are counted rather than listed: a transposed
/// convolution has a pass for every combination of its axes' phases.
struct Passes<'a> {
    shape: &'a ConvShape,
    /// Along each axis the passes without taps outside the input, where such taps must not take part.
    bare: Option<[Vec<AxisPass>; 3]>,
    counts: [usize; 3],
    plan: Plan,
    /// Tiles of the largest pass; a smaller one may have no output in the last.
    tiles: [usize; 3],
    blocks: usize,
    tasks_per_pass: usize,
    buffers: Sizes,
}

impl<'a> Passes<'a> {
    /// With `bare`, no tap outside the input takes part, not even as a zero.
    fn new(shape: &'a ConvShape, lanes: usize, size: usize, bare: bool) -> Self {
        let whole = |axis: usize| (0..shape.passes(axis)).map(move |pass| shape.axis_pass(axis, pass));
        let bare: Option<[Vec<AxisPass>; 3]> = bare
            .then(|| std::array::from_fn(|axis| whole(axis).flat_map(|pass| pass.without_padding(shape.input[axis])).collect()));
        let largest = std::array::from_fn(|axis| match &bare {
            Some(lists) => largest(lists[axis].iter().copied()),
            None => largest(whole(axis)),
        });
        let counts = std::array::from_fn(|axis| bare.as_ref().map_or(shape.passes(axis), |lists| lists[axis].len()));
        let plan = plan(shape, &largest, lanes, size);
        let tiles: [usize; 3] = std::array::from_fn(|axis| largest[axis].outputs.div_ceil(plan.tile[axis]));
        let blocks = shape.out_channels.div_ceil(plan.block);
        let tasks_per_pass = shape.groups * blocks * shape.batch * tiles.iter().product::<usize>();
        let buffers = Sizes::of(shape, &largest, &plan);
        Passes { shape, bare, counts, plan, tiles, blocks, tasks_per_pass, buffers }
    }

    fn count(&self) -> usize {
        self.counts.iter().product()
    }

    fn pass(&self, index: usize) -> [AxisPass; 3] {
        let [_, heights, widths] = self.counts;
        let at = [index / (heights * widths), index / widths % heights, index % widths];
        std::array::from_fn(|axis| match &self.bare {
            Some(lists) => lists[axis][at[axis]],
            None => self.shape.axis_pass(axis, at[axis]),
        })
    }
}

/// A pass with the most outputs and the most taps of `passes`.
fn largest(passes: impl Iterator<Item = AxisPass>) -> AxisPass {
    passes.fold(AxisPass::plain(0, 0, 1, 1, 0), |largest, pass| AxisPass {
        outputs: pass.outputs.max(largest.outputs),
        taps: pass.taps.max(largest.taps),
        ..pass
    })
}

/// One block of output channels of one tile of one image.
struct Task {
    image: usize,
    block: Block,
    tile: Tile,
}

struct Job<'a, E: Element> {
    isa: Isa,
    shape: &'a ConvShape,
    operands: &'a Operands<'a, E>,
    output: SharedOutput<'a, E>,
    passes: &'a Passes<'a>,
}

/// Lanes of the token that `isa` uses for `T`.
fn lanes<T: Lanes>(isa: Isa) -> usize {
    match isa {
        Isa::Portable => <T::Portable as Simd>::LANES,
        Isa::Avx2 => <T::Avx2 as Simd>::LANES,
        Isa::Avx512 => <T::Avx512 as Simd>::LANES,
    }
}

/// Computes the convolution that `shape` describes into `output`, whose shape is `shape.output_shape()`.
pub fn run<E: Element<Accumulator: Lanes>>(
    isa: Isa,
    shape: &ConvShape,
    operands: &Operands<'_, E>,
    output: &mut ViewMut<'_, E>,
) -> Result<(), Error> {
    assert_eq!(output.shape(), shape.output_shape());
    assert_eq!(operands.input.shape()[2..], shape.input);
    assert_eq!(operands.weight.shape()[2..], shape.kernel);
    if shape.output_shape().contains(&0) {
        return Ok(());
    }
    let lanes = lanes::<E::Accumulator>(isa);
    // A transposed convolution has no padding that a tap could read: zero times an infinite weight must not become NaN.
    let bare = shape.transposed && !all_finite(&operands.weight);
    let passes = Passes::new(shape, lanes, size_of::<E::Accumulator>(), bare);
    let tasks = passes.count() * passes.tasks_per_pass;
    let job = Job { isa, shape, operands, output: SharedOutput::new(output), passes: &passes };
    if shape.has_gaps() {
        job.write_gaps()?;
    }
    if tasks == 0 {
        return Ok(());
    }
    let taps: usize = shape.in_channels * shape.kernel.iter().product::<usize>();
    let outputs: usize = shape.output_shape().iter().product();
    let work = outputs.saturating_mul(taps / passes.count() + 1) / tasks;
    for_each_chunk(tasks, work, |range, progress| job.tasks(range, progress))
}

fn all_finite<E: Element>(array: &View<'_, E>) -> bool {
    let [a, b, c, d, count] = array.shape();
    (0..a * b * c * d).all(|row| {
        let run = array.run([row / (b * c * d), row / (c * d) % b, row / d % c, row % d, 0], count);
        (0..count).all(|position| run.at(position).widen().is_finite())
    })
}

impl<E: Element<Accumulator: Lanes>> Job<'_, E> {
    fn tasks(&self, tasks: Range<usize>, progress: &Progress<'_>) {
        let per_pass = self.passes.tasks_per_pass;
        with_scratch(self.passes.buffers.bytes::<E::Accumulator>(), |scratch| {
            let mut work = self.passes.buffers.cut(scratch);
            let mut start = tasks.start;
            while start < tasks.end {
                let index = start / per_pass;
                let end = tasks.end.min((index + 1) * per_pass);
                let first = index * per_pass;
                self.pass_tasks(&self.passes.pass(index), start - first..end - first, &mut work, progress);
                start = end;
            }
        });
    }

    fn pass_tasks(
        &self,
        axes: &[AxisPass; 3],
        tasks: Range<usize>,
        work: &mut Buffers<'_, E::Accumulator>,
        progress: &Progress<'_>,
    ) {
        let Passes { plan, tiles: counts, blocks, .. } = self.passes;
        let tiles: usize = counts.iter().product();
        // The block whose first chunk of weights lies in the panel; valid for the next tile if it is the only chunk.
        let mut packed = None;
        for task in tasks {
            if progress.cancelled() {
                return;
            }
            let (block, rest) = (task / (tiles * self.shape.batch), task % (tiles * self.shape.batch));
            let (image, index) = (rest / tiles, rest % tiles);
            let (group, first) = (block / blocks, block % blocks * plan.block);
            let lanes = match plan.algorithm {
                Algorithm::Direct { .. } => plan.block,
                Algorithm::Depthwise => plan.block.min(self.shape.out_channels - first),
            };
            let at = [index / (counts[1] * counts[2]), index / counts[2] % counts[1], index % counts[2]];
            let start: [usize; 3] = std::array::from_fn(|axis| at[axis] * plan.tile[axis]);
            let size: [usize; 3] =
                std::array::from_fn(|axis| plan.tile[axis].min(axes[axis].outputs.saturating_sub(start[axis])));
            if size.contains(&0) {
                continue;
            }
            let task = Task { image, block: Block { group, first, lanes }, tile: Tile { start, size } };
            self.task(axes, &task, work, &mut packed, progress);
        }
    }

    fn task(
        &self,
        axes: &[AxisPass; 3],
        task: &Task,
        work: &mut Buffers<'_, E::Accumulator>,
        packed: &mut Option<Block>,
        progress: &Progress<'_>,
    ) {
        let (shape, plan) = (self.shape, &self.passes.plan);
        let Task { image, block, tile } = *task;
        let chunks = Chunks::of(shape, axes, plan);
        let only_chunk = chunks.number() == 1;
        let mut fresh = true;
        for chunk in chunks {
            if progress.cancelled() {
                return;
            }
            if !only_chunk || *packed != Some(block) {
                pack(shape, axes, &self.operands.weight, block, &chunk, work.panel);
                *packed = Some(block);
            }
            let pixel_lanes = (plan.algorithm == Algorithm::Depthwise).then_some(plan.lanes);
            let request = Request { shape, pass: axes, tile, chunk, image, group: block.group, pixel_lanes };
            let input = &self.operands.input;
            let patch = request.in_place(input).unwrap_or_else(|| request.staged(input, work.patch));
            let taps = &mut work.taps[..chunk.len()];
            patch.tap_offsets(axes, &chunk, taps);
            let pixels = pixel_offsets(axes, plan, &tile, &patch, work.pixels);
            let panel = &*work.panel;
            match plan.algorithm {
                Algorithm::Direct { vectors } => {
                    dispatch(self.isa, Pixels { patch: patch.pointer, pixels, taps, panel, sums: work.sums, vectors, fresh })
                }
                Algorithm::Depthwise => dispatch(
                    self.isa,
                    PixelVectors {
                        patch: patch.pointer,
                        vectors: pixels,
                        taps,
                        panel,
                        sums: work.sums,
                        channels: block.lanes,
                        fresh,
                    },
                ),
            }
            fresh = false;
        }
        self.write(axes, task, work.sums);
    }

    /// Writes what outputs are that no tap reaches, to all: zero plus bias.
    fn write_gaps(&self) -> Result<(), Error> {
        let [batch, channels, depth, height, width] = self.shape.output_shape();
        for_each_chunk(batch * channels * depth, height * width, |planes, progress| {
            for plane in planes {
                if progress.cancelled() {
                    return;
                }
                let (image, channel, z) = (plane / (channels * depth), plane / depth % channels, plane % depth);
                let zero = E::Accumulator::default();
                let bias = self.operands.bias.as_ref().map(|bias| bias.get([0, 0, 0, 0, channel]).widen());
                let value = E::narrow(bias.map_or(zero, |bias| zero.plus(bias)));
                for y in 0..height {
                    // SAFETY: a plane is one task.
                    unsafe { self.output.write_row([image, channel, z, y, 0], 1, width, |_| value) };
                }
            }
        })
    }

    /// Adds the bias, rounds, and writes the block's output channels of the tile.
    fn write(&self, axes: &[AxisPass; 3], task: &Task, sums: &[E::Accumulator]) {
        let (shape, plan) = (self.shape, &self.passes.plan);
        let Task { image, block: Block { group, first, .. }, tile } = task;
        let [depth, height, width] = tile.size;
        let (channel_stride, row_stride, pixel_stride) = match plan.algorithm {
            Algorithm::Direct { .. } => (1, width * plan.block, plan.block),
            Algorithm::Depthwise => {
                let row = width.next_multiple_of(plan.lanes);
                (depth * height * row, row, 1)
            }
        };
        for channel in 0..plan.block.min(shape.out_channels - first) {
            let output_channel = group * shape.out_channels + first + channel;
            let bias = self.operands.bias.as_ref().map(|bias| bias.get([0, 0, 0, 0, output_channel]).widen());
            for z in 0..depth {
                for y in 0..height {
                    let at = |axis: usize, offset: usize| {
                        axes[axis].output_start + (tile.start[axis] + offset) * axes[axis].output_step
                    };
                    let row = &sums[channel * channel_stride + (z * height + y) * row_stride..];
                    let index = [*image, output_channel, at(0, z), at(1, y), at(2, 0)];
                    let step = axes[2].output_step;
                    assert!((width - 1) * pixel_stride < row.len());
                    // SAFETY: tiles, blocks, groups, images and phases are disjoint, and each is one task; `write_row` asks for
                    // positions below `width`, whose sums are in the row.
                    unsafe {
                        let sum = |x: usize| *row.get_unchecked(x * pixel_stride);
                        match (bias, pixel_stride) {
                            (Some(bias), 1) => {
                                self.output.write_row(index, step, width, |x| E::narrow(row.get_unchecked(x).plus(bias)))
                            }
                            (Some(bias), _) => self.output.write_row(index, step, width, |x| E::narrow(sum(x).plus(bias))),
                            (None, 1) => self.output.write_row(index, step, width, |x| E::narrow(*row.get_unchecked(x))),
                            (None, _) => self.output.write_row(index, step, width, |x| E::narrow(sum(x))),
                        }
                    }
                }
            }
        }
    }
}

/// Offsets of the pixels of a tile in the patch, or of the first pixel of every vector of them.
fn pixel_offsets<'a, T>(axes: &[AxisPass; 3], plan: &Plan, tile: &Tile, patch: &Patch<T>, offsets: &'a mut [u32]) -> &'a [u32] {
    let lanes = if plan.algorithm == Algorithm::Depthwise { plan.lanes } else { 1 };
    let step = patch.pixel_step(axes);
    let mut count = 0;
    for z in 0..tile.size[0] {
        for y in 0..tile.size[1] {
            let row = patch.pixel_row(axes, z, y);
            for x in (0..tile.size[2]).step_by(lanes) {
                offsets[count] = (row + x * step) as u32;
                count += 1;
            }
        }
    }
    &offsets[..count]
}

/// The chunks of a pass, in the order in which every output element adds its taps.
struct Chunks {
    total: [usize; 4],
    chunk: [usize; 4],
    next: usize,
}

impl Chunks {
    fn of(shape: &ConvShape, axes: &[AxisPass; 3], plan: &Plan) -> Self {
        let taps = axes.map(|axis| axis.taps);
        let chunk = plan.chunk_taps;
        let mut total = [shape.in_channels, taps[0], taps[1], taps[2]];
        if total.contains(&0) {
            total = [0; 4];
        }
        Chunks { total, chunk: [plan.chunk_channels, chunk[0], chunk[1], chunk[2]], next: 0 }
    }

    fn counts(&self) -> [usize; 4] {
        // No taps at all are one empty chunk, which sets the sums to zero.
        std::array::from_fn(|axis| self.total[axis].div_ceil(self.chunk[axis]).max(1))
    }

    fn number(&self) -> usize {
        self.counts().iter().product()
    }
}

impl Iterator for Chunks {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        if self.next >= self.number() {
            return None;
        }
        let counts = self.counts();
        let mut rest = self.next;
        let mut ranges = [(0, 0); 4];
        for axis in (0..4).rev() {
            let start = rest % counts[axis] * self.chunk[axis];
            ranges[axis] = (start, (start + self.chunk[axis]).min(self.total[axis]));
            rest /= counts[axis];
        }
        self.next += 1;
        Some(Chunk { channels: ranges[0], taps: [ranges[1], ranges[2], ranges[3]] })
    }
}
