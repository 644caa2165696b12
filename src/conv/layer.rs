//! A planned layer: weights packed once, then any number of inputs of any batch and spatial size.

use std::sync::OnceLock;

use super::epilogue::Epilogue;
use super::passes::{Passes, all_finite};
use super::plan::{Algorithm, Plan};
use super::run::{compute, lanes};
use super::weights::{Packed, Weights};
use crate::array::{Activation, Aligned, Element, RANK, View, ViewMut};
use crate::error::{Error, checked_product};
use crate::shape::{AxisPass, ConvParams, ConvShape, TransposedParams};
use crate::simd::{Isa, Lanes};

/// Which convolution a layer computes.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `conv1d` to `conv3d`.
    Plain(ConvParams),
    /// `conv_transpose1d` to `conv_transpose3d`.
    Transposed(TransposedParams),
}

/// Weights, bias and activation of a layer.
pub struct Layer<E: Element> {
    isa: Isa,
    kind: Kind,
    weight: Aligned<E>,
    weight_shape: [usize; RANK],
    bias: Option<Aligned<E>>,
    activation: Activation,
    /// Whether the weights may stand beside zeros that stand for nothing (see [`super::run::run`]).
    finite: bool,
    /// Packed for each direct algorithm, when it is first needed.
    channels_in_vectors: OnceLock<Packed<E::Accumulator>>,
    pixels_in_vectors: OnceLock<Packed<E::Accumulator>>,
}

impl<E: Element<Accumulator: Lanes>> Layer<E> {
    /// Copies weights and bias; `weight` as [`ConvShape::new`] or [`ConvShape::transposed`] takes it.
    pub fn new(
        isa: Isa,
        kind: Kind,
        weight: &View<'_, E>,
        bias: Option<&View<'_, E>>,
        activation: Activation,
    ) -> Result<Self, Error> {
        assert!(activation == Activation::Identity || <E::Accumulator as crate::array::Accumulator>::ACTIVATES);
        Ok(Layer {
            isa,
            kind,
            weight: copied(weight)?,
            weight_shape: weight.shape(),
            bias: bias.map(copied).transpose()?,
            activation,
            finite: all_finite(weight),
            channels_in_vectors: OnceLock::new(),
            pixels_in_vectors: OnceLock::new(),
        })
    }

    /// The sizes for an input of that shape, or why it does not fit.
    pub fn shape(&self, input: [usize; RANK]) -> Result<ConvShape, Error> {
        match &self.kind {
            Kind::Plain(params) => ConvShape::new(input, self.weight_shape, params),
            Kind::Transposed(params) => ConvShape::transposed(input, self.weight_shape, params),
        }
    }

    /// Computes the layer; `shape` is that of `input`, and `residual` has the shape of `output`.
    pub fn run(
        &self,
        shape: &ConvShape,
        input: &View<'_, E>,
        residual: Option<View<'_, E>>,
        output: &mut ViewMut<'_, E>,
    ) -> Result<(), Error> {
        let bias = match &self.bias {
            Some(bias) => Some(View::new(bias, [1, 1, 1, 1, bias.len()])?),
            None => None,
        };
        let epilogue = Epilogue { bias, residual, activation: self.activation.clone() };
        let packed = !shape.transposed || self.finite;
        let passes = Passes::new(shape, lanes::<E::Accumulator>(self.isa), size_of::<E::Accumulator>(), !packed, packed);
        let weights = match passes.plan.algorithm {
            Algorithm::Direct | Algorithm::Depthwise if packed => Weights::Packed(self.packed(shape, &passes.plan)),
            _ => Weights::Given(self.weight()),
        };
        compute(self.isa, &passes, input, weights, &epilogue, output)
    }

    fn weight(&self) -> View<'_, E> {
        View::new(&self.weight, self.weight_shape).expect("copied in this shape")
    }

    fn packed(&self, shape: &ConvShape, plan: &Plan) -> &Packed<E::Accumulator> {
        let cell = match plan.algorithm {
            Algorithm::Direct => &self.channels_in_vectors,
            Algorithm::Depthwise | Algorithm::Rows => &self.pixels_in_vectors,
        };
        cell.get_or_init(|| {
            let count = |axis: usize| shape.passes(axis);
            let all: Vec<[AxisPass; 3]> = (0..count(0) * count(1) * count(2))
                .map(|index| {
                    let at = [index / (count(1) * count(2)), index / count(2) % count(1), index % count(2)];
                    std::array::from_fn(|axis| shape.axis_pass(axis, at[axis]))
                })
                .collect();
            Packed::new(self.isa, shape, &all, &self.weight(), plan)
        })
    }
}

/// The elements in C order.
fn copied<E: Element>(array: &View<'_, E>) -> Result<Aligned<E>, Error> {
    let [a, b, c, d, width] = array.shape();
    let mut copy = Aligned::zeros(checked_product("the copy of the weights", &array.shape())?);
    let mut next = copy.iter_mut();
    for row in 0..a * b * c * d {
        let run = array.run([row / (b * c * d), row / (c * d) % b, row / d % c, row % d, 0], width);
        for (position, to) in (0..width).zip(&mut next) {
            *to = run.at(position);
        }
    }
    Ok(copy)
}
