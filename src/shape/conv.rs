//! A whole convolution: arguments in, checked sizes out.

use std::fmt;

use super::RANK;
use super::axis::{AxisPass, PaddingMode, conv_output};
use crate::error::{Error, checked_product};

/// The `padding` argument of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Padding {
    /// None.
    Valid,
    /// Output size = ceil(input / stride); an odd element goes after.
    Same,
    /// The same, but an odd element goes before.
    SameLower,
    /// Before and after, for depth, height, width.
    Explicit([(i64, i64); 3]),
}

impl Padding {
    /// The same number of elements on both sides, for depth, height, width.
    pub fn symmetric(sides: [i64; 3]) -> Self {
        Padding::Explicit(sides.map(|side| (side, side)))
    }

    /// Whether it is none at all.
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Padding::Valid | Padding::Explicit([(0, 0), (0, 0), (0, 0)]))
    }

    /// Elements before and after one axis.
    pub(super) fn of_axis(
        &self,
        axis: usize,
        input: usize,
        kernel: usize,
        stride: usize,
        dilation: usize,
    ) -> Result<(usize, usize), Error> {
        match self {
            Padding::Valid => Ok((0, 0)),
            Padding::Same | Padding::SameLower => {
                let overflow = Error::Overflow { what: "the padded input" };
                let effective = (kernel - 1).checked_mul(dilation).and_then(|span| span.checked_add(1)).ok_or(overflow)?;
                let covered = (input.div_ceil(stride).max(1) - 1) * stride;
                let total = covered.saturating_add(effective).saturating_sub(input.max(1));
                let (less, more) = (total / 2, total - total / 2);
                Ok(if *self == Padding::Same { (less, more) } else { (more, less) })
            }
            Padding::Explicit(pairs) => {
                let (before, after) = pairs[axis];
                match [before, after].into_iter().find(|&side| side < 0) {
                    Some(got) => Err(Error::TooSmall { argument: "padding", got, least: 0 }),
                    None => Ok((before as usize, after as usize)),
                }
            }
        }
    }
}

/// As Python writes it, with all three axes.
impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Padding::Valid => write!(f, "\"valid\""),
            Padding::Same => write!(f, "\"same\""),
            Padding::SameLower => write!(f, "\"same_lower\""),
            Padding::Explicit(pairs) => write!(f, "{pairs:?}"),
        }
    }
}

/// The arguments of a convolution; axes are depth, height, width.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ConvParams {
    pub spatial: usize,
    pub stride: [i64; 3],
    pub padding: Padding,
    pub dilation: [i64; 3],
    pub groups: i64,
    pub mode: PaddingMode,
}

/// The arguments of a transposed convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TransposedParams {
    pub spatial: usize,
    pub stride: [i64; 3],
    pub padding: [i64; 3],
    pub output_padding: [i64; 3],
    pub dilation: [i64; 3],
    pub groups: i64,
}

/// A convolution whose sizes are known to be right. Channels are counted within one group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ConvShape {
    pub batch: usize,
    pub groups: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub input: [usize; 3],
    pub kernel: [usize; 3],
    pub output: [usize; 3],
    pub mode: PaddingMode,
    pub transposed: bool,
    stride: [usize; 3],
    dilation: [usize; 3],
    before: [usize; 3],
}

fn at_least(argument: &'static str, values: &[i64; 3], least: i64) -> Result<[usize; 3], Error> {
    match values.iter().find(|&&value| value < least) {
        Some(&got) => Err(Error::TooSmall { argument, got, least }),
        None => Ok(values.map(|value| value as usize)),
    }
}

impl ConvShape {
    /// Checks a convolution of `input` (batch, channels, depth, height, width) with `weight` (out, in / groups, …).
    pub fn new(input: [usize; RANK], weight: [usize; RANK], params: &ConvParams) -> Result<Self, Error> {
        let groups = checked_groups(params.groups)?;
        let stride = at_least("stride", &params.stride, 1)?;
        let dilation = at_least("dilation", &params.dilation, 1)?;
        let kernel = checked_kernel(weight, params.spatial)?;
        let [batch, channels, ..] = input;
        if !weight[0].is_multiple_of(groups) || weight[0] < groups {
            return Err(Error::Shape {
                argument: "weight",
                got: super::shown_weight(weight, params.spatial),
                rule: format!(
                    "its first size, the output channels, must be a positive multiple of groups = {groups}; the nearest is {}",
                    nearest_multiple(weight[0], groups)
                ),
            });
        }
        if channels != weight[1] * groups {
            return Err(Error::Shape {
                argument: "input",
                got: format!("{channels} channels"),
                rule: format!(
                    "weight has {} input channels a group and groups = {groups}, so input needs {} * {groups} = {} channels{}",
                    weight[1],
                    weight[1],
                    weight[1] * groups,
                    if input[RANK - 1] == weight[1] * groups { " before its spatial axes, where it has them last" } else { "" }
                ),
            });
        }
        let spatial = [input[2], input[3], input[4]];
        if spatial.contains(&0) && batch > 0 {
            return Err(empty_input(input, params.spatial));
        }
        let first = 3 - params.spatial;
        let mut before = [0; 3];
        let mut output = [0; 3];
        for axis in 0..3 {
            let padding = params.padding.of_axis(axis, spatial[axis], kernel[axis], stride[axis], dilation[axis])?;
            if let Some(most) = params.mode.most(spatial[axis])
                && padding.0.max(padding.1) > most
            {
                let because = format!("padding_mode {:?} on input size {}", params.mode, spatial[axis]);
                return Err(Error::TooLarge {
                    argument: "padding",
                    got: padding.0.max(padding.1) as i64,
                    most: most as i64,
                    because,
                });
            }
            before[axis] = padding.0;
            output[axis] =
                conv_output(axis.saturating_sub(first), spatial[axis], kernel[axis], stride[axis], dilation[axis], padding)?;
        }
        checked_product("the output", &[batch, weight[0], output[0], output[1], output[2]])?;
        Ok(ConvShape {
            batch,
            groups,
            in_channels: weight[1],
            out_channels: weight[0] / groups,
            input: spatial,
            kernel,
            output,
            mode: params.mode,
            transposed: false,
            stride,
            dilation,
            before,
        })
    }

