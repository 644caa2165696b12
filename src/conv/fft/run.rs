//! Walks every (group, run of output channels, image, tile): stage and transform, multiply, transform back and write.

use num_complex::Complex64;

use super::plan::{Division, FftPlan, dense};
use super::spectra::Spectra;
use super::transform::Transform;
use crate::array::{Accumulator, Element, SharedOutput, View, ViewMut, with_scratch};
use crate::conv::epilogue::Epilogue;
use crate::conv::pack::Chunk;
use crate::conv::patch::{Request, Tile};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{AxisPass, ConvShape};
use crate::simd::{Isa, Lanes, Operation, Simd, dispatch};

/// Tasks of a convolution, and the working memory of each thread for accumulators of type `T`.
pub(in crate::conv) fn effort<T>(shape: &ConvShape, plan: &FftPlan, spectra: &Spectra) -> (usize, usize) {
    let division = Division::new(shape, plan);
    (division.tasks(shape), bytes::<T>(plan, &division, &spectra.transform))
}

fn bytes<T>(plan: &FftPlan, division: &Division, transform: &Transform) -> usize {
    let complex = (1 + division.channels) * plan.bins() + transform.working();
    // Five cuts, each rounded up to a cache line.
    plan.elements() * (size_of::<T>() + size_of::<f64>()) + complex * size_of::<Complex64>() + 5 * 64
}

/// One convolution.
pub(in crate::conv) struct Problem<'a, E: Element> {
    pub isa: Isa,
    pub shape: &'a ConvShape,
    pub plan: FftPlan,
    pub input: &'a View<'a, E>,
    pub spectra: &'a Spectra,
    pub epilogue: &'a Epilogue<'a, E>,
}

impl<E: Element<Accumulator: Lanes>> Problem<'_, E> {
    /// Computes into `output`, whose shape is that of the problem's result.
    pub fn compute(&self, output: &mut ViewMut<'_, E>) -> Result<(), Error> {
        let (shape, plan) = (self.shape, &self.plan);
        assert_eq!(output.shape(), shape.output_shape());
        assert_eq!(self.input.shape()[2..], shape.input);
        if shape.output_shape().contains(&0) {
            return Ok(());
        }
        let division = Division::new(shape, plan);
        let job = Job { problem: self, axes: dense(shape), output: SharedOutput::new(output), division };
        let (inputs, outputs) = (shape.in_channels, job.division.channels);
        let transforms = plan.elements().saturating_mul(plan.elements().ilog2() as usize + 1).saturating_mul(inputs + outputs);
        let work = transforms.saturating_add(plan.bins().saturating_mul(4 * inputs * outputs));
        let transform = &self.spectra.transform;
        for_each_chunk(job.division.tasks(shape), work, |tasks, progress| {
            with_scratch(bytes::<E::Accumulator>(plan, &job.division, transform), |scratch| {
                let mut buffers = Buffers {
                    patch: scratch.cut(plan.elements()),
                    block: scratch.cut(plan.elements()),
                    spectrum: scratch.cut(plan.bins()),
                    sums: scratch.cut(plan.bins() * outputs),
                    working: scratch.cut(transform.working()),
                };
                for task in tasks {
                    job.task(task, &mut buffers, progress);
                    if progress.cancelled() {
                        return;
                    }
                }
            });
        })
    }
}

struct Buffers<'a, T> {
    /// The input of a tile; later a row of its outputs.
    patch: &'a mut [T],
    block: &'a mut [f64],
    spectrum: &'a mut [Complex64],
    /// `[output channel][bin]`.
    sums: &'a mut [Complex64],
    working: &'a mut [Complex64],
}

struct Job<'j, 'a, E: Element> {
    problem: &'j Problem<'a, E>,
    /// At unit stride.
    axes: [AxisPass; 3],
    output: SharedOutput<'j, E>,
    division: Division,
}

