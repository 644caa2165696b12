//! `Layer`: a planned convolution, its weights packed once.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{integer, padding, padding_mode, per_axis};
use super::arrays::{Input, Output, isa};
use crate::array::{Activation, Bool, Complex32, Complex64, DType, Element, RANK, bf16, f16};
use crate::conv::{self, Choice, Kind};
use crate::error::Error;
use crate::shape::{ConvParams, ConvShape, TransposedParams};
use crate::simd::Lanes;

/// A planned layer; see `convrs.nn`.
#[pyclass(frozen, module = "convrs._convrs")]
pub(super) struct Layer {
    spatial: usize,
    dtype: DType,
    dtype_name: String,
    typed: Typed,
}

/// One layer a dtype; unsigned integers are computed as signed ones.
macro_rules! typed {
    ($($variant:ident $element:ty: $($dtype:ident)|+),* $(,)?) => {
        enum Typed {
            $($variant(conv::Layer<$element>),)*
        }

        impl Typed {
            fn new(arrays: &Weights<'_>, kind: Kind, activation: Activation) -> Result<Self, Error> {
                match arrays.weight.dtype {
                    $($(DType::$dtype)|+ => arrays.layer::<$element>(kind, activation).map(Typed::$variant),)*
                }
            }

            fn shape(&self, input: [usize; RANK]) -> Result<ConvShape, Error> {
                match self {
                    $(Typed::$variant(layer) => layer.shape(input),)*
                }
            }

            fn summary(&self, shape: &ConvShape) -> conv::Summary {
                match self {
                    $(Typed::$variant(layer) => layer.summary(shape),)*
                }
            }

            fn run(&self, call: &Call<'_, '_>, shape: &ConvShape, output: &mut Output<'_>) -> PyResult<()> {
                match self {
                    $(Typed::$variant(layer) => call.run(layer, shape, output),)*
                }
            }
        }
    };
}
typed! {
    F32 f32: F32, F64 f64: F64, F16 f16: F16, BF16 bf16: BF16, I8 i8: I8 | U8, I16 i16: I16 | U16, I32 i32: I32 | U32,
    I64 i64: I64 | U64, Bool Bool: Bool, C64 Complex32: C64, C128 Complex64: C128,
}

struct Weights<'py> {
    spatial: usize,
    choice: Choice,
    weight: Input<'py>,
    bias: Option<Input<'py>>,
}

impl Weights<'_> {
    fn layer<E: Element<Accumulator: Lanes>>(&self, kind: Kind, activation: Activation) -> Result<conv::Layer<E>, Error> {
        let bias = self.bias.as_ref().map(|bias| bias.view::<E>(1));
        conv::Layer::new(isa(), kind, self.choice, &self.weight.view::<E>(self.spatial), bias.as_ref(), activation)
    }
}

struct Call<'a, 'py> {
    spatial: usize,
    input: &'a Input<'py>,
    residual: Option<&'a Input<'py>>,
}

impl Call<'_, '_> {
    fn run<E: Element<Accumulator: Lanes>>(
        &self,
        layer: &conv::Layer<E>,
        shape: &ConvShape,
        output: &mut Output<'_>,
    ) -> PyResult<()> {
        let input = self.input.view::<E>(self.spatial);
        let residual = self.residual.map(|residual| residual.view::<E>(self.spatial));
        let mut output = output.view::<E>(self.spatial);
        Ok(self.input.py().detach(|| layer.run(shape, &input, residual, &mut output))?)
    }
}

