//! The pools.

use num_traits::AsPrimitive;
use numpy::PyArrayDescr;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::arguments::{
    exactly_per_axis, flag, integer, is_empty_sequence, number, optional_per_axis, padding as paddings, per_axis,
    rule as named_rule,
};
use super::arrays::{Input, Output, isa};
use super::fractional::{Samples, sizes_from_ratio};
use super::kinds::{any_element, float_element, integer_element, number_element, ordered_element, stored_element};
use crate::array::{Accumulator, DType, Element, RANK};
use crate::error::Error;
use crate::pool::{
    Average, Extreme, Extremum, Max, Places, Power, Reduction, fill_empty, magnitude, rebase, run, run_converted, run_extremum,
    run_extremum_with_indices, unpool,
};
use crate::shape::{IndexBase, Padding, PoolParams, PoolShape, Rule};

/// Maximum, or the `smallest` element, over windows; see `convrs.max_pool2d` and `convrs.min_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, smallest, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices, rule, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn max_pool<'py>(
    n: usize,
    smallest: bool,
    input: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    dilation: &Bound<'py, PyAny>,
    ceil_mode: &Bound<'py, PyAny>,
    return_indices: &Bound<'py, PyAny>,
    rule: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let params = sliding(n, kernel_size, stride, padding, dilation, ceil_mode, rule)?;
    let extremum = Extremum { smallest, ignores_nan: params.rule.ignores_nan() };
    pool.extremum(&PoolShape::sliding(pool.input.five(n), &params)?, extremum, params.rule, return_indices, out)
}

/// Mean over windows; see `convrs.avg_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, dilation, rule, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn avg_pool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    ceil_mode: &Bound<'py, PyAny>,
    count_include_pad: &Bound<'py, PyAny>,
    divisor_override: Option<&Bound<'py, PyAny>>,
    dilation: &Bound<'py, PyAny>,
    rule: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let mut params = sliding(n, kernel_size, stride, padding, dilation, ceil_mode, rule)?;
    params.kernel_within_input = n == 3;
    let divisor = divisor_override.map(|value| integer("divisor_override", value)).transpose()?;
    if divisor == Some(0) {
        let rule = "a sum is divided by it, so it must not be 0; the nearest legal value is 1".to_string();
        return Err(Error::Value { argument: "divisor_override", got: "0".to_string(), rule }.into());
    }
    let count_include_pad = params.rule.counts_padding(flag("count_include_pad", count_include_pad)?);
    let shape = PoolShape::sliding(pool.input.five(n), &params)?;
    let empty_is_nan = params.rule.has_empty_windows() && !count_include_pad && divisor.is_none();
    pool.average(&shape, Average { count_include_pad, divisor }, empty_is_nan, out)
}

/// Power mean over windows; see `convrs.lp_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, norm_type, kernel_size, stride, ceil_mode, padding, dilation, rule, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn lp_pool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    norm_type: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    ceil_mode: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    dilation: &Bound<'py, PyAny>,
    rule: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let norm = number("norm_type", norm_type)?;
    if norm == 0.0 {
        let rule = "the root 1 / norm_type is taken, so it must not be 0; the nearest whole numbers are -1 and 1".to_string();
        return Err(Error::Value { argument: "norm_type", got: "0".to_string(), rule }.into());
    }
    exactly_per_axis("kernel_size", kernel_size, n, 1)?;
    let params = PoolParams {
        kernel_within_input: n == 3 && norm.is_finite(),
        ..sliding(n, kernel_size, stride, padding, dilation, ceil_mode, rule)?
    };
    let rule = params.rule;
    if rule.is_tensorflows() {
        let rule = "TensorFlow has no power mean; the nearest rules are \"torch\" and \"onnx\"".to_string();
        return Err(Error::Value { argument: "rule", got: format!("{:?}", params.rule.name()), rule }.into());
    }
    if rule == Rule::CoreMl && norm != 2.0 {
        let rule = "Core ML has the power mean of 2 alone".to_string();
        return Err(Error::Value { argument: "norm_type", got: norm.to_string(), rule }.into());
    }
    let pool = Pool::new(n, input)?;
    let shape = PoolShape::sliding(pool.input.five(n), &params)?;
    let power = Power { norm, taps: rule.powers_as_torch().then(|| params.kernel.iter().product()) };
    if pool.input.dtype.is_integer() {
        return pool.norm_of_integers(&shape, power, out);
    }
    if norm.is_infinite() {
        return float_element!(pool.input, E => pool.reduce::<E, _>(&shape, Extreme { sign: norm.signum() }, None, out));
    }
    float_element!(pool.input, E => pool.reduce::<E, _>(&shape, power, None, out))
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
    pool.average(&shape, Average { count_include_pad: false, divisor: None }, false, out)
}