    /// Checks a transposed convolution of `input` with `weight` (in, out / groups, …).
    pub fn transposed(input: [usize; RANK], weight: [usize; RANK], params: &TransposedParams) -> Result<Self, Error> {
        let groups = checked_groups(params.groups)?;
        let mut stride = at_least("stride", &params.stride, 1)?;
        let dilation = at_least("dilation", &params.dilation, 1)?;
        let before = at_least("padding", &params.padding, 0)?;
        let extra = at_least("output_padding", &params.output_padding, 0)?;
        let kernel = checked_kernel(weight, params.spatial)?;
        let [batch, channels, ..] = input;
        if channels != weight[0] {
            return Err(Error::Shape {
                argument: "input",
                got: format!("{channels} channels"),
                rule: format!("weight takes {} input channels, its first size", weight[0]),
            });
        }
        if !channels.is_multiple_of(groups) || channels < groups {
            return Err(Error::Shape {
                argument: "weight",
                got: super::shown_weight(weight, params.spatial),
                rule: format!(
                    "its first size, the input channels, must be a positive multiple of groups = {groups}; the nearest is {}",
                    nearest_multiple(channels, groups)
                ),
            });
        }
        let spatial = [input[2], input[3], input[4]];
        let mut output = [0; 3];
        for axis in 0..3 {
            let most = stride[axis].max(dilation[axis]) - 1;
            if extra[axis] > most {
                let because = format!("it must be smaller than stride = {} or dilation = {}", stride[axis], dilation[axis]);
                return Err(Error::TooLarge { argument: "output_padding", got: extra[axis] as i64, most: most as i64, because });
            }
            if spatial[axis] == 0 && batch > 0 {
                return Err(empty_input(input, params.spatial));
            }
            let full = (spatial[axis] as i128 - 1) * stride[axis] as i128
                + dilation[axis] as i128 * (kernel[axis] as i128 - 1)
                + extra[axis] as i128
                + 1;
            let size = full - 2 * before[axis] as i128;
            if size < 1 {
                let most = (full - 1).div_euclid(2).max(0) as i64;
                let because = format!(
                    "output size = (input - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1 = ({} - 1) * {} - 2 * \
                     {} + {} * ({} - 1) + {} + 1 = {size} must be positive",
                    spatial[axis], stride[axis], before[axis], dilation[axis], kernel[axis], extra[axis]
                );
                return Err(Error::TooLarge { argument: "padding", got: before[axis] as i64, most, because });
            }
            if size > isize::MAX as i128 / 16 {
                return Err(Error::Overflow { what: "the output" });
            }
            output[axis] = size as usize;
        }
        let out_channels = weight[1];
        if out_channels == 0 {
            return Err(Error::Shape {
                argument: "weight",
                got: super::shown_weight(weight, params.spatial),
                rule: "its second size, the output channels of a group, must be at least 1".to_string(),
            });
        }
        let all = out_channels.checked_mul(groups).ok_or(Error::Overflow { what: "the output" })?;
        checked_product("the output", &[batch, all, output[0], output[1], output[2]])?;
        // Where the input is one element no two taps reach the same output, whatever the stride: as long as the kernel it makes
        // every tap a pass of its own, which multiplies nothing but that element.
        if spatial == [1; 3] {
            for axis in 0..3 {
                let reach = (kernel[axis] - 1).saturating_mul(dilation[axis]).saturating_add(1);
                stride[axis] = stride[axis].max(reach);
            }
        }
        Ok(ConvShape {
            batch,
            groups,
            in_channels: channels / groups,
            out_channels,
            input: spatial,
            kernel,
            output,
            mode: PaddingMode::Zeros,
            transposed: true,
            stride,
            dilation,
            before,
        })
    }

