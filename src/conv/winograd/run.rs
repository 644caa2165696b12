//! Walks every (group, split of the output channels, image, run of tiles): stage and transform, multiply, transform and write.

use std::ops::Range;

use super::OUTPUTS;
use super::buffers::{Buffers, Sizes};
use super::division::{Division, Task, even_run};
use super::form::Form;
use super::input::Input;
use super::output::Output;
use super::plan::WinogradPlan;
use super::products::Products;
use super::weights::Transformed;
use crate::array::{Element, RANK, SharedOutput, View, ViewMut, with_scratch};
use crate::conv::epilogue::Epilogue;
use crate::conv::pack::{Block, Chunk};
use crate::conv::patch::{Request, Tile};
use crate::conv::patch_axis::PatchAxis;
use crate::conv::plan::DIRECT_PIECE;
use crate::conv::weights::Packed;
use crate::conv::write::{Layout, Places, Write};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{AxisPass, ConvShape};
use crate::simd::{Isa, Lanes, dispatch};

/// Most bundles whose outputs are written together.
pub(super) fn strip_bundles(form: Form) -> usize {
    DIRECT_PIECE / form.bundle().iter().product::<usize>()
}

/// Tasks of a convolution, and the working memory of each thread for accumulators of type `T`.
pub(in crate::conv) fn effort<T>(shape: &ConvShape, plan: &WinogradPlan) -> (usize, usize) {
    let division = Division::new(shape, plan);
    (division.tasks(), Sizes::new(shape, plan, division.largest()).bytes::<T>())
}

/// One convolution.
pub(in crate::conv) struct Problem<'a, E: Element> {
    pub isa: Isa,
    pub shape: &'a ConvShape,
    pub plan: WinogradPlan,
    pub input: &'a View<'a, E>,
    pub weights: &'a Transformed<E::Accumulator>,
    /// Weights of the direct algorithm in the plan's blocks, for tiles whose result is not finite.
    pub direct: &'a (dyn Fn() -> &'a Packed<E::Accumulator> + Sync),
    pub epilogue: &'a Epilogue<'a, E>,
}

impl<E: Element<Accumulator: Lanes>> Problem<'_, E> {
    /// Computes into `output`, whose shape is that of the problem's result.
    pub fn compute(&self, output: &mut ViewMut<'_, E>) -> Result<(), Error> {
        let shape = self.shape;
        assert_eq!(output.shape(), shape.output_shape());
        assert_eq!(self.input.shape()[2..], shape.input);
        if shape.output_shape().contains(&0) {
            return Ok(());
        }
        let division = Division::new(shape, &self.plan);
        let axes: [_; 3] = std::array::from_fn(|axis| shape.axis_pass(axis, 0));
        let job = Job {
            problem: self,
            form: Form::of(shape),
            axes,
            dense: [axes[0], axes[1], AxisPass { taps: axes[2].extent(1, axes[2].taps), tap_step: 1, ..axes[2] }],
            sizes: Sizes::new(shape, &self.plan, division.largest()),
            output: SharedOutput::new(output),
        };
        let outputs: usize = shape.output_shape().iter().product();
        let products = job.form.positions() * shape.in_channels * shape.kernel[0] / (job.form.rows * OUTPUTS);
        let work = outputs.saturating_mul(products + 1) / division.tasks();
        for_each_chunk(division.tasks(), work, |tasks, progress| {
            with_scratch(job.sizes.bytes::<E::Accumulator>(), |scratch| {
                let mut work = job.sizes.cut(scratch);
                for task in tasks {
                    job.task(&division.task(task), &mut work, progress);
                    if progress.cancelled() {
                        return;
                    }
                }
            });
        })
    }
}

pub(super) struct Job<'j, 'a, E: Element> {
    pub problem: &'j Problem<'a, E>,
    pub form: Form,
    pub axes: [AxisPass; 3],
    /// The same with all columns between the taps, which are those of other tiles.
    dense: [AxisPass; 3],
    sizes: Sizes,
    output: SharedOutput<'j, E>,
}

impl<E: Element<Accumulator: Lanes>> Job<'_, '_, E> {
    fn task(&self, task: &Task, work: &mut Buffers<'_, E::Accumulator>, progress: &Progress<'_>) {
        let Problem { shape, plan, .. } = *self.problem;
        let [depth, height, width] = task.bundles.each_ref().map(Range::len);
        self.bring_in(task, work);
        for first in task.blocks.clone() {
            let block = plan.block(shape, task.group, first * plan.block);
            self.multiply(task, block, work);
            for number in 0..depth * height {
                let (z, y) = (task.bundles[0].start + number / height, task.bundles[1].start + number % height);
                let parts = width.div_ceil(strip_bundles(self.form));
                for part in 0..parts {
                    let columns = even_run(width, parts, part);
                    let products = (number * width + columns.start) * self.form.dilation;
                    let columns = columns.start + task.bundles[2].start..columns.end + task.bundles[2].start;
                    self.strip(task, block, [z..z + 1, y..y + 1, columns], products, work);
                }
            }
            if progress.cancelled() {
                return;
            }
        }
    }

