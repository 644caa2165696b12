//! The arguments that only fractional pools have.

use pyo3::prelude::*;

use super::arguments::{number, sequence};
use super::arrays::Input;
use crate::array::{DType, Element, bf16, f16};
use crate::error::Error;

/// Output sizes from `output_ratio`: floor(input size * ratio), every ratio in (0, 1).
pub(super) fn sizes_from_ratio(value: &Bound<'_, PyAny>, spatial: usize, five: &[usize; 5]) -> PyResult<[i64; 3]> {
    let ratios = match sequence(value) {
        Some(items) => items.iter().map(|item| number("output_ratio", item)).collect::<PyResult<_>>()?,
        None => vec![number("output_ratio", value)?; spatial],
    };
    if ratios.len() != spatial {
        let rule = format!("it must be one number, or one for each of the {spatial} spatial axes");
        return Err(Error::Shape { argument: "output_ratio", got: format!("{} numbers", ratios.len()), rule }.into());
    }
    let mut sizes = [1; 3];
    for (axis, &ratio) in ratios.iter().enumerate() {
        if !(ratio > 0.0 && ratio < 1.0) {
            let rule = "it must be larger than 0 and smaller than 1".to_string();
            return Err(Error::Value { argument: "output_ratio", got: ratio.to_string(), rule }.into());
        }
        let place = 3 - spatial + axis;
        sizes[place] = (five[2 + place] as f64 * ratio) as i64;
    }
    Ok(sizes)
}

/// What the windows of a fractional pool are drawn from. Torch stores the samples as (batch, channels, axes), the axes as (depth,
/// height, width) in 3-D and as (width, height) in 2-D.
pub(super) struct Samples<'py> {
    /// Those of a plane (depth, height, width).
    pub of_plane: Box<dyn Fn(usize) -> [f64; 3] + Sync + 'py>,
    /// Rounds as torch does where it computes the window starts: to the dtype of the input.
    pub round: fn(f64) -> f64,
    /// Owns the memory that `of_plane` reads.
    _array: Input<'py>,
}

impl<'py> Samples<'py> {
    /// The argument's samples, or an error if they do not fit `input` of sizes `five`.
    pub fn new(spatial: usize, value: &Bound<'py, PyAny>, input: &Input<'_>, five: &[usize; 5]) -> PyResult<Self> {
        let array = Input::new("_random_samples", value)?;
        if array.rank() != 3 || array.shape()[0] < five[0] || array.shape()[1..] != [five[1], spatial] {
            let rule = format!("it must have shape (batch, channels, spatial axes) = {:?}", [five[0], five[1], spatial]);
            return Err(Error::Shape { argument: "_random_samples", got: format!("{:?}", array.shape()), rule }.into());
        }
        if matches!(input.dtype, DType::F16 | DType::BF16 | DType::F32 | DType::F64) {
            array.same_dtype(input)?;
        }
        let of_plane = match array.dtype {
            DType::F32 => reader::<f32>(&array, spatial),
            DType::F64 => reader::<f64>(&array, spatial),
            DType::F16 => reader::<f16>(&array, spatial),
            DType::BF16 => reader::<bf16>(&array, spatial),
            _ => {
                let rule = "it must hold floating-point numbers in [0, 1)".to_string();
                return Err(Error::Kind { argument: "_random_samples", got: array.dtype_name(), rule }.into());
            }
        };
        let round: fn(f64) -> f64 = match input.dtype {
            DType::F16 => |x| f16::from_f64(x).to_f64(),
            DType::BF16 => |x| bf16::from_f64(x).to_f64(),
            DType::F32 => |x| f64::from(x as f32),
            _ => |x| x,
        };
        Ok(Samples { of_plane, round, _array: array })
    }
}

fn reader<'py, E: Element + Into<f64>>(array: &Input<'py>, spatial: usize) -> Box<dyn Fn(usize) -> [f64; 3] + Sync + 'py> {
    let (view, channels) = (array.view::<E>(1), array.shape()[1]);
    Box::new(move |plane| {
        let mut samples = [0.0; 3];
        for axis in 0..spatial {
            let place = if spatial == 2 { 2 - axis } else { axis };
            samples[place] = (*view.get([plane / channels, plane % channels, 0, 0, axis])).into();
        }
        samples
    })
}