    /// Refuses what no input could mend, before there is one: tries the smallest that could fit.
    pub fn check(weight: [usize; RANK], params: &ConvParams) -> Result<(), Error> {
        let mut input = [1, weight[1].saturating_mul(params.groups.max(1) as usize), 1, 1, 1];
        for axis in 0..3 {
            let (before, after) = match &params.padding {
                Padding::Explicit(pairs) => pairs[axis],
                Padding::Valid | Padding::Same | Padding::SameLower => (0, 0),
            };
            let reach = weight[2 + axis].saturating_sub(1).saturating_mul(params.dilation[axis].max(1) as usize);
            input[2 + axis] = reach.saturating_add(before.max(after).max(0) as usize).saturating_add(1);
        }
        Self::new(input, weight, params).map(|_| ())
    }

    /// The same for a transposed convolution.
    pub fn check_transposed(weight: [usize; RANK], params: &TransposedParams) -> Result<(), Error> {
        let mut input = [1, weight[0], 1, 1, 1];
        for axis in 0..3 {
            let cut = (params.padding[axis].max(0) as usize).saturating_mul(2);
            input[2 + axis] = cut.div_ceil(params.stride[axis].max(1) as usize) + 1;
        }
        Self::transposed(input, weight, params).map(|_| ())
    }

    /// Shape of the result: (batch, channels, depth, height, width).
    pub fn output_shape(&self) -> [usize; RANK] {
        let [depth, height, width] = self.output;
        [self.batch, self.groups * self.out_channels, depth, height, width]
    }

    /// The bias must have one element an output channel.
    pub fn check_bias(&self, bias: &[usize]) -> Result<(), Error> {
        Self::check_bias_of(self.groups * self.out_channels, bias)
    }

    /// The same, before there is an input.
    pub fn check_bias_of(needed: usize, bias: &[usize]) -> Result<(), Error> {
        if bias == [needed] {
            return Ok(());
        }
        Err(Error::Shape {
            argument: "bias",
            got: format!("{bias:?}"),
            rule: format!("it must have one element for each of the {needed} output channels: shape ({needed},)"),
        })
    }

    /// Passes along one axis: one, or for a transposed convolution one a phase.
    pub fn passes(&self, axis: usize) -> usize {
        if self.transposed { AxisPass::phases(self.kernel[axis], self.stride[axis], self.dilation[axis]) } else { 1 }
    }

    /// One of them; those of a transposed convolution may have no outputs.
    pub fn axis_pass(&self, axis: usize, pass: usize) -> AxisPass {
        let (outputs, kernel, stride) = (self.output[axis], self.kernel[axis], self.stride[axis]);
        if self.transposed {
            AxisPass::phase(pass, outputs, kernel, stride, self.dilation[axis], self.before[axis])
        } else {
            AxisPass::plain(outputs, kernel, stride, self.dilation[axis], self.before[axis])
        }
    }

    /// The axis that could as well be the width, where input, kernel and output have a width of 1: the last that is longer.
    pub fn long_axis(&self) -> Option<usize> {
        let single = |axis: usize| [self.input[axis], self.kernel[axis], self.output[axis]] == [1; 3];
        (0..2).rev().find(|&axis| !single(axis)).filter(|_| single(2))
    }

    /// The same convolution of views whose axis `axis` and width have changed places.
    #[must_use]
    pub fn with_width(&self, axis: usize) -> Self {
        let mut turned = self.clone();
        let ConvShape { input, kernel, output, stride, dilation, before, .. } = &mut turned;
        for sizes in [input, kernel, output, stride, dilation, before] {
            sizes.swap(axis, 2);
        }
        turned
    }

    /// Whether some outputs belong to no pass: no tap reaches them, and they are the bias alone.
    pub fn has_gaps(&self) -> bool {
        (0..3).any(|axis| {
            let reached: usize = (0..self.passes(axis)).map(|pass| self.axis_pass(axis, pass).outputs).sum();
            reached < self.output[axis]
        })
    }
}

fn empty_input(input: [usize; RANK], spatial: usize) -> Error {
    let rule = "every spatial size must be at least 1".to_string();
    Error::Shape { argument: "input", got: super::without_batch(input, spatial), rule }
}

fn checked_groups(groups: i64) -> Result<usize, Error> {
    if groups < 1 {
        return Err(Error::TooSmall { argument: "groups", got: groups, least: 1 });
    }
    Ok(groups as usize)
}

fn checked_kernel(weight: [usize; RANK], spatial: usize) -> Result<[usize; 3], Error> {
    let kernel = [weight[2], weight[3], weight[4]];
    if kernel.contains(&0) {
        return Err(Error::Shape {
            argument: "weight",
            got: super::shown_weight(weight, spatial),
            rule: "every kernel size must be at least 1".to_string(),
        });
    }
    Ok(kernel)
}

fn nearest_multiple(value: usize, of: usize) -> usize {
    ((value + of / 2) / of).max(1) * of
}
