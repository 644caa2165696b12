//! One spatial axis.

use std::ops::Range;

use crate::error::Error;

/// What lies outside the input, for convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaddingMode {
    /// Zeros.
    Zeros,
    /// Mirrored about the edge element, which is not repeated.
    Reflect,
    /// The edge element.
    Replicate,
    /// The opposite end.
    Circular,
}

impl PaddingMode {
    /// The input element seen at `position` (negative or beyond `size` for padding); `None` is a zero.
    #[inline(always)]
    pub fn source(self, position: isize, size: usize) -> Option<usize> {
        let size = size as isize;
        if (0..size).contains(&position) {
            return Some(position as usize);
        }
        let source = match self {
            PaddingMode::Zeros => return None,
            PaddingMode::Reflect => {
                if position < 0 {
                    -position
                } else {
                    2 * (size - 1) - position
                }
            }
            PaddingMode::Replicate => position.clamp(0, size - 1),
            PaddingMode::Circular => position.rem_euclid(size),
        };
        Some(source as usize)
    }

    /// The largest padding this mode can fill from an input of `size`; `None` is no limit.
    pub fn most(self, size: usize) -> Option<usize> {
        match self {
            PaddingMode::Zeros => None,
            PaddingMode::Replicate => (size == 0).then_some(0),
            PaddingMode::Reflect => Some(size.saturating_sub(1)),
            PaddingMode::Circular => Some(size),
        }
    }
}

/// One axis of a convolution whose stride is regular on both sides: output `j` of the pass stands at
/// `output_start + j * output_step`, and its tap `t` reads input `input_start + j * input_step + t * tap_step` and kernel
/// element `kernel_start + t * kernel_step`. A convolution is one pass; a transposed convolution is one pass a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AxisPass {
    pub outputs: usize,
    pub output_start: usize,
    pub output_step: usize,
    pub input_start: isize,
    pub input_step: usize,
    pub taps: usize,
    pub tap_step: usize,
    pub kernel_start: usize,
    pub kernel_step: isize,
}

impl AxisPass {
    /// The pass of a plain convolution.
    pub fn plain(outputs: usize, kernel: usize, stride: usize, dilation: usize, before: usize) -> Self {
        AxisPass {
            outputs,
            output_start: 0,
            output_step: 1,
            input_start: -(before as isize),
            input_step: stride,
            taps: kernel,
            tap_step: dilation,
            kernel_start: 0,
            kernel_step: 1,
        }
    }

    /// Passes of a transposed convolution: taps a period apart reach the same outputs.
    pub fn phases(kernel: usize, stride: usize, dilation: usize) -> usize {
        kernel.min(stride / gcd(stride, dilation))
    }

    /// The pass of a transposed convolution whose first tap is `first`, one of the first [`AxisPass::phases`]: the outputs
    /// which that tap reaches, and all taps that reach them (output = input * stride - padding + tap * dilation).
    pub fn phase(first: usize, outputs: usize, kernel: usize, stride: usize, dilation: usize, padding: usize) -> Self {
        let (step, common) = (stride as i128, gcd(stride, dilation));
        let period = stride / common;
        let taps = (kernel - 1 - first) / period + 1;
        let last = first + (taps - 1) * period;
        let phase = (first as i128 * dilation as i128 - padding as i128).rem_euclid(step);
        AxisPass {
            outputs: outputs.saturating_sub(phase as usize).div_ceil(stride),
            output_start: phase as usize,
            output_step: stride,
            // Taps run from the last to the first, so that the input position rises.
            input_start: (phase + padding as i128 - last as i128 * dilation as i128).div_euclid(step) as isize,
            input_step: 1,
            taps,
            tap_step: dilation / common,
            kernel_start: last,
            kernel_step: -(period as isize),
        }
    }

    /// Taps that read inside an input of `size` for some output of a range.
    pub fn taps_inside(&self, outputs: Range<usize>, size: usize) -> Range<usize> {
        let step = self.tap_step as isize;
        let position = |output: usize| self.input_start + (output * self.input_step) as isize;
        let first = ceil_div((-position(outputs.end - 1)).max(0), step).min(self.taps as isize);
        let end = ceil_div((size as isize - position(outputs.start)).max(0), step).clamp(first, self.taps as isize);
        first as usize..end as usize
    }

    /// The pass of a non-empty range of its outputs alone, without the taps that read outside an input of `size` for all of them.
    pub fn clipped(&self, outputs: Range<usize>, size: usize) -> AxisPass {
        let taps = self.taps_inside(outputs.clone(), size);
        let kernel_start = self.kernel_start as isize + taps.start as isize * self.kernel_step;
        AxisPass {
            outputs: outputs.len(),
            output_start: self.output_start + outputs.start * self.output_step,
            input_start: self.input_start + (outputs.start * self.input_step + taps.start * self.tap_step) as isize,
            // Where no tap is left there may be no kernel element either.
            kernel_start: if taps.is_empty() { self.kernel_start } else { kernel_start as usize },
            taps: taps.len(),
            ..*self
        }
    }

