//! Convolution as a sum over a window, transposed convolution as a scatter.

use super::{Array, Number, indices, taps};

/// What lies outside the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Zeros.
    Zeros,
    /// The input mirrored about its edge element, which is not repeated.
    Reflect,
    /// The edge element.
    Replicate,
    /// The input again and again.
    Circular,
}

/// The arguments of a convolution, along depth, height, width.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Conv {
    pub stride: [i64; 3],
    pub before: [i64; 3],
    pub after: [i64; 3],
    pub dilation: [i64; 3],
    pub groups: i64,
    pub filled: Filled,
}

/// The arguments of a transposed convolution, along depth, height, width.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Transposed {
    pub stride: [i64; 3],
    pub padding: [i64; 3],
    pub output_padding: [i64; 3],
    pub dilation: [i64; 3],
    pub groups: i64,
}

/// `output[n, o, p] = bias[o] + sum over c, k of input[n, c, p * stride + k * dilation - before] * weight[o, c, k]`, where `c`
/// runs over the input channels of the group of `o`.
pub fn conv<N: Number>(input: &Array<N>, weight: &Array<N>, bias: Option<&[N]>, conv: &Conv) -> Option<Array<N>> {
    let [batch, channels, ..] = input.shape.map(|size| size as i64);
    let [outputs, group_inputs, kernel @ ..] = weight.shape.map(|size| size as i64);
    if conv.groups < 1 || outputs < 1 || outputs % conv.groups != 0 || channels != group_inputs * conv.groups {
        return None;
    }
    let mut shape = [batch as usize, outputs as usize, 0, 0, 0];
    for axis in 0..3 {
        shape[2 + axis] = conv.windows(axis, input.shape[2 + axis] as i64, kernel[axis])?;
    }
    Some(Array::from_fn(shape, |[n, o, z, y, x]| {
        let group = o / (outputs / conv.groups);
        let mut sum = N::zero();
        for c in 0..group_inputs {
            for [kz, ky, kx] in taps(kernel) {
                let position = [
                    z * conv.stride[0] + kz * conv.dilation[0] - conv.before[0],
                    y * conv.stride[1] + ky * conv.dilation[1] - conv.before[1],
                    x * conv.stride[2] + kx * conv.dilation[2] - conv.before[2],
                ];
                let value = conv.padded(input, n, group * group_inputs + c, position);
                sum = sum + value * weight.at([o, c, kz, ky, kx]).expect("a tap");
            }
        }
        bias.map_or(sum, |bias| sum + bias[o as usize])
    }))
}

impl Conv {
    /// Windows that lie wholly inside the padded input; `None` if the axis is refused.
    fn windows(&self, axis: usize, input: i64, kernel: i64) -> Option<usize> {
        let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
        let (before, after) = (self.before[axis], self.after[axis]);
        if stride < 1 || dilation < 1 || kernel < 1 || before < 0 || after < 0 {
            return None;
        }
        let fillable = match self.filled {
            Filled::Zeros => true,
            Filled::Reflect => before.max(after) <= (input - 1).max(0),
            Filled::Replicate => input > 0 || before + after == 0,
            Filled::Circular => before.max(after) <= input,
        };
        let last_tap = |window: &i64| window * stride + (kernel - 1) * dilation;
        let windows = (0..).take_while(|window| last_tap(window) < before + input + after).count();
        (fillable && windows > 0).then_some(windows)
    }

    /// The padded input at a position counted from the input's first element.
    fn padded<N: Number>(&self, input: &Array<N>, n: i64, channel: i64, position: [i64; 3]) -> N {
        let mut index = [n, channel, 0, 0, 0];
        for axis in 0..3 {
            let (mut at, size) = (position[axis], input.shape[2 + axis] as i64);
            match self.filled {
                Filled::Zeros => {}
                Filled::Reflect if at < 0 => at = -at,
                Filled::Reflect if at >= size => at = (size - 1) - (at - (size - 1)),
                Filled::Reflect => {}
                Filled::Replicate => at = at.max(0).min(size - 1),
                Filled::Circular if at < 0 => at += size,
                Filled::Circular if at >= size => at -= size,
                Filled::Circular => {}
            }
            index[2 + axis] = at;
        }
        input.at(index).unwrap_or(N::zero())
    }
}

/// The least padding (before, after) with which there are `ceil(input / stride)` windows; an odd element goes after.
pub fn same_padding(input: i64, kernel: i64, stride: i64, dilation: i64) -> (i64, i64) {
    let windows = (0..input).step_by(stride as usize).count() as i64;
    let needed = (windows - 1) * stride + (kernel - 1) * dilation + 1;
    let total = (needed - input).max(0);
    (total / 2, total - total / 2)
}

/// Every input element times every weight of its channel is added to the output where it lands:
/// `output[n, o, p * stride + k * dilation - padding] += input[n, c, p] * weight[c, o, k]`.
pub fn conv_transposed<N: Number>(
    input: &Array<N>,
    weight: &Array<N>,
    bias: Option<&[N]>,
    conv: &Transposed,
) -> Option<Array<N>> {
    let [batch, channels, positions @ ..] = input.shape.map(|size| size as i64);
    let [weight_inputs, group_outputs, kernel @ ..] = weight.shape.map(|size| size as i64);
    if conv.groups < 1 || channels < 1 || channels % conv.groups != 0 || channels != weight_inputs || group_outputs < 1 {
        return None;
    }
    let mut shape = [batch as usize, (group_outputs * conv.groups) as usize, 0, 0, 0];
    for axis in 0..3 {
        let (stride, dilation, extra) = (conv.stride[axis], conv.dilation[axis], conv.output_padding[axis]);
        if stride < 1 || dilation < 1 || kernel[axis] < 1 || conv.padding[axis] < 0 || extra < 0 || extra >= stride.max(dilation)
        {
            return None;
        }
        let last_landing = (positions[axis] - 1) * stride + (kernel[axis] - 1) * dilation;
        let size = last_landing + 1 + extra - 2 * conv.padding[axis];
        if size < 1 {
            return None;
        }
        shape[2 + axis] = size as usize;
    }
    let mut output = Array::from_fn(shape, |[_, o, ..]| bias.map_or(N::zero(), |bias| bias[o as usize]));
    for [n, c, z, y, x] in indices(input.shape) {
        let value = input.at([n, c, z, y, x]).expect("an element");
        let group = c / (channels / conv.groups);
        for o in 0..group_outputs {
            for [kz, ky, kx] in taps(kernel) {
                let landing = [
                    n,
                    group * group_outputs + o,
                    z * conv.stride[0] + kz * conv.dilation[0] - conv.padding[0],
                    y * conv.stride[1] + ky * conv.dilation[1] - conv.padding[1],
                    x * conv.stride[2] + kx * conv.dilation[2] - conv.padding[2],
                ];
                if let Some(position) = output.position(landing) {
                    let product = value * weight.at([c, o, kz, ky, kx]).expect("a tap");
                    output.data[position] = output.data[position] + product;
                }
            }
        }
    }
    Some(output)
}
