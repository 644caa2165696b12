//! Pools, unpooling, unfold and fold, each from torch's description of it.

use num_traits::Float;

use super::{Array, Number, indices, taps};

/// The windows of a pool, along depth, height, width.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Windows {
    pub kernel: [i64; 3],
    pub stride: [i64; 3],
    pub padding: [i64; 3],
    pub dilation: [i64; 3],
    pub ceil: bool,
}

impl Windows {
    /// Windows along one axis: those that end inside the padded input; with `ceil` also the first that does not, if it starts
    /// inside the input or the padding before it.
    fn count(&self, axis: usize, input: i64) -> Option<usize> {
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        let (padding, dilation) = (self.padding[axis], self.dilation[axis]);
        if kernel < 1 || stride < 1 || dilation < 1 || padding < 0 || input < 1 {
            return None;
        }
        let covered = (kernel - 1) * dilation + 1;
        // Torch counts the taps here, whatever the dilation.
        if 2 * padding > kernel {
            return None;
        }
        let padded = padding + input + padding;
        let ends_inside = |window: &i64| window * stride + covered <= padded;
        let whole = (0..).take_while(ends_inside).count() as i64;
        let elements_left = (whole - 1) * stride + covered < padded;
        let starts_inside = whole * stride < padding + input;
        let windows = whole as usize + usize::from(self.ceil && elements_left && starts_inside);
        (windows > 0).then_some(windows)
    }

    fn output(&self, shape: [usize; 5]) -> Option<[usize; 5]> {
        let mut output = shape;
        for axis in 0..3 {
            output[2 + axis] = self.count(axis, shape[2 + axis] as i64)?;
        }
        (shape[1] > 0).then_some(output)
    }

    /// Positions of the taps of the window at `output`, in order; outside the input for padding.
    fn positions(&self, output: [i64; 3]) -> impl Iterator<Item = [i64; 3]> {
        taps(self.kernel).map(move |tap| {
            let mut position = [0; 3];
            for axis in 0..3 {
                position[axis] = output[axis] * self.stride[axis] + tap[axis] * self.dilation[axis] - self.padding[axis];
            }
            position
        })
    }
}

/// The largest of some elements and its index in (depth, height, width) flattened, by torch's rule: a later element replaces the
/// best only if it is larger or NaN.
fn largest<N: Number + PartialOrd>(
    input: &Array<N>,
    n: i64,
    c: i64,
    positions: impl Iterator<Item = [i64; 3]>,
) -> Option<(N, i64)> {
    let mut best: Option<(N, i64)> = None;
    for [z, y, x] in positions {
        let Some(value) = input.at([n, c, z, y, x]) else { continue };
        let is_nan = value.partial_cmp(&value).is_none();
        if best.is_none_or(|(best, _)| value > best || is_nan) {
            best = Some((value, (z * input.shape[3] as i64 + y) * input.shape[4] as i64 + x));
        }
    }
    best
}

fn values_and_indices<N: Copy>(pairs: Array<(N, i64)>) -> (Array<N>, Array<i64>) {
    (pairs.map(|(value, _)| value), pairs.map(|(_, index)| index))
}

/// Maximum of every window and where it stands; (`nothing`, -1) where a window has no tap inside the input.
pub fn max_pool<N: Number + PartialOrd>(input: &Array<N>, windows: &Windows, nothing: N) -> Option<(Array<N>, Array<i64>)> {
    let pairs = Array::from_fn(windows.output(input.shape)?, |[n, c, z, y, x]| {
        largest(input, n, c, windows.positions([z, y, x])).unwrap_or((nothing, -1))
    });
    Some(values_and_indices(pairs))
}

/// Sum of every window over its divisor: `divisor`, else the taps inside the input, with `include_pad` those in the padding too.
pub fn avg_pool<N: Number>(input: &Array<N>, windows: &Windows, include_pad: bool, divisor: Option<i64>) -> Option<Array<N>> {
    if divisor == Some(0) {
        return None;
    }
    Some(Array::from_fn(windows.output(input.shape)?, |[n, c, z, y, x]| {
        let mut sum = N::zero();
        let (mut inside, mut padded) = (0, 0);
        for position in windows.positions([z, y, x]) {
            let [z, y, x] = position;
            if let Some(value) = input.at([n, c, z, y, x]) {
                sum = sum + value;
                inside += 1;
            }
            // The window may reach beyond the padding in ceil mode; that part is never counted.
            let in_padding = |axis: usize| position[axis] < input.shape[2 + axis] as i64 + windows.padding[axis];
            padded += i64::from((0..3).all(in_padding));
        }
        if inside == 0 {
            return N::zero();
        }
        let count = divisor.unwrap_or(if include_pad { padded } else { inside });
        sum / N::from_i64(count).expect("a small number")
    }))
}