#[pymethods]
impl Layer {
    /// `transposed` takes `padding` as numbers and `output_padding`; a plain layer takes `padding_mode`.
    #[new]
    #[pyo3(signature = (n, transposed, weight, bias, stride, padding, output_padding, dilation, groups, padding_mode, activation, algorithm, /))]
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        n: usize,
        transposed: bool,
        weight: &Bound<'_, PyAny>,
        bias: Option<&Bound<'_, PyAny>>,
        stride: &Bound<'_, PyAny>,
        padding: &Bound<'_, PyAny>,
        output_padding: &Bound<'_, PyAny>,
        dilation: &Bound<'_, PyAny>,
        groups: &Bound<'_, PyAny>,
        padding_mode: &Bound<'_, PyAny>,
        activation: Option<(String, Vec<f64>)>,
        algorithm: &str,
    ) -> PyResult<Self> {
        let choice = match algorithm {
            "auto" => Choice::Auto,
            "direct" => Choice::Direct,
            "winograd" => Choice::Winograd,
            "fft" => Choice::Fft,
            _ => {
                let rule = "it must be \"auto\", \"direct\", \"winograd\" or \"fft\"".to_string();
                return Err(Error::Value { argument: "algorithm", got: format!("{algorithm:?}"), rule }.into());
            }
        };
        let weight = Input::new("weight", weight)?;
        if weight.rank() != n + 2 {
            let rule = format!("it must have {} axes: two of channels, then {n} of the kernel", n + 2);
            return Err(Error::Shape { argument: "weight", got: format!("{:?}", weight.shape()), rule }.into());
        }
        let bias = bias.map(|bias| Input::new("bias", bias)).transpose()?;
        let stride = per_axis("stride", stride, n, 1)?;
        let dilation = per_axis("dilation", dilation, n, 1)?;
        let groups = integer("groups", groups)?;
        let kind = if transposed {
            let padding = per_axis("padding", padding, n, 0)?;
            let output_padding = per_axis("output_padding", output_padding, n, 0)?;
            Kind::Transposed(TransposedParams { spatial: n, stride, padding, output_padding, dilation, groups })
        } else {
            let (padding, mode) = (self::padding(padding, n)?, self::padding_mode(padding_mode)?);
            Kind::Plain(ConvParams { spatial: n, stride, padding, dilation, groups, mode })
        };
        let sizes = weight.five(n);
        let channels = if transposed { sizes[1].saturating_mul(groups.max(0) as usize) } else { sizes[0] };
        if let Some(bias) = &bias {
            bias.same_dtype(&weight)?;
            ConvShape::check_bias_of(channels, bias.shape())?;
        }
        let activation = activation.map_or(Ok(Activation::Identity), |(name, values)| named(&name, values, channels))?;
        let dtype = weight.dtype;
        if activation != Activation::Identity && !matches!(dtype, DType::F16 | DType::BF16 | DType::F32 | DType::F64) {
            return Err(PyTypeError::new_err(format!(
                "activation is defined for float16, bfloat16, float32 and float64, but weight has dtype {}",
                weight.dtype_name()
            )));
        }
        let dtype_name = weight.dtype_name();
        let weights = Weights { spatial: n, choice, weight, bias };
        Ok(Layer { spatial: n, dtype, dtype_name, typed: Typed::new(&weights, kind, activation)? })
    }

    /// Computes the layer.
    #[pyo3(signature = (input, residual, out, /))]
    pub(super) fn run<'py>(
        &self,
        input: &Bound<'py, PyAny>,
        residual: Option<&Bound<'py, PyAny>>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let input = self.input(input)?;
        let shape = self.typed.shape(input.five(self.spatial))?;
        let result_shape = input.without_neutral_axes(self.spatial, shape.output_shape());
        let residual = residual.map(|residual| Input::new("residual", residual)).transpose()?;
        if let Some(residual) = &residual {
            residual.same_dtype(&input)?;
            if residual.shape() != &result_shape[..] {
                let rule = format!("it must have the result's shape, {result_shape:?}");
                return Err(Error::Shape { argument: "residual", got: format!("{:?}", residual.shape()), rule }.into());
            }
        }
        let mut inputs = vec![&input];
        inputs.extend(&residual);
        let mut result = Output::new(out, &result_shape, &input.descriptor(), &inputs)?;
        let call = Call { spatial: self.spatial, input: &input, residual: residual.as_ref() };
        self.typed.run(&call, &shape, &mut result)?;
        Ok(result.into_any())
    }

    /// How an input of that shape would be computed.
    #[pyo3(signature = (shape, /))]
    fn plan<'py>(&self, py: Python<'py>, shape: Vec<usize>) -> PyResult<Bound<'py, PyDict>> {
        let rank = self.spatial + 2;
        if shape.len() != rank && shape.len() != rank - 1 {
            let rule = format!(
                "it must have {rank} axes (batch, channels, {} spatial), or {} without the batch",
                self.spatial,
                rank - 1
            );
            return Err(Error::Value { argument: "shape", got: format!("{shape:?}"), rule }.into());
        }
        let mut five = [1; RANK];
        let (channels, sizes) = shape.split_at(shape.len() - self.spatial);
        five[2 - channels.len()..2].copy_from_slice(channels);
        five[RANK - self.spatial..].copy_from_slice(sizes);
        let shape = self.typed.shape(five)?;
        let summary = self.typed.summary(&shape);
        let plan = PyDict::new(py);
        plan.set_item("algorithm", summary.algorithm)?;
        plan.set_item("vectors_hold", summary.vectors_hold)?;
        plan.set_item("lanes", summary.lanes)?;
        plan.set_item("tile", &summary.tile[RANK - self.spatial - 2..])?;
        plan.set_item("tasks", summary.tasks)?;
        plan.set_item("threads", summary.threads)?;
        plan.set_item("scratch_bytes", summary.scratch_bytes)?;
        plan.set_item("multiply_adds", summary.multiply_adds)?;
        Ok(plan)
    }
}

