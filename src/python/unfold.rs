//! `unfold` and `fold`.

use pyo3::prelude::*;

use super::arguments::exactly_per_axis;
use super::arrays::{Input, Output};
use super::kinds::{any_element, stored_element};
use crate::error::Error;
use crate::shape::{UnfoldParams, UnfoldShape};

/// Sliding blocks as columns; see `convrs.unfold`.
#[pyfunction]
#[pyo3(signature = (input, kernel_size, dilation, padding, stride, out, /))]
pub(super) fn unfold<'py>(
    input: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    dilation: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let params = parameters(kernel_size, dilation, padding, stride)?;
    let input = Input::new("input", input)?;
    input.check_rank(2)?;
    let [batch, channels, _, height, width] = input.five(2);
    let shape = UnfoldShape::new(batch, channels, [height, width], &params)?;
    let sizes = [batch, shape.columns(), shape.block_count()];
    let mut result = Output::new(out, &sizes[usize::from(input.rank() == 3)..], &input.descriptor(), &[&input])?;
    stored_element!(input, E => {
        let source = input.view::<E>(2);
        let mut output = result.view::<E>(1);
        input.py().detach(|| crate::pool::unfold(&shape, &source, &mut output))?;
    });
    Ok(result.into_any())
}

/// Columns summed up into an image; see `convrs.fold`.
#[pyfunction]
#[pyo3(signature = (input, output_size, kernel_size, dilation, padding, stride, out, /))]
pub(super) fn fold<'py>(
    input: &Bound<'py, PyAny>,
    output_size: &Bound<'py, PyAny>,
    kernel_size: &Bound<'py, PyAny>,
    dilation: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    stride: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let params = parameters(kernel_size, dilation, padding, stride)?;
    let [_, height, width] = exactly_per_axis("output_size", output_size, 2, 1)?;
    let input = Input::new("input", input)?;
    if input.rank() != 2 && input.rank() != 3 {
        let rule = "it must have 3 axes (batch, columns, blocks), or 2 without the batch".to_string();
        return Err(Error::Shape { argument: "input", got: format!("{:?}", input.shape()), rule }.into());
    }
    let [batch, columns, _, _, blocks] = input.five(1);
    let shape = UnfoldShape::folded(batch, columns, blocks, [height, width], &params)?;
    let sizes = [batch, shape.channels, shape.image[0], shape.image[1]];
    let mut result = Output::new(out, &sizes[usize::from(input.rank() == 2)..], &input.descriptor(), &[&input])?;
    any_element!(input, E => {
        let source = input.view::<E>(1);
        let mut output = result.view::<E>(2);
        input.py().detach(|| crate::pool::fold(&shape, &source, &mut output))?;
    });
    Ok(result.into_any())
}

fn parameters(
    kernel_size: &Bound<'_, PyAny>,
    dilation: &Bound<'_, PyAny>,
    padding: &Bound<'_, PyAny>,
    stride: &Bound<'_, PyAny>,
) -> PyResult<UnfoldParams> {
    let two = |argument: &'static str, value: &Bound<'_, PyAny>| {
        exactly_per_axis(argument, value, 2, 1).map(|[_, height, width]| [height, width])
    };
    Ok(UnfoldParams {
        kernel: two("kernel_size", kernel_size)?,
        dilation: two("dilation", dilation)?,
        padding: two("padding", padding)?,
        stride: two("stride", stride)?,
    })
}