/// Maximum over as many windows as asked for; see `convrs.adaptive_max_pool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, output_size, return_indices, out, /))]
pub(super) fn adaptive_max_pool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    output_size: &Bound<'py, PyAny>,
    return_indices: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let shape = PoolShape::adaptive(pool.input.five(n), n, optional_per_axis("output_size", output_size, n)?, pool.unbatched())?;
    pool.extremum(&shape, TORCHS, Rule::Torch, return_indices, out)
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
    return_indices: &Bound<'py, PyAny>,
    random_samples: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pool = Pool::new(n, input)?;
    let kernel = exactly_per_axis("kernel_size", kernel_size, n, 1)?;
    let five = pool.input.five(n);
    let output = match (output_size, output_ratio) {
        (Some(size), _) => exactly_per_axis("output_size", size, n, 1)?,
        (None, Some(ratio)) => sizes_from_ratio(ratio, n, &five)?,
        (None, None) => return Err(PyValueError::new_err("give output_size or output_ratio")),
    };
    let samples = Samples::new(n, random_samples, &pool.input, &five)?;
    let shape = PoolShape::fractional(five, n, kernel, output, &*samples.of_plane, samples.round)?;
    pool.extremum(&shape, TORCHS, Rule::Torch, return_indices, out)
}

/// The inverse of a max pool; see `convrs.max_unpool2d`.
#[pyfunction]
#[pyo3(signature = (n, input, indices, kernel_size, stride, padding, output_size, rule, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn max_unpool<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    indices: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    output_size: Option<&Bound<'py, PyAny>>,
    rule: &Bound<'py, PyAny>,
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
    let rule = named_rule(rule)?;
    if !matches!(rule, Rule::Torch | Rule::Onnx) {
        let got = format!("{:?}", rule.name());
        let rule = "an unpool knows \"torch\" and \"onnx\"".to_string();
        return Err(Error::Value { argument: "rule", got, rule }.into());
    }
    let kernel = exactly_per_axis("kernel_size", kernel_size, n, 1)?;
    let stride = if stride.is_none() { kernel } else { exactly_per_axis("stride", stride, n, 1)? };
    let padding =
        if rule == Rule::Torch { Padding::symmetric(exactly_per_axis("padding", padding, n, 0)?) } else { paddings(padding, n)? };
    let params =
        PoolParams { spatial: n, kernel, stride, padding, dilation: [1; 3], ceil_mode: false, rule, kernel_within_input: false };
    let wanted = output_size.map(|size| super::unpooled::wanted(size, n)).transpose()?;
    let five = pool.input.five(n);
    PoolShape::not_empty(five, n, false)?;
    let pooled = [five[2], five[3], five[4]];
    let spatial = params.unpooled(pooled, wanted)?;
    let of_array = rule.index_base() == Some(IndexBase::Array);
    // ONNX counts in the smallest size, whatever size is asked for (onnx#2398).
    let sizes = if of_array { params.unpooled(pooled, None)? } else { spatial };
    if let Some(axis) = (0..3).find(|&axis| spatial[axis] < sizes[axis]) {
        let (got, least) = (spatial[axis] as i64, sizes[axis] as i64);
        return Err(Error::TooSmall { argument: "output_size", got, least }.into());
    }
    let mut result = Output::new(
        out,
        &pool.result_shape([five[0], five[1], spatial[0], spatial[1], spatial[2]]),
        &pool.input.descriptor(),
        &[&pool.input, &indices],
    )?;
    let py = input.py();
    stored_element!(pool.input, E => {
        let (source, places) = (pool.input.view::<E>(n), indices.view::<i64>(n));
        let mut output = result.view::<E>(n);
        py.detach(|| unpool(&source, &places, Places { sizes, of_array }, &mut output))?;
    });
    Ok(result.into_any())
}

/// Torch's maximum.
const TORCHS: Extremum = Extremum { smallest: false, ignores_nan: false };