impl Layer {
    fn input<'py>(&self, input: &Bound<'py, PyAny>) -> PyResult<Input<'py>> {
        let input = Input::new("input", input)?;
        if input.dtype != self.dtype {
            let wanted = &self.dtype_name;
            let rule = format!("it must have the dtype of the layer's weight, {wanted}; write input.astype(\"{wanted}\")");
            return Err(Error::Kind { argument: "input", got: input.dtype_name(), rule }.into());
        }
        input.check_rank(self.spatial)?;
        Ok(input)
    }
}

/// The activation of that name, as torch.nn.functional defines it, for a layer of `channels` output channels.
fn named(name: &str, values: Vec<f64>, channels: usize) -> Result<Activation, Error> {
    let expects = |counts: &[usize], rule: &str| {
        if counts.contains(&values.len()) {
            return Ok(());
        }
        let got = format!("{name:?} with {} numbers", values.len());
        Err(Error::Value { argument: "activation", got, rule: rule.to_string() })
    };
    let plain = |activation| expects(&[0], "it takes no numbers").map(|()| activation);
    match name {
        "relu" => plain(Activation::Relu),
        "relu6" => plain(Activation::Clamp { min: 0.0, max: 6.0 }),
        "silu" => plain(Activation::Silu),
        "hardswish" => plain(Activation::HardSwish),
        "sigmoid" => plain(Activation::Sigmoid),
        "tanh" => plain(Activation::Tanh),
        "gelu" => plain(Activation::Gelu),
        "leaky_relu" => {
            expects(&[0, 1], "it takes the negative slope, 0.01 if left out")?;
            Ok(Activation::LeakyRelu { slope: values.first().copied().unwrap_or(0.01) })
        }
        "prelu" => {
            expects(&[1, channels.max(1)], &format!("it takes one slope, or one for each of the {channels} output channels"))?;
            Ok(Activation::Prelu { slopes: values })
        }
        "clamp" => {
            expects(&[2], "it takes the least and the largest value")?;
            Ok(Activation::Clamp { min: values[0], max: values[1] })
        }
        other => Err(Error::Value {
            argument: "activation",
            got: format!("{other:?}"),
            rule: "it must be one of relu, relu6, leaky_relu, prelu, silu, hardswish, sigmoid, tanh, gelu, clamp".to_string(),
        }),
    }
}
