//! One convolution, from arrays to arrays: which tasks there are, and who computes them.

use std::ops::Range;

use super::epilogue::Epilogue;
use super::job::Job;
use super::passes::{Outside, Passes, all_finite};
use super::plan::Algorithm;
use super::rows::Rows;
use super::weights::{Panels, Weights};
use crate::array::{CALL_BYTES, Element, SharedOutput, View, ViewMut, with_call_scratch};
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
    let Operands { input, weight, bias } = operands;
    assert_eq!(weight.shape()[2..], shape.kernel);
    if let Some(axis) = shape.long_axis() {
        let operands = Operands { input: input.with_width(axis), weight: weight.with_width(axis), bias: *bias };
        return run(isa, &shape.with_width(axis), &operands, &mut output.with_width(axis));
    }
    let epilogue = Epilogue::bias(isa, *bias);
    // That the weights are finite is found out while they are packed, if all passes' are packed together.
    let passes = |finite| {
        let outside = Outside::of(shape, finite);
        Passes::new(shape, lanes::<E::Accumulator>(isa), size_of::<E::Accumulator>(), outside, false)
    };
    let optimistic = passes(true);
    if let Some(bytes) = optimistic.packed_ahead {
        if packed_ahead(isa, &optimistic, bytes, input, weight, &epilogue, output)? {
            return Ok(());
        }
    } else if !shape.transposed || optimistic.packs_phases || all_finite(weight)? {
        return compute(isa, &optimistic, input, Weights::Given(*weight), &epilogue, output, 0..optimistic.tasks());
    }
    let passes = passes(false);
    compute(isa, &passes, input, Weights::Given(*weight), &epilogue, output, 0..passes.tasks())
}

/// Packs the weights of as many splits as there is room for and computes their tasks, then the next; stops and says so where
/// a transposed convolution has a weight that is not finite.
fn packed_ahead<E: Element<Accumulator: Lanes>>(
    isa: Isa,
    passes: &Passes,
    bytes: usize,
    input: &View<'_, E>,
    weight: &View<'_, E>,
    epilogue: &Epilogue<'_, E>,
    output: &mut ViewMut<'_, E>,
) -> Result<bool, Error> {
    let (shape, all, splits) = (&passes.shape, passes.all(), passes.splits);
    let blocks = shape.out_channels.div_ceil(passes.plan.block);
    let first_block = |split: usize| split / splits * blocks + split % splits * passes.blocks_per_split;
    let tasks_per_split = passes.tasks() / (shape.groups * splits);
    let room = CALL_BYTES / bytes;
    for first in (0..shape.groups * splits).step_by(room) {
        let last = (first + room).min(shape.groups * splits);
        let panels = Panels::new(shape, &passes.plan, &all, first_block(first)..first_block(last));
        let computed = with_call_scratch(panels.elements() * size_of::<E::Accumulator>(), |scratch| {
            let data = scratch.cut(panels.elements());
            panels.pack(isa, shape, &all, weight, data)?;
            if shape.transposed && !panels.finite() {
                return Ok(false);
            }
            let (weights, tasks) = (Weights::Packed(&panels, data), first * tasks_per_split..last * tasks_per_split);
            compute(isa, passes, input, weights, epilogue, output, tasks).map(|()| true)
        })?;
        if !computed {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Some tasks of one direct convolution.
pub(super) fn compute<E: Element<Accumulator: Lanes>>(
    isa: Isa,
    passes: &Passes,
    input: &View<'_, E>,
    weights: Weights<'_, E>,
    epilogue: &Epilogue<'_, E>,
    output: &mut ViewMut<'_, E>,
    tasks: Range<usize>,
) -> Result<(), Error> {
    let shape = &passes.shape;
    assert_eq!(output.shape(), shape.output_shape());
    assert_eq!(input.shape()[2..], shape.input);
    if shape.output_shape().contains(&0) {
        return Ok(());
    }
    let output = SharedOutput::new(output);
    if tasks.start == 0 && shape.has_gaps() {
        write_gaps(shape, epilogue, &output)?;
    }
    if tasks.is_empty() {
        return Ok(());
    }
    let taps: usize = shape.in_channels * shape.kernel.iter().product::<usize>();
    let outputs: usize = shape.output_shape().iter().product();
    let work = outputs.saturating_mul(taps / passes.count() + 1) / passes.tasks();
    if let (Algorithm::Rows, Weights::Given(weight)) = (passes.plan.algorithm, &weights) {
        let rows = Rows { isa, shape, passes, input, weight, epilogue, output: &output };
        return for_each_chunk(tasks.len(), work, |range, progress| rows.run(range, progress));
    }
    let job = Job { isa, shape, input, weights, epilogue, output, passes, outside: passes.outside };
    for_each_chunk(tasks.len(), work, |range, progress| {
        job.tasks(tasks.start + range.start..tasks.start + range.end, progress);
    })
}

/// Writes what outputs are that no tap reaches, to all: zero, bias and the rest of the epilogue.
fn write_gaps<E: Element<Accumulator: Lanes>>(
    shape: &ConvShape,
    epilogue: &Epilogue<'_, E>,
    output: &SharedOutput<'_, E>,
) -> Result<(), Error> {
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
                    epilogue.apply([image, channel, z, y, x], 1, &mut sum);
                    E::narrow(sum[0])
                };
                // SAFETY: a plane is one task.
                unsafe { output.write_row([image, channel, z, y, 0], 1, width, value) };
            }
        }
    })
}