/// `(mean of x^p over the window's taps inside the input * taps of the kernel)^(1 / p)`: torch's formula, in which a window that
/// is cut off by the end of the input counts as a whole one. An infinite `p` is the maximum.
pub fn lp_pool(input: &Array<f64>, windows: &Windows, p: f64) -> Option<Array<f64>> {
    let powers = input.map(|value| value.powf(p));
    let mean = avg_pool(&powers, windows, true, None)?;
    let taps: i64 = windows.kernel.iter().product();
    Some(mean.map(|mean| (mean * taps as f64).powf(1.0 / p)))
}

/// The input positions of element `output` of `outputs` in an adaptive pool of `input`: from `floor(output * input / outputs)`
/// up to, but without, `ceil((output + 1) * input / outputs)`.
fn adaptive_positions(input: [usize; 5], outputs: [usize; 5], output: [i64; 3]) -> impl Iterator<Item = [i64; 3]> {
    let inside = move |axis: usize, position: i64| {
        let (input, outputs) = (input[2 + axis] as i64, outputs[2 + axis] as i64);
        // Both roundings, multiplied out: start <= position < end.
        (position + 1) * outputs > output[axis] * input && position * outputs < (output[axis] + 1) * input
    };
    let [.., depth, height, width] = input.map(|size| size as i64);
    taps([depth, height, width]).filter(move |position| (0..3).all(|axis| inside(axis, position[axis])))
}

fn adaptive_shape(input: [usize; 5], outputs: [usize; 3]) -> Option<[usize; 5]> {
    (!input[1..].contains(&0)).then_some([input[0], input[1], outputs[0], outputs[1], outputs[2]])
}

/// Mean of every adaptive window.
pub fn adaptive_avg_pool<N: Number>(input: &Array<N>, outputs: [usize; 3]) -> Option<Array<N>> {
    let shape = adaptive_shape(input.shape, outputs)?;
    Some(Array::from_fn(shape, |[n, c, z, y, x]| {
        let (mut sum, mut count) = (N::zero(), 0);
        for [z, y, x] in adaptive_positions(input.shape, shape, [z, y, x]) {
            sum = sum + input.at([n, c, z, y, x]).expect("a position inside");
            count += 1;
        }
        sum / N::from_i64(count).expect("a small number")
    }))
}

/// Maximum of every adaptive window and where it stands.
pub fn adaptive_max_pool<N: Number + PartialOrd>(input: &Array<N>, outputs: [usize; 3]) -> Option<(Array<N>, Array<i64>)> {
    let shape = adaptive_shape(input.shape, outputs)?;
    Some(values_and_indices(Array::from_fn(shape, |[n, c, z, y, x]| {
        largest(input, n, c, adaptive_positions(input.shape, shape, [z, y, x])).expect("a window is never empty")
    })))
}

/// Where the windows of a fractional pool start: `floor((i + sample) * alpha) - floor(sample * alpha)` with
/// `alpha = (input - kernel) / (outputs - 1)`, and the last one at the end of the input. Torch rounds in the dtype, so `F` matters.
pub fn fractional_starts<F: Float>(input: i64, kernel: i64, outputs: i64, sample: F) -> Vec<i64> {
    let number = |value: i64| F::from(value).expect("a small number");
    let alpha = number(input - kernel) / number((outputs - 1).max(1));
    let floor = |value: F| value.to_i64().expect("a small number");
    let start = |i: i64| floor((number(i) + sample) * alpha) - floor(sample * alpha);
    (0..outputs).map(|i| if i == outputs - 1 { input - kernel } else { start(i) }).collect()
}

