//! A planned layer: weights packed once, then any number of inputs of any batch and spatial size.

use std::sync::{Arc, OnceLock};

use super::epilogue::Epilogue;
use super::fft::{self, FftPlan, Spectra};
use super::latest::{Latest, Planned};
use super::passes::{Outside, Passes, all_finite};
use super::plan::{Algorithm, Plan};
use super::run::{compute, lanes};
use super::weights::{Packed, Weights};
use super::winograd::{Problem, Transformed, WinogradPlan, effort, refusal};
use crate::array::{Accumulator, Activation, Aligned, Element, RANK, View, ViewMut};
use crate::error::{Error, checked_product};
use crate::parallel::num_threads;
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

/// How a layer computes one input.
#[derive(Debug, Clone)]
pub struct Summary {
    /// "direct", "winograd" or "fft".
    pub algorithm: &'static str,
    /// "output channels", "output pixels" or "frequencies".
    pub vectors_hold: &'static str,
    /// Elements of a vector.
    pub lanes: usize,
    /// Outputs of a tile along depth, height, width.
    pub tile: [usize; 3],
    /// Pieces of work that threads share.
    pub tasks: usize,
    /// Threads that may share them.
    pub threads: usize,
    /// Working memory of each.
    pub scratch_bytes: usize,
    /// Multiply-adds of the definition.
    pub multiply_adds: usize,
}

/// Which algorithm a layer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Winograd's where it pays, else the direct one.
    Auto,
    /// The direct one.
    Direct,
    /// Winograd's, or an error.
    Winograd,
    /// By the fast Fourier transform, or an error.
    Fft,
}

/// Weights, bias and activation of a layer.
pub struct Layer<E: Element> {
    isa: Isa,
    kind: Kind,
    /// Winograd and FFT only where they are possible.
    choice: Choice,
    weight: Aligned<E>,
    weight_shape: [usize; RANK],
    bias: Option<Aligned<E>>,
    activation: Activation,
    /// Whether the weights may stand beside zeros that stand for nothing (see [`super::run::run`]).
    finite: bool,
    /// Packed for each direct algorithm when it is first needed, and apart for inputs whose passes are others.
    packed: [[OnceLock<Packed<E::Accumulator>>; 2]; 2],
    transformed: OnceLock<Transformed<E::Accumulator>>,
    spectra: OnceLock<Spectra>,
    latest: Latest,
}