/// The parameters of a sliding pool.
pub(super) fn sliding(
    n: usize,
    kernel_size: &Bound<'_, PyAny>,
    stride: &Bound<'_, PyAny>,
    padding: &Bound<'_, PyAny>,
    dilation: &Bound<'_, PyAny>,
    ceil_mode: &Bound<'_, PyAny>,
    rule: &Bound<'_, PyAny>,
) -> PyResult<PoolParams> {
    let kernel = per_axis("kernel_size", kernel_size, n, 1)?;
    let stride = if stride.is_none() || is_empty_sequence(stride) { kernel } else { per_axis("stride", stride, n, 1)? };
    Ok(PoolParams {
        spatial: n,
        kernel,
        stride,
        padding: paddings(padding, n)?,
        dilation: per_axis("dilation", dilation, n, 1)?,
        ceil_mode: flag("ceil_mode", ceil_mode)?,
        rule: named_rule(rule)?,
        kernel_within_input: false,
    })
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

    /// `empty_is_nan` is for windows without elements, 0 / 0.
    fn average(
        &self,
        shape: &PoolShape,
        average: Average,
        empty_is_nan: bool,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        any_element!(self.input, E => {
            let real = <E as Element>::Accumulator::ACTIVATES;
            let empty = (empty_is_nan && real).then(|| E::narrow(<E as Element>::Accumulator::from_f64(f64::NAN)));
            self.reduce::<E, _>(shape, average, empty, out)
        })
    }

    fn extremum(
        &self,
        shape: &PoolShape,
        extremum: Extremum,
        rule: Rule,
        return_indices: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let base = match (flag("return_indices", return_indices)?, rule.index_base()) {
            (false, _) => None,
            (true, Some(base)) => Some(base),
            (true, None) => {
                let rule = format!("rule=\"{}\" has none; leave it False", rule.name());
                return Err(Error::Value { argument: "return_indices", got: "True".to_string(), rule }.into());
            }
        };
        ordered_element!(self.input, E => {
            let empty = rule.has_empty_windows().then(|| extremum.nothing::<E>());
            if base.is_none() && extremum.is_plain() {
                return self.reduce::<E, _>(shape, Max, empty, out);
            }
            let py = self.input.py();
            let sizes = self.result_shape(shape.output_shape());
            let mut result = Output::new(out, &sizes, &self.input.descriptor(), &[&self.input])?;
            let mut winners = base.map(|_| Output::indices(py, &sizes)).transpose()?;
            let input = self.input.view::<E>(self.spatial);
            let mut output = result.view::<E>(self.spatial);
            let mut indices = winners.as_mut().map(|winners| winners.view::<i64>(self.spatial));
            py.detach(|| {
                match (&mut indices, base) {
                    (Some(indices), Some(base)) => {
                        run_extremum_with_indices(isa(), shape, extremum, &input, &mut output, indices)?;
                        rebase(shape, base, indices)?;
                    }
                    _ => run_extremum(isa(), shape, extremum, &input, &mut output)?,
                }
                empty.map_or(Ok(()), |empty| fill_empty(shape, &mut output, empty))
            })?;
            match winners {
                Some(winners) => Ok(PyTuple::new(py, [result.into_any(), winners.into_any()])?.into_any()),
                None => Ok(result.into_any()),
            }
        })
    }

    /// `empty` is written where a window has no elements.
    fn reduce<E: Element, R: Reduction<E>>(
        &self,
        shape: &PoolShape,
        reduction: R,
        empty: Option<E>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let sizes = self.result_shape(shape.output_shape());
        let mut result = Output::new(out, &sizes, &self.input.descriptor(), &[&self.input])?;
        let input = self.input.view::<E>(self.spatial);
        let mut output = result.view::<E>(self.spatial);
        self.input.py().detach(|| {
            run(isa(), shape, reduction, &input, &mut output)?;
            empty.map_or(Ok(()), |empty| fill_empty(shape, &mut output, empty))
        })?;
        Ok(result.into_any())
    }

    /// As torch: the extremes keep the dtype, powers are float32. Bool, which has no sign, goes with the powers.
    fn norm_of_integers(&self, shape: &PoolShape, power: Power, out: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let (py, sign) = (self.input.py(), power.norm.signum());
        if power.norm.is_finite() || self.input.dtype == DType::Bool {
            let float32 = numpy::dtype::<f32>(py);
            return integer_element!(self.input, E => {
                let convert = |element: E| -> f32 { element.to_sum().as_() };
                if power.norm.is_finite() {
                    self.reduce_converted(shape, power, convert, None, &float32, out)
                } else {
                    self.reduce_converted(shape, Extreme { sign }, convert, None, &float32, out)
                }
            });
        }
        let dtype = self.input.descriptor();
        if sign > 0.0 {
            return number_element!(self.input, E => self.reduce_converted(shape, Max, magnitude, Some(E::default()), &dtype, out));
        }
        let largest = number_element!(self.input, E => {
            self.reduce_converted(shape, Max, |element: E| magnitude(element).wrapping_neg(), None, &dtype, out)?
        });
        py.import("numpy")?.call_method1("negative", (&largest, &largest))
    }

    /// Reduces what `convert` makes of each element, without an array of it; windows without elements become `empty`.
    fn reduce_converted<E: Element, T: Element, R: Reduction<T>>(
        &self,
        shape: &PoolShape,
        reduction: R,
        convert: impl Fn(E) -> T + Sync,
        empty: Option<T>,
        dtype: &Bound<'py, PyArrayDescr>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut result = Output::new(out, &self.result_shape(shape.output_shape()), dtype, &[&self.input])?;
        let input = self.input.view::<E>(self.spatial);
        let mut output = result.view::<T>(self.spatial);
        let fill = |place: [usize; RANK], step: usize, run: &mut [T]| {
            let elements = input.run(place, (run.len() - 1) * step + 1);
            run.iter_mut().enumerate().for_each(|(index, value)| *value = convert(elements.at(index * step)));
        };
        self.input.py().detach(|| {
            run_converted(isa(), shape, reduction, &fill, &mut output)?;
            empty.map_or(Ok(()), |empty| fill_empty(shape, &mut output, empty))
        })?;
        Ok(result.into_any())
    }
}