    /// Multiplies all tiles of a task with a block.
    fn multiply(&self, task: &Task, block: Block, work: &mut Buffers<'_, E::Accumulator>) {
        let Problem { isa, shape, plan, weights, .. } = *self.problem;
        let Sizes { tile_stride, position_stride, products_stride, .. } = self.sizes;
        let axis = self.depth_axis(task.bundles[0].len());
        let plane = task.bundles[1].len() * task.bundles[2].len() * self.form.dilation;
        let (tiles, taps) = (task.bundles[0].len() * plane, shape.kernel[0] * shape.in_channels);
        for (tile, offset) in work.pixels[..tiles].iter_mut().enumerate() {
            *offset = ((tile / plane * axis.pixel_step * plane + tile % plane) * tile_stride) as u32;
        }
        for (tap, offset) in work.taps[..taps].iter_mut().enumerate() {
            let (depth, channel) = (tap / shape.in_channels, tap % shape.in_channels);
            *offset = (depth * axis.tap_step * plane * tile_stride + channel) as u32;
        }
        let products = Products {
            transformed: work.transformed,
            positions: self.form.positions(),
            position_stride,
            tiles: &work.pixels[..tiles],
            taps: &work.taps[..taps],
            panel: weights.panel(block),
            sums: work.products,
            sums_stride: products_stride,
            vectors: block.lanes / plan.lanes,
        };
        dispatch(isa, products);
    }

    fn depth_axis(&self, outputs: usize) -> PatchAxis {
        PatchAxis::new(&self.axes[0], outputs, self.problem.shape.kernel[0])
    }

    /// Outputs of some bundles.
    fn outputs(&self, bundles: [Range<usize>; 3]) -> Tile {
        let [depth, height, width] = bundles;
        let [_, rows, columns] = self.problem.shape.output;
        let [rows, columns] = self.form.outputs([height, width], [rows, columns]);
        Tile { start: [depth.start, rows.start, columns.start], size: [depth.len(), rows.len(), columns.len()] }
    }

    pub fn request<'s>(&'s self, pass: &'s [AxisPass; 3], task: &Task, tile: Tile, channels: (usize, usize)) -> Request<'s> {
        let Problem { shape, .. } = *self.problem;
        let chunk = Chunk { channels, taps: pass.map(|axis| (0, axis.taps)) };
        let (images, group) = ((task.image, 1), task.group);
        Request { shape, pass, tile, chunk, images, group, pixel_lanes: None, inside: false }
    }

    /// Transforms the input of a task. Whole rows, although they leave the L1 cache: short ones cost more in the input.
    fn bring_in(&self, task: &Task, work: &mut Buffers<'_, E::Accumulator>) {
        let Problem { isa, shape, plan, input, .. } = *self.problem;
        let tile = self.outputs(task.bundles.clone());
        let bundles = [task.bundles[1].len(), task.bundles[2].len()];
        let tiles = bundles[0] * bundles[1] * self.form.dilation;
        let Sizes { tile_stride, position_stride, .. } = self.sizes;
        for first in (0..shape.in_channels).step_by(plan.lanes) {
            let channels = (first, shape.in_channels.min(first + plan.lanes));
            let request = self.request(&self.dense, task, tile, channels);
            let mut staged = None;
            for index in 0..self.depth_axis(tile.size[0]).length {
                let slice = request
                    .slice_in_place(input, index, plan.lanes)
                    .unwrap_or_else(|| staged.get_or_insert_with(|| request.staged(isa, input, work.patch)).slice(index));
                let input = Input {
                    slice,
                    form: self.form,
                    bundles,
                    rows: work.rows,
                    columns: work.columns,
                    transformed: &mut work.transformed[index * tiles * tile_stride + first..],
                    tile_stride,
                    position_stride,
                };
                dispatch(isa, input);
            }
        }
    }

    /// Turns the products of neighbouring bundles, from tile number `first` on, into outputs.
    fn strip(&self, task: &Task, block: Block, bundles: [Range<usize>; 3], first: usize, work: &mut Buffers<'_, E::Accumulator>) {
        let isa = self.problem.isa;
        let tile = self.outputs(bundles);
        let [_, rows, columns] = tile.size;
        let bias = self.problem.epilogue.bias_of(block.outputs(self.problem.shape), work.bias);
        let output = Output {
            form: self.form,
            products: &work.products[first * block.lanes..],
            position_stride: self.sizes.products_stride,
            lanes: block.lanes,
            rows,
            columns,
            sums: work.sums,
            bias,
        };
        if !dispatch(isa, output) {
            self.repair(task, block, tile, work);
        }
        let output = self.output.strides();
        place(&tile, output, work.places);
        if let Some(residual) = &self.problem.epilogue.residual {
            place(&tile, residual.strides(), work.residual_places);
        }
        self.write(task, block, rows * columns, work);
    }

    fn write(&self, task: &Task, block: Block, pixels: usize, work: &mut Buffers<'_, E::Accumulator>) {
        let Problem { isa, shape, epilogue, .. } = *self.problem;
        let residual = if epilogue.residual.is_some() { &work.residual_places[..pixels] } else { &[] };
        let write = Write {
            output: &self.output,
            epilogue,
            image: task.image,
            channels: block.outputs(shape),
            places: Places { output: &work.places[..pixels], residual },
            sums: work.sums,
            bounded: false,
            layout: Layout::Pixels { lanes: block.lanes, step: self.output.strides()[4], rows: work.rows },
        };
        dispatch(isa, write);
    }
}

/// Offsets of pixels in an array of the output's shape, counted from the first element of a channel.
fn place(tile: &Tile, strides: [isize; RANK], places: &mut [isize]) {
    let [z, top, left] = tile.start;
    let mut places = places.iter_mut();
    for y in top..top + tile.size[1] {
        let row = z as isize * strides[2] + y as isize * strides[3];
        for (x, place) in (left..left + tile.size[2]).zip(&mut places) {
            *place = row + x as isize * strides[4];
        }
    }
}
