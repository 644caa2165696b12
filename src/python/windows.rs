//! The windows of pools, as tables.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::arguments::{exactly_per_axis, optional_per_axis};
use super::arrays::Input;
use super::fractional::{Samples, sizes_from_ratio};
use super::pool::sliding;
use crate::shape::{PoolShape, Window};

/// Start, first covered element, covered elements, their distance, and what counts where padding counts.
type Row = (isize, usize, usize, usize, usize);

/// The rows of each spatial axis.
fn rows(spatial: usize, shape: &PoolShape) -> Vec<Vec<Row>> {
    let row = |start: isize, window: Window| (start, window.first, window.taps, window.step, window.extent);
    let axes = &shape.windows(0)[3 - spatial..];
    axes.iter().map(|axis| (0..axis.outputs()).map(|output| row(axis.start(output), axis.window(output))).collect()).collect()
}

fn five(spatial: usize, input_size: &Bound<'_, PyAny>) -> PyResult<[usize; 5]> {
    let [depth, height, width] = exactly_per_axis("input_size", input_size, spatial, 1)?;
    Ok([1, 1, depth.max(0) as usize, height.max(0) as usize, width.max(0) as usize])
}

/// Those of a pool that slides; see `convrs.windows`.
#[pyfunction]
#[pyo3(signature = (n, input_size, kernel_size, stride, padding, dilation, ceil_mode, rule, within_input, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn sliding_windows(
    n: usize,
    input_size: &Bound<'_, PyAny>,
    kernel_size: &Bound<'_, PyAny>,
    stride: &Bound<'_, PyAny>,
    padding: &Bound<'_, PyAny>,
    dilation: &Bound<'_, PyAny>,
    ceil_mode: &Bound<'_, PyAny>,
    rule: &Bound<'_, PyAny>,
    within_input: bool,
) -> PyResult<Vec<Vec<Row>>> {
    let mut params = sliding(n, kernel_size, stride, padding, dilation, ceil_mode, rule)?;
    params.kernel_within_input = within_input;
    Ok(rows(n, &PoolShape::sliding(five(n, input_size)?, &params)?))
}

/// Those of an adaptive pool.
#[pyfunction]
#[pyo3(signature = (n, input_size, output_size, /))]
pub(super) fn adaptive_windows(
    n: usize,
    input_size: &Bound<'_, PyAny>,
    output_size: &Bound<'_, PyAny>,
) -> PyResult<Vec<Vec<Row>>> {
    let output = optional_per_axis("output_size", output_size, n)?;
    Ok(rows(n, &PoolShape::adaptive(five(n, input_size)?, n, output, false)?))
}

/// Those of one plane of a fractional pool; `samples` is an array of shape (1, 1, n).
#[pyfunction]
#[pyo3(signature = (n, input_size, kernel_size, output_size, output_ratio, samples, /))]
pub(super) fn fractional_windows(
    n: usize,
    input_size: &Bound<'_, PyAny>,
    kernel_size: &Bound<'_, PyAny>,
    output_size: Option<&Bound<'_, PyAny>>,
    output_ratio: Option<&Bound<'_, PyAny>>,
    samples: &Bound<'_, PyAny>,
) -> PyResult<Vec<Vec<Row>>> {
    let five = five(n, input_size)?;
    let kernel = exactly_per_axis("kernel_size", kernel_size, n, 1)?;
    let output = match (output_size, output_ratio) {
        (Some(size), _) => exactly_per_axis("output_size", size, n, 1)?,
        (None, Some(ratio)) => sizes_from_ratio(ratio, n, &five)?,
        (None, None) => return Err(PyValueError::new_err("give output_size or output_ratio")),
    };
    let samples = Samples::new(n, samples, &Input::new("_random_samples", samples)?, &five)?;
    Ok(rows(n, &PoolShape::fractional(five, n, kernel, output, &*samples.of_plane, samples.round)?))
}