    /// The outputs all of whose taps read inside an input of `size`.
    fn whole(&self, size: usize) -> Range<usize> {
        let first = ceil_div((-self.input_start).max(0), self.input_step as isize) as usize;
        let room = size as i128 - self.input_start as i128 - self.extent(1, self.taps) as i128;
        let end = if room < 0 { 0 } else { (room as usize / self.input_step + 1).min(self.outputs) };
        first..end.max(first)
    }

    /// Whether all taps of a non-empty range of outputs read inside an input of `size`.
    pub fn is_inside(&self, outputs: Range<usize>, size: usize) -> bool {
        let whole = self.whole(size);
        whole.start <= outputs.start && outputs.end <= whole.end
    }

    /// Cuts a range of outputs into runs of at least `least`, each with the taps that read inside an input of `size` for some of
    /// its outputs; those of a run differ only where it would be shorter otherwise.
    pub fn runs_inside(&self, outputs: Range<usize>, size: usize, least: usize) -> Vec<(Range<usize>, Range<usize>)> {
        let whole = self.whole(size);
        let taps =
            |output: usize| if whole.contains(&output) { 0..self.taps } else { self.taps_inside(output..output + 1, size) };
        let mut starts = vec![outputs.start];
        for output in outputs.start + 1..outputs.end {
            let long = output - starts[starts.len() - 1] >= least && outputs.end - output >= least;
            if long && taps(output) != taps(output - 1) {
                starts.push(output);
            }
        }
        let ends = starts[1..].iter().chain([&outputs.end]);
        let run = |(&start, &end): (&usize, &usize)| (start..end, self.taps_inside(start..end, size));
        starts.iter().zip(ends).map(run).collect()
    }

    /// Cuts a range of outputs into runs that have the same taps inside an input of `size`, and drops the taps outside.
    pub fn without_padding(&self, outputs: Range<usize>, size: usize) -> impl Iterator<Item = AxisPass> + '_ {
        let mut start = outputs.start;
        std::iter::from_fn(move || {
            if start >= outputs.end {
                return None;
            }
            let taps = self.taps_inside(start..start + 1, size);
            let differs = |&output: &usize| self.taps_inside(output..output + 1, size) != taps;
            let end = (start + 1..outputs.end).find(differs).unwrap_or(outputs.end);
            let run = self.clipped(start..end, size);
            start = end;
            Some(run)
        })
    }

    /// Input elements from the first to the last that `outputs` neighbours with `taps` taps read.
    #[inline(always)]
    pub fn extent(&self, outputs: usize, taps: usize) -> usize {
        if outputs == 0 || taps == 0 {
            return 0;
        }
        (outputs - 1).saturating_mul(self.input_step).saturating_add((taps - 1).saturating_mul(self.tap_step)).saturating_add(1)
    }
}

fn ceil_div(number: isize, step: isize) -> isize {
    (number + step - 1) / step
}

/// The greatest common divisor.
pub(crate) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Output size of a plain convolution along one axis.
pub(super) fn conv_output(
    axis: usize,
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: (usize, usize),
) -> Result<usize, Error> {
    let overflow = Error::Overflow { what: "the padded input" };
    let padded = input.checked_add(padding.0).and_then(|sum| sum.checked_add(padding.1)).ok_or(overflow.clone())?;
    let effective = (kernel - 1).checked_mul(dilation).and_then(|span| span.checked_add(1)).ok_or(overflow.clone())?;
    if padded > isize::MAX as usize / 4 {
        return Err(overflow);
    }
    if effective > padded {
        return Err(Error::KernelTooLarge { axis, input, padding, kernel, dilation });
    }
    Ok((padded - effective) / stride + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_reach_every_pair_of_the_definition_once() {
        for (input, kernel, stride, dilation, padding) in
            [(5, 3, 2, 1, 1), (4, 4, 3, 2, 0), (3, 5, 2, 2, 3), (6, 2, 5, 3, 1), (1, 1, 4, 1, 0)]
        {
            let outputs = (input - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding;
            let mut expected = Vec::new();
            for i in 0..input {
                for k in 0..kernel {
                    let o = (i * stride + k * dilation) as isize - padding as isize;
                    if (0..outputs as isize).contains(&o) {
                        expected.push((o as usize, i, k));
                    }
                }
            }
            let mut found = Vec::new();
            for first in 0..AxisPass::phases(kernel, stride, dilation) {
                let pass = AxisPass::phase(first, outputs, kernel, stride, dilation, padding);
                for j in 0..pass.outputs {
                    for t in 0..pass.taps {
                        let i = pass.input_start + (j * pass.input_step + t * pass.tap_step) as isize;
                        let k = pass.kernel_start as isize + t as isize * pass.kernel_step;
                        if (0..input as isize).contains(&i) {
                            found.push((pass.output_start + j * pass.output_step, i as usize, k as usize));
                        }
                    }
                }
            }
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected);
        }
    }
}
