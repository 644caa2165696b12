//! One convolution, from arrays to arrays: which tasks there are, and who computes them.

use super::epilogue::Epilogue;
use super::job::Job;
use super::passes::{Outside, Passes, all_finite};
use super::plan::Algorithm;
use super::rows::Rows;
use super::weights::Weights;
use crate::array::{Element, SharedOutput, View, ViewMut};
use crate::error::Error;
use crate::parallel::for_each_chunk;
use crate::shape::ConvShape;
use crate::simd::{Isa, Lanes, Simd};

/// The arrays of one convolution.
pub struct Operands<'a, E> {
    /// (batch, groups * in channels, depth, height, width).
    pub input: View<'a, E>,
    /// As [`ConvShape::new`] or [`ConvShape::transposed`] took it.
    pub weight: View<'a, E>,
    /// One element an output channel, at the given stride, if there is a bias.
    pub bias: Option<View<'a, E>>,
}

/// Lanes of the token that `isa` uses for `T`.
pub(super) fn lanes<T: Lanes>(isa: Isa) -> usize {
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
    assert_eq!(operands.weight.shape()[2..], shape.kernel);
    let finite = !shape.transposed || all_finite(&operands.weight)?;
    let outside = Outside::of(shape, finite);
    let passes = Passes::new(shape, lanes::<E::Accumulator>(isa), size_of::<E::Accumulator>(), outside, false);
    compute(isa, &passes, &operands.input, Weights::Given(operands.weight), &Epilogue::bias(operands.bias), output)
}

/// One direct convolution, with its passes cut into tasks.
pub(super) fn compute<E: Element<Accumulator: Lanes>>(
    isa: Isa,
    passes: &Passes<'_>,
    input: &View<'_, E>,
    weights: Weights<'_, E>,
    epilogue: &Epilogue<'_, E>,
    output: &mut ViewMut<'_, E>,
) -> Result<(), Error> {
    let shape = passes.shape;
    assert_eq!(output.shape(), shape.output_shape());
    assert_eq!(input.shape()[2..], shape.input);
    if shape.output_shape().contains(&0) {
        return Ok(());
    }
    let tasks = passes.tasks();
    let output = SharedOutput::new(output);
    if shape.has_gaps() {
        write_gaps(shape, epilogue, &output)?;
    }
    if tasks == 0 {
        return Ok(());
    }
    let taps: usize = shape.in_channels * shape.kernel.iter().product::<usize>();
    let outputs: usize = shape.output_shape().iter().product();
    let work = outputs.saturating_mul(taps / passes.count() + 1) / tasks;
    if let (Algorithm::Rows, Weights::Given(weight)) = (passes.plan.algorithm, &weights) {
        let rows = Rows { isa, shape, passes, input, weight, epilogue, output: &output };
        return for_each_chunk(tasks, work, |range, progress| rows.run(range, progress));
    }
    let job = Job { isa, shape, input, weights, epilogue, output, passes };
    for_each_chunk(tasks, work, |range, progress| job.tasks(range, progress))
}

/// Writes what outputs are that no tap reaches, to all: zero, bias and the rest of the epilogue.
fn write_gaps<E: Element>(shape: &ConvShape, epilogue: &Epilogue<'_, E>, output: &SharedOutput<'_, E>) -> Result<(), Error> {
    let [batch, channels, depth, height, width] = shape.output_shape();
    for_each_chunk(batch * channels * depth, height * width, |planes, progress| {
        for plane in planes {
            let (image, channel, z) = (plane / (channels * depth), plane / depth % channels, plane % depth);
            for y in 0..height {
                if progress.cancelled() {
                    return;
                }
                let value = |x: usize| {
                    let mut sum = [E::Accumulator::default()];
                    let residual = |_| *epilogue.residual.as_ref().expect("asked only if there").get([image, channel, z, y, x]);
                    epilogue.apply(channel, &mut sum, residual);
                    E::narrow(sum[0])
                };
                // SAFETY: a plane is one task.
                unsafe { output.write_row([image, channel, z, y, 0], 1, width, value) };
            }
        }
    })
}