/// Maximum of windows of `kernel` that start where `sample(batch, channel, axis)` says, along the last `spatial` of the axes
/// depth, height, width (0, 1, 2).
pub fn fractional_max_pool<F: Float>(
    input: &Array<f64>,
    spatial: usize,
    kernel: [i64; 3],
    outputs: [usize; 3],
    sample: impl Fn(i64, i64, usize) -> F,
) -> (Array<f64>, Array<i64>) {
    let [batch, channels, sizes @ ..] = input.shape;
    let shape = [batch, channels, outputs[0], outputs[1], outputs[2]];
    let pairs = Array::from_fn(shape, |[n, c, z, y, x]| {
        let mut start = [0; 3];
        for axis in 3 - spatial..3 {
            let starts = fractional_starts(sizes[axis] as i64, kernel[axis], outputs[axis] as i64, sample(n, c, axis));
            start[axis] = starts[[z, y, x][axis] as usize];
        }
        let window = taps(kernel).map(|[kz, ky, kx]| [start[0] + kz, start[1] + ky, start[2] + kx]);
        largest(input, n, c, window).expect("a window lies inside")
    });
    values_and_indices(pairs)
}

/// Zeros, with every element of `input` at its index into (depth, height, width) flattened; the last one stays where indices
/// are equal. `None` if an index lies outside.
pub fn max_unpool<N: Number>(input: &Array<N>, index: &Array<i64>, outputs: [usize; 3]) -> Option<Array<N>> {
    let [batch, channels, ..] = input.shape;
    let mut output = Array::filled([batch, channels, outputs[0], outputs[1], outputs[2]], N::zero());
    let plane = outputs.iter().product::<usize>();
    for (element, (&value, &index)) in input.data.iter().zip(&index.data).enumerate() {
        let channel = element / input.shape[2..].iter().product::<usize>();
        if index < 0 || index >= plane as i64 {
            return None;
        }
        output.data[channel * plane + index as usize] = value;
    }
    Some(output)
}

/// Every window of a (batch, channel, 1, height, width) input as a column: (batch, 1, 1, channel * taps, windows).
pub fn unfold<N: Number>(input: &Array<N>, windows: &Windows) -> Option<Array<N>> {
    let (positions, per_channel) = columns(input.shape, windows)?;
    let rows = input.shape[1] * per_channel as usize;
    Some(Array::from_fn([input.shape[0], 1, 1, rows, positions.len()], |[n, _, _, row, column]| {
        let [z, y, x] = windows.positions(positions[column as usize]).nth((row % per_channel) as usize).expect("a tap");
        input.at([n, row / per_channel, z, y, x]).unwrap_or(N::zero())
    }))
}

/// The reverse of [`unfold`]: what lands on the same element of the (batch, channel, 1, height, width) output is added up.
pub fn fold<N: Number>(input: &Array<N>, channels: usize, outputs: [usize; 3], windows: &Windows) -> Option<Array<N>> {
    let shape = [input.shape[0], channels, outputs[0], outputs[1], outputs[2]];
    let (positions, per_channel) = columns(shape, windows)?;
    if input.shape != [shape[0], 1, 1, channels * per_channel as usize, positions.len()] {
        return None;
    }
    let mut output = Array::filled(shape, N::zero());
    for [n, _, _, row, column] in indices(input.shape) {
        let [z, y, x] = windows.positions(positions[column as usize]).nth((row % per_channel) as usize).expect("a tap");
        if let Some(place) = output.position([n, row / per_channel, z, y, x]) {
            output.data[place] = output.data[place] + input.at([n, 0, 0, row, column]).expect("an element");
        }
    }
    Some(output)
}

/// The windows that end inside the padded image, in order, and the taps of each. Unlike a pool's, padding has no limit here.
fn columns(shape: [usize; 5], windows: &Windows) -> Option<(Vec<[i64; 3]>, i64)> {
    let mut counts = [0; 3];
    for axis in 0..3 {
        let (kernel, stride) = (windows.kernel[axis], windows.stride[axis]);
        let (padding, dilation) = (windows.padding[axis], windows.dilation[axis]);
        if kernel < 1 || stride < 1 || dilation < 1 || padding < 0 || shape[1..].contains(&0) {
            return None;
        }
        let padded = shape[2 + axis] as i64 + 2 * padding;
        counts[axis] = (0..).take_while(|window| window * stride + (kernel - 1) * dilation < padded).count() as i64;
    }
    (!counts.contains(&0)).then(|| (taps(counts).collect(), windows.kernel.iter().product()))
}
