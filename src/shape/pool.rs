//! A whole pool: arguments in, checked windows out.

use super::RANK;
use super::conv::Padding;
use super::rule::Rule;
use super::window::Windows;
use crate::error::{Error, checked_product};

/// The arguments of a sliding pool; axes are depth, height, width, and the first `3 - spatial` are neutral.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PoolParams {
    pub spatial: usize,
    pub kernel: [i64; 3],
    pub stride: [i64; 3],
    pub padding: Padding,
    pub dilation: [i64; 3],
    pub ceil_mode: bool,
    pub rule: Rule,
    /// Torch's 3-D averages refuse a kernel larger than the input without its padding.
    pub kernel_within_input: bool,
}

impl PoolParams {
    /// Sizes that a max pool with these parameters would have turned into `pooled`; `wanted` may differ from the smallest
    /// of them by less than a stride in both directions, as in torch.
    pub fn unpooled(&self, pooled: [usize; 3], wanted: Option<[i64; 3]>) -> Result<[usize; 3], Error> {
        let Padding::Explicit(pairs) = self.padding else {
            let rule = "an unpool needs numbers, as a rule for it follows from the size that is sought".to_string();
            return Err(Error::Value { argument: "padding", got: self.padding.to_string(), rule });
        };
        let mut sizes = [1; 3];
        for axis in 3 - self.spatial..3 {
            let (kernel, stride, (before, after)) = (self.kernel[axis], self.stride[axis], pairs[axis]);
            for (argument, got, least) in [("kernel_size", kernel, 1), ("stride", stride, 1), ("padding", before.min(after), 0)] {
                if got < least {
                    return Err(Error::TooSmall { argument, got, least });
                }
            }
            let padding = before as i128 + after as i128;
            let default = (pooled[axis] as i128 - 1) * stride as i128 - padding + kernel as i128;
            let default = i64::try_from(default).map_err(|_| Error::Overflow { what: "the output" })?;
            let size = wanted.map_or(default, |wanted| wanted[axis]);
            let (low, high) = (default.saturating_sub(stride), default.saturating_add(stride));
            let formula = format!(
                "on spatial axis {} the default is (input - 1) * stride - padding on both sides + kernel = ({} - 1) * {stride} - \
                 {padding} + {kernel} = {default}",
                axis + self.spatial - 3,
                pooled[axis]
            );
            if wanted.is_some() && !(low < size && size < high) {
                let rule = format!("{formula}, and it must lie between {low} and {high}, both excluded");
                return Err(Error::Value { argument: "output_size", got: size.to_string(), rule });
            }
            if size < 0 {
                return Err(Error::Value {
                    argument: "output_size",
                    got: size.to_string(),
                    rule: format!("{formula}; it must be at least 0"),
                });
            }
            sizes[axis] = size as usize;
        }
        Ok(sizes)
    }
}

/// The samples (depth, height, width), each in [0, 1), of a plane counted over batch and channels.
pub type Samples<'a> = &'a (dyn Fn(usize) -> [f64; 3] + Sync);

/// A pool whose sizes are known to be right.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct PoolShape<'a> {
    pub batch: usize,
    pub channels: usize,
    pub input: [usize; 3],
    pub output: [usize; 3],
    windows: [Windows; 3],
    /// Of fractional pools, whose windows differ from plane to plane.
    samples: Option<Samples<'a>>,
}

impl<'a> PoolShape<'a> {
    /// Checks a sliding pool over `input` (batch, channels, depth, height, width).
    pub fn sliding(input: [usize; RANK], params: &PoolParams) -> Result<Self, Error> {
        Self::not_empty(input, params.spatial, false)?;
        let first = 3 - params.spatial;
        let padding = params.rule.padding(&params.padding)?;
        if params.ceil_mode {
            let pairs = if let Padding::Explicit(pairs) = &padding { &pairs[first..] } else { &[] };
            params.rule.check_ceil_mode(params.spatial, pairs)?;
        }
        let mut windows = [Windows::adaptive(1, 1); 3];
        for axis in first..3 {
            windows[axis] = sliding_axis(axis - first, input[2 + axis], axis, params, &padding)?;
        }
        Self::new(input, windows, None)
    }

    /// Checks an adaptive pool; an output size of `None` keeps the input's. `no_channels` allows an input without channels.
    pub fn adaptive(input: [usize; RANK], spatial: usize, output: [Option<i64>; 3], no_channels: bool) -> Result<Self, Error> {
        Self::not_empty(input, spatial, no_channels)?;
        let mut windows = [Windows::adaptive(1, 1); 3];
        for axis in 3 - spatial..3 {
            let size = output[axis].unwrap_or(input[2 + axis] as i64);
            if size < 0 {
                return Err(Error::TooSmall { argument: "output_size", got: size, least: 0 });
            }
            windows[axis] = Windows::adaptive(input[2 + axis], size as usize);
        }
        Self::new(input, windows, None)
    }

