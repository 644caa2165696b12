//! The windows of a pool along one spatial axis.

use std::ops::Range;

/// The elements one output covers along one axis: `first`, `first + step`, … (`taps` of them, all inside the input).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first covered element; without taps, where the first tap at or after the input's begin would be.
    pub first: usize,
    /// Covered elements.
    pub taps: usize,
    /// Distance of two covered elements.
    pub step: usize,
    /// The axis' part in the divisor of an average that counts the padding: elements inside input and padding together, or for
    /// some rules all elements of the kernel.
    pub extent: usize,
}

/// All windows along one axis.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Windows {
    /// Equal windows at equal distances. Elements count for an extent up to `counted`, from the beginning of the padding on.
    Sliding { input: usize, outputs: usize, kernel: usize, stride: usize, dilation: usize, before: usize, counted: usize },
    /// Output `i` covers floor(i * input / outputs) to ceil((i + 1) * input / outputs), as torch's adaptive pools.
    Adaptive { input: usize, outputs: usize },
    /// Equal windows at the pseudo-random distances of Graham, "Fractional Max-Pooling" (arXiv:1412.6071).
    Fractional { input: usize, outputs: usize, kernel: usize, sample: f64, round: fn(f64) -> f64 },
}

impl Windows {
    /// Adaptive windows; where they come out equal they are sliding ones.
    pub fn adaptive(input: usize, outputs: usize) -> Self {
        if outputs > 0 && input.is_multiple_of(outputs) {
            let kernel = input / outputs;
            Windows::Sliding { input, outputs, kernel, stride: kernel, dilation: 1, before: 0, counted: input }
        } else {
            Windows::Adaptive { input, outputs }
        }
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        match *self {
            Windows::Sliding { outputs, .. } | Windows::Adaptive { outputs, .. } | Windows::Fractional { outputs, .. } => outputs,
        }
    }

    /// The window of output `index`.
    #[inline(always)]
    pub fn window(&self, index: usize) -> Window {
        match *self {
            Windows::Sliding { input, kernel, stride, dilation, before, counted, .. } => {
                let start = index * stride;
                // Most windows are whole; they need no division.
                let skipped = if start >= before { 0 } else { (before - start).div_ceil(dilation) };
                let first = start + skipped * dilation - before;
                let wanted = kernel.saturating_sub(skipped);
                let taps = if wanted > 0 && first + (wanted - 1) * dilation < input {
                    wanted
                } else if first < input {
                    ((input - 1 - first) / dilation + 1).min(wanted)
                } else {
                    0
                };
                let whole = start + (kernel - 1) * dilation < counted;
                let extent = if whole { kernel } else { counted.saturating_sub(start).div_ceil(dilation) };
                Window { first, taps, step: dilation, extent }
            }
            Windows::Adaptive { input, outputs } => {
                let product = |index: usize| index as u128 * input as u128;
                let first = (product(index) / outputs as u128) as usize;
                let end = product(index + 1).div_ceil(outputs as u128) as usize;
                Window { first, taps: end - first, step: 1, extent: end - first }
            }
            Windows::Fractional { input, outputs, kernel, sample, round } => {
                let last = input - kernel;
                let first = if index + 1 >= outputs {
                    last
                } else {
                    let alpha = round(round(last as f64) / round((outputs - 1) as f64));
                    // A sample outside [0, 1) or a NaN must not reach outside the input.
                    let place = |from: f64| round(from * alpha) as i64;
                    let first = place(round(round(index as f64) + sample)).saturating_sub(place(sample));
                    (first.max(0) as usize).min(last)
                };
                Window { first, taps: kernel, step: 1, extent: kernel }
            }
        }
    }

    /// Outputs whose windows have every tap inside the input and follow each other at [`Windows::stride`].
    pub fn interior(&self) -> Range<usize> {
        let Windows::Sliding { input, outputs, kernel, stride, dilation, before, .. } = *self else { return 0..0 };
        let span = (kernel - 1) * dilation;
        if span >= input + before {
            return 0..0;
        }
        let first = before.div_ceil(stride);
        let end = ((input + before - span - 1) / stride + 1).min(outputs);
        first.min(end)..end
    }

    /// Where the window of output `index` begins, in the padding or in the input, whose first element is 0.
    pub fn start(&self, index: usize) -> isize {
        match *self {
            Windows::Sliding { stride, before, .. } => (index * stride) as isize - before as isize,
            _ => self.window(index).first as isize,
        }
    }

    /// Distance of neighbouring windows of the interior.
    pub fn stride(&self) -> usize {
        match *self {
            Windows::Sliding { stride, .. } => stride,
            _ => 1,
        }
    }

    /// As many outputs from `first` on, up to `end` and at least one, as together cover at most `limit` input elements; and
    /// the elements they cover.
    #[inline(always)]
    pub fn fitting(&self, first: usize, end: usize, limit: usize) -> (usize, Range<usize>) {
        if let Windows::Sliding { input, kernel, stride, dilation, before, .. } = *self {
            let span = (kernel - 1) * dilation;
            let count = (limit.saturating_sub(span + 1) / stride + 1).min(end - first);
            let covered_end = ((first + count - 1) * stride + span + 1).saturating_sub(before).min(input);
            return (first + count, (first * stride).saturating_sub(before).min(covered_end)..covered_end);
        }
        let ends = |index: usize| {
            let window = self.window(index);
            window.first + window.taps
        };
        let begin = self.window(first).first;
        let mut next = first + 1;
        while next < end && ends(next) - begin <= limit {
            next += 1;
        }
        (next, begin..ends(next - 1))
    }

    /// Most taps of a window.
    pub fn most_taps(&self) -> usize {
        match *self {
            Windows::Sliding { kernel, .. } | Windows::Fractional { kernel, .. } => kernel,
            Windows::Adaptive { input, outputs } => input / outputs.max(1) + 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sliding_windows_are_the_taps_inside_the_input() {
        for (input, kernel, stride, dilation, before) in
            [(5, 3, 2, 1, 1), (7, 2, 3, 3, 2), (1, 2, 1, 3, 2), (9, 4, 1, 2, 3), (6, 1, 4, 1, 0)]
        {
            let outputs = (input + 2 * before - dilation * (kernel - 1) - 1) / stride + 1;
            let counted = input + 2 * before;
            let windows = Windows::Sliding { input, outputs, kernel, stride, dilation, before, counted };
            for index in 0..outputs {
                let taps: Vec<isize> = (0..kernel)
                    .map(|tap| (index * stride + tap * dilation) as isize - before as isize)
                    .filter(|position| (0..input as isize).contains(position))
                    .collect();
                let window = windows.window(index);
                let found: Vec<isize> = (0..window.taps).map(|tap| (window.first + tap * window.step) as isize).collect();
                assert_eq!(found, taps, "{windows:?} at {index}");
                let extent = (0..kernel).filter(|tap| index * stride + tap * dilation < counted).count();
                assert_eq!(window.extent, extent, "{windows:?} at {index}");
                assert_eq!(windows.interior().contains(&index), taps.len() == kernel, "{windows:?} at {index}");
            }
        }
    }
}