impl<E: Element<Accumulator: Lanes>> Job<'_, '_, E> {
    /// Neighbouring tasks share their spectra.
    fn task(&self, task: usize, buffers: &mut Buffers<'_, E::Accumulator>, progress: &Progress<'_>) {
        let Problem { isa, shape, plan, spectra, .. } = *self.problem;
        let (tiles, splits) = (self.division.tiles(), self.division.splits);
        let (part, rest) = (task / (shape.batch * tiles), task % (shape.batch * tiles));
        let (group, image, tile) = (part / splits, rest / tiles, self.tile(rest % tiles));
        let first = part % splits * self.division.channels;
        let outputs = first..shape.out_channels.min(first + self.division.channels);
        buffers.sums.fill(Complex64::default());
        for channel in 0..shape.in_channels {
            self.bring_in(group, image, channel, &tile, buffers);
            spectra.transform.forward(buffers.block, buffers.spectrum, buffers.working);
            for (output, sums) in outputs.clone().zip(buffers.sums.chunks_exact_mut(plan.bins())) {
                let kernel = spectra.kernel(group * shape.out_channels + output, channel);
                dispatch(isa, MultiplyAdd { spectrum: buffers.spectrum, kernel, sums });
            }
            if progress.cancelled() {
                return;
            }
        }
        for (index, output) in outputs.enumerate() {
            let sums = &mut buffers.sums[index * plan.bins()..][..plan.bins()];
            spectra.transform.inverse(sums, buffers.block, buffers.working);
            self.write(image, group * shape.out_channels + output, &tile, buffers);
        }
    }

    /// The outputs of a tile of an image.
    fn tile(&self, number: usize) -> Tile {
        let Problem { shape, plan, .. } = *self.problem;
        let [_, height, width] = self.division.grid;
        let at = [number / (height * width), number / width % height, number % width];
        let start: [usize; 3] = std::array::from_fn(|axis| at[axis] * plan.tile[axis]);
        Tile { start, size: std::array::from_fn(|axis| plan.tile[axis].min(shape.output[axis] - start[axis])) }
    }

    /// One input channel of a tile, with zeros behind.
    fn bring_in(&self, group: usize, image: usize, channel: usize, tile: &Tile, buffers: &mut Buffers<'_, E::Accumulator>) {
        let Problem { isa, shape, plan, input, .. } = *self.problem;
        // The box of neighbouring outputs at unit stride.
        let steps = [0, 1, 2].map(|axis| shape.axis_pass(axis, 0).input_step);
        let tile = Tile {
            start: std::array::from_fn(|axis| tile.start[axis] * steps[axis]),
            size: std::array::from_fn(|axis| (tile.size[axis] - 1) * steps[axis] + 1),
        };
        let chunk = Chunk { channels: (channel, channel + 1), taps: self.axes.map(|axis| (0, axis.taps)) };
        let request =
            Request { shape, pass: &self.axes, tile, chunk, images: (image, 1), group, pixel_lanes: None, inside: false };
        let patch = request.staged(isa, input, buffers.patch);
        let [_, rows, columns] = patch.axes.map(|axis| axis.length);
        let (whole, rest) = buffers.block.split_at_mut(rows * plan.block[1]);
        for (from, to) in buffers.patch.chunks_exact(columns).zip(whole.chunks_exact_mut(plan.block[1])) {
            for (&from, to) in from.iter().zip(&mut *to) {
                *to = from.to_f64();
            }
            to[columns..].fill(0.0);
        }
        rest.fill(0.0);
    }

    /// Every output of a tile out of those at unit stride.
    fn write(&self, image: usize, channel: usize, tile: &Tile, buffers: &mut Buffers<'_, E::Accumulator>) {
        let Problem { shape, plan, epilogue, .. } = *self.problem;
        let [_, down, across] = [0, 1, 2].map(|axis| shape.axis_pass(axis, 0).input_step);
        let ([z, top, left], [_, height, width]) = (tile.start, tile.size);
        for (row, values) in buffers.block.chunks_exact(plan.block[1]).step_by(down).take(height).enumerate() {
            let sums = &mut buffers.patch[..width];
            for (sum, &value) in sums.iter_mut().zip(values.iter().step_by(across)) {
                *sum = E::Accumulator::from_f64(value);
            }
            let at = [image, channel, z, top + row, left];
            epilogue.apply(at, 1, sums);
            // SAFETY: a tile of a channel belongs to one task.
            unsafe { self.output.write_row(at, 1, width, |column| E::narrow(sums[column])) };
        }
    }
}

/// Adds the products of a block's spectrum with a kernel's.
struct MultiplyAdd<'a> {
    spectrum: &'a [Complex64],
    kernel: &'a [Complex64],
    sums: &'a mut [Complex64],
}

impl Operation<f64> for MultiplyAdd<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = f64>>(self, _simd: S) {
        for ((sum, spectrum), kernel) in self.sums.iter_mut().zip(self.spectrum).zip(self.kernel) {
            sum.re += spectrum.re * kernel.re - spectrum.im * kernel.im;
            sum.im += spectrum.re * kernel.im + spectrum.im * kernel.re;
        }
    }
}