impl<E: Element<Accumulator: Lanes>> Layer<E> {
    /// Copies weights and bias; `weight` as [`ConvShape::new`] or [`ConvShape::transposed`] takes it. What no input could mend is
    /// refused here.
    pub fn new(
        isa: Isa,
        kind: Kind,
        choice: Choice,
        weight: &View<'_, E>,
        bias: Option<&View<'_, E>>,
        activation: Activation,
    ) -> Result<Self, Error> {
        assert!(activation == Activation::Identity || E::Accumulator::ACTIVATES);
        match &kind {
            Kind::Plain(params) => ConvShape::check(weight.shape(), params)?,
            Kind::Transposed(params) => ConvShape::check_transposed(weight.shape(), params)?,
        }
        if let Some(error) = refused::<E>(choice, &kind, weight.shape()) {
            return Err(error);
        }
        let choice = match choice {
            Choice::Auto if refused::<E>(Choice::Winograd, &kind, weight.shape()).is_some() => Choice::Direct,
            _ => choice,
        };
        Ok(Layer {
            isa,
            kind,
            choice,
            weight: copied(weight)?,
            weight_shape: weight.shape(),
            bias: bias.map(copied).transpose()?,
            activation,
            finite: all_finite(weight)?,
            packed: Default::default(),
            transformed: OnceLock::new(),
            spectra: OnceLock::new(),
            latest: Latest::default(),
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
        let epilogue = Epilogue { isa: self.isa, bias, residual, activation: &self.activation };
        let isa = self.isa;
        match &*self.planned(shape) {
            Planned::Winograd(plan) if const { E::Accumulator::ACTIVATES } => {
                let weights = self.transformed.get_or_init(|| Transformed::new(shape, &self.weight(), plan));
                let direct = || self.packed(shape, &self.weight(), &plan.direct(shape, size_of::<E::Accumulator>()));
                Problem { isa, shape, plan: *plan, input, weights, direct: &direct, epilogue: &epilogue }.compute(output)
            }
            Planned::Fft(plan) if const { E::Accumulator::ACTIVATES } => {
                let spectra = self.spectra(shape, plan);
                fft::Problem { isa, shape, plan: *plan, input, spectra, epilogue: &epilogue }.compute(output)
            }
            Planned::Direct { long_axis: None, passes } => self.direct(passes, input, self.weight(), &epilogue, output),
            Planned::Direct { long_axis: Some(axis), passes } => {
                let epilogue = Epilogue { residual: residual.map(|residual| residual.with_width(*axis)), ..epilogue };
                let (input, weight) = (input.with_width(*axis), self.weight().with_width(*axis));
                self.direct(passes, &input, weight, &epilogue, &mut output.with_width(*axis))
            }
            _ => unreachable!("other algorithms are for floats"),
        }
    }

    fn direct(
        &self,
        passes: &Passes,
        input: &View<'_, E>,
        weight: View<'_, E>,
        epilogue: &Epilogue<'_, E>,
        output: &mut ViewMut<'_, E>,
    ) -> Result<(), Error> {
        let weights = match (passes.outside, passes.plan.algorithm) {
            (Outside::Padding, Algorithm::Direct | Algorithm::Depthwise) => {
                self.packed(&passes.shape, &weight, &passes.plan).weights()
            }
            _ => Weights::Given(weight),
        };
        compute(self.isa, passes, input, weights, epilogue, output, 0..passes.tasks())
    }

    fn planned(&self, shape: &ConvShape) -> Arc<Planned> {
        self.latest.get(shape, || {
            if let Some(plan) = self.winograd(shape) {
                return Planned::Winograd(plan);
            }
            if let Some(plan) = self.fft(shape) {
                return Planned::Fft(plan);
            }
            let long_axis = shape.long_axis();
            let passes = match long_axis {
                Some(axis) => self.passes(&shape.with_width(axis)),
                None => self.passes(shape),
            };
            Planned::Direct { long_axis, passes }
        })
    }

    fn passes(&self, shape: &ConvShape) -> Passes {
        let outside = Outside::of(shape, self.finite);
        let packed = outside == Outside::Padding;
        Passes::new(shape, lanes::<E::Accumulator>(self.isa), size_of::<E::Accumulator>(), outside, packed)
    }

    /// How `run` would compute `shape`.
    pub fn summary(&self, shape: &ConvShape) -> Summary {
        let per_output = shape.in_channels * shape.kernel.iter().product::<usize>();
        let [batch, channels, depth, height, width] = if shape.transposed {
            [shape.batch, shape.groups * shape.out_channels, shape.input[0], shape.input[1], shape.input[2]]
        } else {
            shape.output_shape()
        };
        let multiply_adds = (batch * channels * depth * height * width).saturating_mul(per_output);
        let planned = self.planned(shape);
        let (algorithm, lanes, tile, (tasks, scratch_bytes)) = match &*planned {
            Planned::Winograd(plan) => ("winograd", plan.lanes, plan.outputs(shape), effort::<E::Accumulator>(shape, plan)),
            Planned::Fft(plan) => {
                let effort = fft::effort::<E::Accumulator>(shape, plan, self.spectra(shape, plan));
                ("fft", lanes::<f64>(self.isa), plan.tile, effort)
            }
            Planned::Direct { long_axis, passes } => {
                let mut tile = passes.plan.tile;
                tile.swap(long_axis.unwrap_or(2), 2);
                ("direct", passes.plan.lanes, tile, (passes.tasks(), passes.buffers.bytes::<E::Accumulator>()))
            }
        };
        let vectors_hold = match &*planned {
            Planned::Fft(_) => "frequencies",
            Planned::Direct { passes, .. } if passes.plan.algorithm != Algorithm::Direct => "output pixels",
            _ => "output channels",
        };
        let threads = num_threads().min(tasks.max(1));
        Summary { algorithm, vectors_hold, lanes, tile, tasks, threads, scratch_bytes, multiply_adds }
    }

    /// How an input of that shape is computed by Winograd's algorithm, if it is.
    pub fn winograd(&self, shape: &ConvShape) -> Option<WinogradPlan> {
        let size = size_of::<E::Accumulator>();
        let plan = || WinogradPlan::new(shape, lanes::<E::Accumulator>(self.isa), size);
        match self.choice {
            Choice::Direct | Choice::Fft => None,
            Choice::Winograd => Some(plan()),
            // Where weights are not finite, neither is any tile.
            Choice::Auto => Some(plan()).filter(|plan| self.finite && plan.pays(shape, size)),
        }
    }

    /// How an input of that shape is computed by the fast Fourier transform, if it is.
    pub fn fft(&self, shape: &ConvShape) -> Option<FftPlan> {
        (self.choice == Choice::Fft).then(|| FftPlan::new(shape))
    }

    fn spectra(&self, shape: &ConvShape, plan: &FftPlan) -> &Spectra {
        self.spectra.get_or_init(|| Spectra::new(shape, &self.weight(), plan))
    }

    fn weight(&self) -> View<'_, E> {
        View::new(&self.weight, self.weight_shape).expect("copied in this shape")
    }

    /// `weight` in whatever place its width has: the order of its elements is the same.
    fn packed(&self, shape: &ConvShape, weight: &View<'_, E>, plan: &Plan) -> &Packed<E::Accumulator> {
        let of_one_element = shape.transposed && shape.input == [1; 3];
        let cell = &self.packed[usize::from(plan.algorithm == Algorithm::Direct)][usize::from(of_one_element)];
        cell.get_or_init(|| {
            let count = |axis: usize| shape.passes(axis);
            let all: Vec<[AxisPass; 3]> = (0..count(0) * count(1) * count(2))
                .map(|index| {
                    let at = [index / (count(1) * count(2)), index / count(2) % count(1), index % count(2)];
                    std::array::from_fn(|axis| shape.axis_pass(axis, at[axis]))
                })
                .collect();
            Packed::new(self.isa, shape, &all, weight, plan)
        })
    }
}

/// Why a named algorithm cannot be used, if it cannot.
fn refused<E: Element>(choice: Choice, kind: &Kind, weight: [usize; RANK]) -> Option<Error> {
    let name = match choice {
        Choice::Auto | Choice::Direct => return None,
        Choice::Winograd => "winograd",
        Choice::Fft => "fft",
    };
    let refused = |got: &str, needed: &str| {
        let rule = format!("{name} needs {needed}; use \"auto\" or \"direct\"");
        Some(Error::Value { argument: "algorithm", got: format!("{name:?} with {got}"), rule })
    };
    match kind {
        _ if !E::Accumulator::ACTIVATES => refused(&format!("dtype {:?}", E::DTYPE), "floats"),
        Kind::Transposed(_) => refused("a transposed convolution", "a plain one"),
        Kind::Plain(params) if choice == Choice::Fft => fft::refusal(params, weight),
        Kind::Plain(params) => refusal(params, weight, size_of::<E::Accumulator>()),
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
