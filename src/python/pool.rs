//! The pools.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::arguments::{exactly_per_axis, integer, is_empty_sequence, optional_per_axis, per_axis};
use super::arrays::{Input, Output, isa};
use super::kinds::{any_element, float_element, ordered_element, stored_element};
use crate::array::{DType, Element};
use crate::error::Error;
use crate::pool::{Average, Extreme, Max, Power, Reduction, run, run_with_indices, unpool};
use crate::shape::{PoolParams, PoolShape};

/// Maximum over windows; see `convrs.max_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn max_pool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    dilation: &Bound<'py, PyAny>,
    ceil_mode: bool,
    return_indices: bool,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let mut params = sliding(n, kernel_size, stride, ceil_mode)?;
    params.padding = per_axis("padding", padding, n, 0)?;
    params.dilation = per_axis("dilation", dilation, n, 1)?;
    pool.max(&PoolShape::sliding(pool.input.five(n), &params)?, return_indices, out)
}

/// Mean over windows; see `convrs.avg_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn avg_pool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Option<&Bound<'py, PyAny>>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let mut params = sliding(n, kernel_size, stride, ceil_mode)?;
    params.padding = per_axis("padding", padding, n, 0)?;
    params.kernel_within_input = n == 3;
    let divisor = divisor_override.map(|value| integer("divisor_override", value)).transpose()?;
    if divisor == Some(0) {
        let rule = "a sum is divided by it, so it must not be 0; the nearest legal value is 1".to_string();
        return Err(Error::Shape { argument: "divisor_override", got: "0".to_string(), rule }.into());
    }
    pool.average(&PoolShape::sliding(pool.input.five(n), &params)?, Average { count_include_pad, divisor }, out)
}

/// Power mean over windows; see `convrs.lp_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, norm_type, kernel_size, stride, ceil_mode, out, /))]
pub(super) fn lp_pool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    norm_type: f64,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    ceil_mode: bool,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if norm_type == 0.0 {
        return Err(Error::Shape { argument: "norm_type", got: "0".to_string(), rule: "it must not be 0".to_string() }.into());
    }
    exactly_per_axis("kernel_size", kernel_size, n, 1)?;
    let params =
        PoolParams { kernel_within_input: n == 3 && norm_type.is_finite(), ..sliding(n, kernel_size, stride, ceil_mode)? };
    let pool = Pool::new(n, input)?;
    let shape = PoolShape::sliding(pool.input.five(n), &params)?;
    if pool.input.dtype.is_integer() {
        // As torch: the extremes keep the dtype, powers are float32. Bool, which has no sign, goes with the powers.
        let signed = pool.input.dtype != DType::Bool;
        return if signed && norm_type == f64::INFINITY {
            Pool::new(n, &input.call_method0("__abs__")?)?.max(&shape, false, out)
        } else if signed && norm_type == f64::NEG_INFINITY {
            let least = Pool::new(n, &input.call_method0("__abs__")?.call_method0("__neg__")?)?.max(&shape, false, out)?;
            input.py().import("numpy")?.call_method1("negative", (&least, &least))
        } else {
            lp_pool(n, &input.call_method1("astype", ("float32",))?, norm_type, kernel_size, stride, ceil_mode, out)
        };
    }
    if norm_type.is_infinite() {
        return float_element!(pool.input, E => pool.reduce::<E, _>(&shape, Extreme { sign: norm_type.signum() }, out));
    }
    let power = Power { norm: norm_type, taps: params.kernel.iter().product() };
    float_element!(pool.input, E => pool.reduce::<E, _>(&shape, power, out))
}

/// Mean over as many windows as asked for; see `convrs.adaptive_avg_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, output_size, out, /))]
pub(super) fn adaptive_avg_pool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    output_size: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let shape =
        PoolShape::adaptive(pool.input.five(n), n, optional_per_axis("output_size", output_size, n)?, n < 3 || pool.unbatched())?;
    pool.average(&shape, Average { count_include_pad: false, divisor: None }, out)
}

/// Maximum over as many windows as asked for; see `convrs.adaptive_max_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, output_size, return_indices, out, /))]
pub(super) fn adaptive_max_pool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    output_size: &Bound<'py, PyAny>,
    return_indices: bool,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let shape = PoolShape::adaptive(pool.input.five(n), n, optional_per_axis("output_size", output_size, n)?, pool.unbatched())?;
    pool.max(&shape, return_indices, out)
}

/// Maximum over windows at pseudo-random distances; see `convrs.fractional_max_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, kernel_size, output_size, output_ratio, return_indices, random_samples, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn fractional_max_pool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    output_size: Option<&Bound<'py, PyAny>>,
    output_ratio: Option<&Bound<'py, PyAny>>,
    return_indices: bool,
    random_samples: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let kernel = exactly_per_axis("kernel_size", kernel_size, n, 1)?;
    let five = pool.input.five(n);
    let output = match (output_size, output_ratio) {
        (Some(size), _) => exactly_per_axis("output_size", size, n, 1)?,
        (None, Some(ratio)) => super::fractional::sizes_from_ratio(ratio, n, &five)?,
        (None, None) => return Err(PyValueError::new_err("give output_size or output_ratio")),
    };
    let (samples, round) = super::fractional::samples(n, random_samples, &pool.input, &five)?;
    pool.max(&PoolShape::fractional(five, n, kernel, output, samples, round)?, return_indices, out)
}