    /// Checks a fractional pool; `round` rounds to the precision in which the window starts are computed.
    pub fn fractional(
        input: [usize; RANK],
        spatial: usize,
        kernel: [i64; 3],
        output: [i64; 3],
        samples: Samples<'a>,
        round: fn(f64) -> f64,
    ) -> Result<Self, Error> {
        Self::not_empty(input, spatial, false)?;
        let mut windows = [Windows::adaptive(1, 1); 3];
        for axis in 3 - spatial..3 {
            let size = input[2 + axis] as i64;
            if kernel[axis] < 1 {
                return Err(Error::TooSmall { argument: "kernel_size", got: kernel[axis], least: 1 });
            }
            if output[axis] < 0 {
                return Err(Error::TooSmall { argument: "output_size", got: output[axis], least: 0 });
            }
            if kernel[axis] > size {
                let because = format!("the input size on spatial axis {}", axis + spatial - 3);
                return Err(Error::TooLarge { argument: "kernel_size", got: kernel[axis], most: size, because });
            }
            // Torch takes the largest output, where every window moves by one, in 2-D only.
            let extra = i64::from(spatial == 2);
            let most = size - kernel[axis] + extra;
            if output[axis] > most {
                let because = format!(
                    "input size - kernel_size + {extra} = {size} - {} + {extra} on spatial axis {}",
                    kernel[axis],
                    axis + spatial - 3
                );
                return Err(Error::TooLarge { argument: "output_size", got: output[axis], most, because });
            }
            windows[axis] = Windows::Fractional {
                input: input[2 + axis],
                outputs: output[axis] as usize,
                kernel: kernel[axis] as usize,
                sample: 0.0,
                round,
            };
        }
        Self::new(input, windows, Some(samples))
    }

    /// Refuses what torch's pools refuse: an empty axis other than the batch.
    pub fn not_empty(input: [usize; RANK], spatial: usize, no_channels: bool) -> Result<(), Error> {
        let first = if no_channels { 2 } else { 1 };
        if input[first..].contains(&0) {
            let rule = "every axis but the batch must have at least one element".to_string();
            return Err(Error::Shape { argument: "input", got: super::without_batch(input, spatial), rule });
        }
        Ok(())
    }

    fn new(input: [usize; RANK], windows: [Windows; 3], samples: Option<Samples<'a>>) -> Result<Self, Error> {
        let output = windows.map(|axis| axis.outputs());
        let [batch, channels, depth, height, width] = input;
        checked_product("the output", &[batch, channels, output[0], output[1], output[2]])?;
        Ok(PoolShape { batch, channels, input: [depth, height, width], output, windows, samples })
    }

    /// Shape of the result: (batch, channels, depth, height, width).
    pub fn output_shape(&self) -> [usize; RANK] {
        [self.batch, self.channels, self.output[0], self.output[1], self.output[2]]
    }

    /// Whether windows differ from plane to plane.
    pub fn differs_by_plane(&self) -> bool {
        self.samples.is_some()
    }

    /// The windows of one plane, counted over batch and channels.
    pub fn windows(&self, plane: usize) -> [Windows; 3] {
        let mut windows = self.windows;
        if let Some(samples) = self.samples {
            for (axis, drawn) in windows.iter_mut().zip(samples(plane)) {
                if let Windows::Fractional { sample, .. } = axis {
                    *sample = drawn;
                }
            }
        }
        windows
    }
}

fn sliding_axis(
    spatial_axis: usize,
    input: usize,
    axis: usize,
    params: &PoolParams,
    padding: &Padding,
) -> Result<Windows, Error> {
    let (kernel, stride, dilation, rule) = (params.kernel[axis], params.stride[axis], params.dilation[axis], params.rule);
    for (argument, got, least) in [("kernel_size", kernel, 1), ("stride", stride, 1), ("dilation", dilation, 1)] {
        if got < least {
            return Err(Error::TooSmall { argument, got, least });
        }
    }
    let (before, after) = padding.of_axis(axis, input, kernel as usize, stride as usize, dilation as usize)?;
    if let (Padding::Explicit(_), Some(most)) = (padding, rule.most_padding(kernel))
        && before.max(after) > most as usize
    {
        let because = format!("half of kernel_size = {kernel}, rounded down");
        return Err(Error::TooLarge { argument: "padding", got: before.max(after) as i64, most, because });
    }
    if params.kernel_within_input && rule == Rule::Torch && kernel as i128 > input as i128 {
        let because = format!("the input size on spatial axis {spatial_axis}, without padding, for a 3-D average");
        return Err(Error::TooLarge { argument: "kernel_size", got: kernel, most: input as i64, because });
    }
    let effective = dilation as i128 * (kernel as i128 - 1) + 1;
    let padded = input as i128 + before as i128 + after as i128;
    // In ceil mode the last window may hang over the end by less than a stride.
    let overhang = if params.ceil_mode { stride as i128 - 1 } else { 0 };
    if effective > padded + overhang {
        let most = ((padded + overhang - 1).div_euclid(dilation as i128) + 1).max(0) as i64;
        let because = format!(
            "on spatial axis {spatial_axis} the window of dilation * (kernel_size - 1) + 1 = {effective} elements must fit the padded \
             input of {before} + {input} + {after} = {padded}{}",
            if params.ceil_mode { ", plus stride - 1 in ceil mode" } else { "" }
        );
        return Err(Error::TooLarge { argument: "kernel_size", got: kernel, most, because });
    }
    let mut outputs = (padded - effective + overhang) / stride as i128 + 1;
    let in_padding = (outputs - 1) * stride as i128 >= input as i128 + before as i128;
    if params.ceil_mode && in_padding && rule.drops_window_in_padding((before as i64, after as i64)) {
        outputs -= 1;
    }
    if padded + effective + stride as i128 > isize::MAX as i128 / 4 {
        return Err(Error::Overflow { what: "the padded input" });
    }
    Ok(Windows::Sliding {
        input,
        outputs: outputs as usize,
        kernel: kernel as usize,
        stride: stride as usize,
        dilation: dilation as usize,
        before,
        counted: if rule.counts_overhang() { usize::MAX } else { padded as usize },
    })
}
