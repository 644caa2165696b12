//! The arguments that only fractional pools have.

use pyo3::prelude::*;

use super::arrays::Input;
use crate::array::{DType, bf16, f16};
use crate::error::Error;

/// Output sizes from `output_ratio`: floor(input size * ratio), every ratio in (0, 1).
pub(super) fn sizes_from_ratio(value: &Bound<'_, PyAny>, spatial: usize, five: &[usize; 5]) -> PyResult<[i64; 3]> {
    let ratios: Vec<f64> = match value.extract::<f64>() {
        Ok(ratio) => vec![ratio; spatial],
        Err(_) => value
            .extract()
            .map_err(|_| super::arguments::wrong_kind("output_ratio", value, "a number or one for each spatial axis"))?,
    };
    if ratios.len() != spatial {
        let rule = format!("it must be one number, or one for each of the {spatial} spatial axes");
        return Err(Error::Shape { argument: "output_ratio", got: format!("{} numbers", ratios.len()), rule }.into());
    }
    let mut sizes = [1; 3];
    for (axis, &ratio) in ratios.iter().enumerate() {
        if !(ratio > 0.0 && ratio < 1.0) {
            let rule = "it must be larger than 0 and smaller than 1".to_string();
            return Err(Error::Shape { argument: "output_ratio", got: ratio.to_string(), rule }.into());
        }
        let place = 3 - spatial + axis;
        sizes[place] = (five[2 + place] as f64 * ratio) as i64;
    }
    Ok(sizes)
}

/// Rounds to the precision in which window starts are computed.
pub(super) type Rounding = fn(f64) -> f64;

/// The samples of every plane (depth, height, width), and the rounding in which torch computes the window starts: that of
/// input's dtype. Torch stores the samples as (batch, channels, axes), the axes as (depth, height, width) in 3-D and as
/// (width, height) in 2-D.
pub(super) fn samples(
    spatial: usize,
    value: &Bound<'_, PyAny>,
    input: &Input<'_>,
    five: &[usize; 5],
) -> PyResult<(Vec<[f64; 3]>, Rounding)> {
    let array = Input::new("_random_samples", value)?;
    if array.rank() != 3 || array.shape()[0] < five[0] || array.shape()[1..] != [five[1], spatial] {
        let rule = format!("it must have shape (batch, channels, spatial axes) = {:?}", [five[0], five[1], spatial]);
        return Err(Error::Shape { argument: "_random_samples", got: format!("{:?}", array.shape()), rule }.into());
    }
    if matches!(input.dtype, DType::F16 | DType::BF16 | DType::F32 | DType::F64) {
        array.same_dtype(input)?;
    }
    let round: Rounding = match input.dtype {
        DType::F16 => |x| f16::from_f64(x).to_f64(),
        DType::BF16 => |x| bf16::from_f64(x).to_f64(),
        DType::F32 => |x| f64::from(x as f32),
        _ => |x| x,
    };
    let read: Box<dyn Fn([usize; 5]) -> f64> = match array.dtype {
        DType::F32 => {
            let view = array.view::<f32>(1);
            Box::new(move |at| f64::from(*view.get(at)))
        }
        DType::F64 => {
            let view = array.view::<f64>(1);
            Box::new(move |at| *view.get(at))
        }
        DType::F16 => {
            let view = array.view::<f16>(1);
            Box::new(move |at| view.get(at).to_f64())
        }
        DType::BF16 => {
            let view = array.view::<bf16>(1);
            Box::new(move |at| view.get(at).to_f64())
        }
        _ => {
            let rule = "it must hold floating-point numbers in [0, 1)".to_string();
            return Err(Error::Kind { argument: "_random_samples", got: array.dtype_name(), rule }.into());
        }
    };
    let mut planes = Vec::with_capacity(five[0] * five[1]);
    for image in 0..five[0] {
        for channel in 0..five[1] {
            let mut plane = [0.0; 3];
            for axis in 0..spatial {
                let sample = read([image, channel, 0, 0, axis]);
                let place = if spatial == 2 { 2 - axis } else { axis };
                plane[place] = sample;
            }
            planes.push(plane);
        }
    }
    Ok((planes, round))
}