/// The inverse of a max pool; see `convrs.max_unpool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, indices, kernel_size, stride, padding, output_size, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn max_unpool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    indices: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    output_size: Option<&Bound<'py, PyAny>>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let indices = Input::new("indices", indices)?;
    if indices.dtype != DType::I64 {
        let rule = "it must be int64; write indices.astype(numpy.int64)".to_string();
        return Err(Error::Kind { argument: "indices", got: indices.dtype_name(), rule }.into());
    }
    if indices.shape() != pool.input.shape() {
        let rule = format!("it must have the shape of input, {:?}", pool.input.shape());
        return Err(Error::Shape { argument: "indices", got: format!("{:?}", indices.shape()), rule }.into());
    }
    let kernel = exactly_per_axis("kernel_size", kernel_size, n, 1)?;
    let stride = if stride.is_none() { kernel } else { exactly_per_axis("stride", stride, n, 1)? };
    let padding = exactly_per_axis("padding", padding, n, 0)?;
    let params =
        PoolParams { spatial: n, kernel, stride, padding, dilation: [1; 3], ceil_mode: false, kernel_within_input: false };
    let wanted = output_size.map(|size| super::unpooled::wanted(size, n)).transpose()?;
    let five = pool.input.five(n);
    PoolShape::not_empty(five, false)?;
    let spatial = params.unpooled([five[2], five[3], five[4]], wanted)?;
    let mut result = Output::new(
        out,
        &pool.result_shape([five[0], five[1], spatial[0], spatial[1], spatial[2]]),
        &pool.input,
        &[&pool.input, &indices],
    )?;
    let py = input.py();
    stored_element!(pool.input, E => {
        let (source, places) = (pool.input.view::<E>(n), indices.view::<i64>(n));
        let mut output = result.view::<E>(n);
        py.detach(|| unpool(&source, &places, &mut output))?;
    });
    Ok(result.into_any())
}

/// The parameters that all sliding pools share.
fn sliding(n: usize, kernel_size: &Bound<'_, PyAny>, stride: &Bound<'_, PyAny>, ceil_mode: bool) -> PyResult<PoolParams> {
    let kernel = per_axis("kernel_size", kernel_size, n, 1)?;
    let stride = if stride.is_none() || is_empty_sequence(stride) { kernel } else { per_axis("stride", stride, n, 1)? };
    Ok(PoolParams { spatial: n, kernel, stride, padding: [0; 3], dilation: [1; 3], ceil_mode, kernel_within_input: false })
}

struct Pool<'py> {
    spatial: usize,
    input: Input<'py>,
}

impl<'py> Pool<'py> {
    fn new(spatial: usize, input: &Bound<'py, PyAny>) -> PyResult<Self> {
        let input = Input::new("input", input)?;
        input.check_rank(spatial)?;
        Ok(Pool { spatial, input })
    }

    fn unbatched(&self) -> bool {
        self.input.rank() == self.spatial + 1
    }

    fn result_shape(&self, five: [usize; 5]) -> Vec<usize> {
        self.input.without_neutral_axes(self.spatial, five)
    }

    fn average(&self, shape: &PoolShape, average: Average, out: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        any_element!(self.input, E => self.reduce::<E, _>(shape, average, out))
    }

    fn max(&self, shape: &PoolShape, return_indices: bool, out: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        ordered_element!(self.input, E => {
            if !return_indices {
                return self.reduce::<E, _>(shape, Max, out);
            }
            let py = self.input.py();
            let sizes = self.result_shape(shape.output_shape());
            let mut result = Output::new(out, &sizes, &self.input, &[&self.input])?;
            let mut winners = Output::indices(py, &sizes)?;
            let input = self.input.view::<E>(self.spatial);
            let (mut output, mut indices) = (result.view::<E>(self.spatial), winners.view::<i64>(self.spatial));
            py.detach(|| run_with_indices(isa(), shape, &input, &mut output, &mut indices))?;
            Ok(PyTuple::new(py, [result.into_any(), winners.into_any()])?.into_any())
        })
    }

    fn reduce<E: Element, R: Reduction<E>>(
        &self,
        shape: &PoolShape,
        reduction: R,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let sizes = self.result_shape(shape.output_shape());
        let mut result = Output::new(out, &sizes, &self.input, &[&self.input])?;
        let input = self.input.view::<E>(self.spatial);
        let mut output = result.view::<E>(self.spatial);
        self.input.py().detach(|| run(isa(), shape, reduction, &input, &mut output))?;
        Ok(result.into_any())
    }
}
