//! `conv` and `conv_transpose`.

use pyo3::prelude::*;

use super::arguments::{integer, padding, padding_mode, per_axis};
use super::arrays::{Input, Output, isa};
use super::layers::Layer;
use crate::array::{Bool, Complex32, Complex64, DType, Element, bf16, f16};
use crate::conv::{Operands, run};
use crate::error::Error;
use crate::shape::{ConvParams, ConvShape, TransposedParams};
use crate::simd::Lanes;

/// Convolution over `n` spatial axes; see `convrs.conv2d`.
#[pyfunction]
#[pyo3(signature = (n, input, weight, bias, stride, padding, dilation, groups, padding_mode, algorithm, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn conv<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    weight: &Bound<'py, PyAny>,
    bias: Option<&Bound<'py, PyAny>>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    dilation: &Bound<'py, PyAny>,
    groups: &Bound<'py, PyAny>,
    padding_mode: &Bound<'py, PyAny>,
    algorithm: &str,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if algorithm != "direct" {
        let (none, zero) = (None, 0i64.into_pyobject(input.py())?.into_any());
        let layer = Layer::new(n, false, weight, bias, stride, padding, &zero, dilation, groups, padding_mode, none, algorithm)?;
        return layer.run(input, None, out);
    }
    let arrays = Arrays::new(n, input, weight, bias)?;
    let params = ConvParams {
        spatial: n,
        stride: per_axis("stride", stride, n, 1)?,
        padding: self::padding(padding, n)?,
        dilation: per_axis("dilation", dilation, n, 1)?,
        groups: integer("groups", groups)?,
        mode: self::padding_mode(padding_mode)?,
    };
    let shape = ConvShape::new(arrays.input.five(n), arrays.weight.five(n), &params)?;
    arrays.run(&shape, out)
}

/// Transposed convolution over `n` spatial axes; see `convrs.conv_transpose2d`.
#[pyfunction]
#[pyo3(signature = (n, input, weight, bias, stride, padding, output_padding, groups, dilation, out, /))]
#[allow(clippy::too_many_arguments)]
pub(super) fn conv_transpose<'py>(
    n: usize,
    input: &Bound<'py, PyAny>,
    weight: &Bound<'py, PyAny>,
    bias: Option<&Bound<'py, PyAny>>,
    stride: &Bound<'py, PyAny>,
    padding: &Bound<'py, PyAny>,
    output_padding: &Bound<'py, PyAny>,
    groups: &Bound<'py, PyAny>,
    dilation: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let arrays = Arrays::new(n, input, weight, bias)?;
    let params = TransposedParams {
        spatial: n,
        stride: per_axis("stride", stride, n, 1)?,
        padding: per_axis("padding", padding, n, 0)?,
        output_padding: per_axis("output_padding", output_padding, n, 0)?,
        dilation: per_axis("dilation", dilation, n, 1)?,
        groups: integer("groups", groups)?,
    };
    let shape = ConvShape::transposed(arrays.input.five(n), arrays.weight.five(n), &params)?;
    arrays.run(&shape, out)
}

struct Arrays<'py> {
    spatial: usize,
    input: Input<'py>,
    weight: Input<'py>,
    bias: Option<Input<'py>>,
}

impl<'py> Arrays<'py> {
    fn new(
        spatial: usize,
        input: &Bound<'py, PyAny>,
        weight: &Bound<'py, PyAny>,
        bias: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let input = Input::new("input", input)?;
        let weight = Input::new("weight", weight)?;
        weight.same_dtype(&input)?;
        let bias = bias.map(|bias| Input::new("bias", bias)).transpose()?;
        if let Some(bias) = &bias {
            bias.same_dtype(&input)?;
        }
        let rank = spatial + 2;
        input.check_rank(spatial)?;
        if weight.rank() != rank {
            return Err(Error::Shape {
                argument: "weight",
                got: format!("{:?}", weight.shape()),
                rule: format!("it must have {rank} axes: two of channels, then {spatial} of the kernel"),
            }
            .into());
        }
        Ok(Arrays { spatial, input, weight, bias })
    }

    fn run(&self, shape: &ConvShape, out: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(bias) = &self.bias {
            shape.check_bias(bias.shape())?;
        }
        let result_shape = self.input.without_neutral_axes(self.spatial, shape.output_shape());
        let mut inputs = vec![&self.input, &self.weight];
        inputs.extend(&self.bias);
        let mut result = Output::new(out, &result_shape, &self.input.descriptor(), &inputs)?;
        let py = self.input.py();
        match self.input.dtype {
            DType::F32 => self.typed::<f32>(py, shape, &mut result),
            DType::F64 => self.typed::<f64>(py, shape, &mut result),
            DType::F16 => self.typed::<f16>(py, shape, &mut result),
            DType::BF16 => self.typed::<bf16>(py, shape, &mut result),
            // Wrap-around arithmetic is the same with and without a sign.
            DType::I8 | DType::U8 => self.typed::<i8>(py, shape, &mut result),
            DType::I16 | DType::U16 => self.typed::<i16>(py, shape, &mut result),
            DType::I32 | DType::U32 => self.typed::<i32>(py, shape, &mut result),
            DType::I64 | DType::U64 => self.typed::<i64>(py, shape, &mut result),
            DType::Bool => self.typed::<Bool>(py, shape, &mut result),
            DType::C64 => self.typed::<Complex32>(py, shape, &mut result),
            DType::C128 => self.typed::<Complex64>(py, shape, &mut result),
        }?;
        Ok(result.into_any())
    }

    fn typed<E: Element<Accumulator: Lanes>>(&self, py: Python<'_>, shape: &ConvShape, result: &mut Output<'_>) -> PyResult<()> {
        let operands = Operands {
            input: self.input.view::<E>(self.spatial),
            weight: self.weight.view::<E>(self.spatial),
            bias: self.bias.as_ref().map(|bias| bias.view::<E>(1)),
        };
        let mut output = result.view::<E>(self.spatial);
        Ok(py.detach(|| run(isa(), shape, &operands, &mut output))?)
    }
}
