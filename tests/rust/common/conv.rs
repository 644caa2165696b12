//! One convolution, run by the kernels and by the oracle.

use convrs::array::Activation;
use convrs::array::Element;
use convrs::conv::{Algorithm, Choice, Kind as LayerKind, Layer, Operands, plan, run};
use convrs::error::Error;
use convrs::reference::{self, Array, Conv, Filled, Number, Transposed};
use convrs::shape::{ConvParams, ConvShape, Padding, PaddingMode, TransposedParams};
use convrs::simd::{Isa, Lanes};

use super::{Draw, Random, Tested, gamma, instruction_sets, lanes_and_pixels, view, view_mut};

/// Every argument at its default.
pub const PLAIN: Conv =
    Conv { stride: [1; 3], before: [0; 3], after: [0; 3], dilation: [1; 3], groups: 1, filled: Filled::Zeros };
pub const TRANSPOSED: Transposed =
    Transposed { stride: [1; 3], padding: [0; 3], output_padding: [0; 3], dilation: [1; 3], groups: 1 };

#[derive(Debug, Clone)]
pub enum Kind {
    Plain(Conv),
    Transposed(Transposed),
}

/// Shapes and arguments of one convolution.
#[derive(Debug, Clone)]
pub struct Case {
    pub input: [usize; 5],
    pub weight: [usize; 5],
    pub bias: bool,
    pub kind: Kind,
}

impl Case {
    pub fn plain(input: [usize; 5], weight: [usize; 5], conv: Conv) -> Case {
        Case { input, weight, bias: true, kind: Kind::Plain(conv) }
    }

    pub fn transposed(input: [usize; 5], weight: [usize; 5], conv: Transposed) -> Case {
        Case { input, weight, bias: true, kind: Kind::Transposed(conv) }
    }

    pub fn shape(&self) -> Result<ConvShape, Error> {
        match self.layer_kind() {
            LayerKind::Plain(params) => ConvShape::new(self.input, self.weight, &params),
            LayerKind::Transposed(params) => ConvShape::transposed(self.input, self.weight, &params),
        }
    }

    pub fn layer_kind(&self) -> LayerKind {
        match &self.kind {
            Kind::Plain(conv) => {
                let mode = match conv.filled {
                    Filled::Zeros => PaddingMode::Zeros,
                    Filled::Reflect => PaddingMode::Reflect,
                    Filled::Replicate => PaddingMode::Replicate,
                    Filled::Circular => PaddingMode::Circular,
                };
                LayerKind::Plain(ConvParams {
                    spatial: 3,
                    stride: conv.stride,
                    padding: Padding::Explicit(std::array::from_fn(|axis| (conv.before[axis], conv.after[axis]))),
                    dilation: conv.dilation,
                    groups: conv.groups,
                    mode,
                })
            }
            Kind::Transposed(conv) => LayerKind::Transposed(TransposedParams {
                spatial: 3,
                stride: conv.stride,
                padding: conv.padding,
                output_padding: conv.output_padding,
                dilation: conv.dilation,
                groups: conv.groups,
            }),
        }
    }

    pub fn reference<N: Number>(&self, input: &Array<N>, weight: &Array<N>, bias: Option<&[N]>) -> Option<Array<N>> {
        match &self.kind {
            Kind::Plain(conv) => reference::conv(input, weight, bias, conv),
            Kind::Transposed(conv) => reference::conv_transposed(input, weight, bias, conv),
        }
    }

    /// The same with an axis and the width in each other's place.
    pub fn with_width(&self, axis: usize) -> Case {
        let mut case = self.clone();
        case.input.swap(2 + axis, 4);
        case.weight.swap(2 + axis, 4);
        let sizes = match &mut case.kind {
            Kind::Plain(Conv { stride, before, after, dilation, .. }) => vec![stride, before, after, dilation],
            Kind::Transposed(Transposed { stride, padding, output_padding, dilation, .. }) => {
                vec![stride, padding, output_padding, dilation]
            }
        };
        sizes.into_iter().for_each(|sizes| sizes.swap(axis, 2));
        case
    }

    /// Taps of one output element at most.
    pub fn taps(&self) -> usize {
        let kernel: usize = self.weight[2..].iter().product();
        kernel
            * match &self.kind {
                Kind::Plain(_) => self.weight[1],
                Kind::Transposed(conv) => self.weight[0] / conv.groups as usize,
            }
    }

    pub fn draw<E: Tested>(&self, seed: u64, draw: Draw) -> Arrays<E> {
        let mut random = Random(seed);
        let channels = match &self.kind {
            Kind::Plain(_) => self.weight[0],
            Kind::Transposed(conv) => self.weight[1] * conv.groups as usize,
        };
        let input = random.array(self.input, draw);
        let weight = random.array(self.weight, draw);
        let bias = self.bias.then(|| random.array([1, 1, 1, 1, channels], draw));
        Arrays { input, weight, bias }
    }
}

/// The arrays of one convolution.
#[derive(Debug, Clone)]
pub struct Arrays<E> {
    pub input: Array<E>,
    pub weight: Array<E>,
    pub bias: Option<Array<E>>,
}

impl<E: Element<Accumulator: Lanes>> Arrays<E> {
    pub fn operands(&self) -> Operands<'_, E> {
        Operands { input: view(&self.input), weight: view(&self.weight), bias: self.bias.as_ref().map(view) }
    }
}

/// What the kernels make of `operands`.
pub fn computed<E: Element<Accumulator: Lanes>>(isa: Isa, shape: &ConvShape, operands: &Operands<'_, E>) -> Array<E> {
    let mut output = Array::filled(shape.output_shape(), E::default());
    run(isa, shape, operands, &mut view_mut(&mut output)).unwrap();
    output
}

/// What a planned layer makes of the same arrays.
pub fn planned<E: Element<Accumulator: Lanes>>(isa: Isa, case: &Case, shape: &ConvShape, arrays: &Arrays<E>) -> Array<E> {
    let Operands { input, weight, bias } = arrays.operands();
    let layer = Layer::new(isa, case.layer_kind(), Choice::Direct, &weight, bias.as_ref(), Activation::Identity).unwrap();
    let mut output = Array::filled(shape.output_shape(), E::default());
    layer.run(shape, &input, None, &mut view_mut(&mut output)).unwrap();
    output
}

/// The algorithm of every pass of `shape`.
pub fn algorithms<E: Element<Accumulator: Lanes>>(isa: Isa, shape: &ConvShape) -> Vec<Algorithm> {
    let (lanes, _) = lanes_and_pixels::<E>(isa);
    let shape = &shape.with_width(shape.long_axis().unwrap_or(2));
    let counts = [shape.passes(0), shape.passes(1), shape.passes(2)];
    let of = |index: usize| {
        let at = [index / (counts[1] * counts[2]), index / counts[2] % counts[1], index % counts[2]];
        let pass = std::array::from_fn(|axis| shape.axis_pass(axis, at[axis]));
        plan(shape, &pass, lanes, size_of::<E::Accumulator>()).algorithm
    };
    (0..counts.iter().product()).map(of).collect()
}

/// Runs a case on every instruction set: exact data must come out exact, any other within the bound
/// `gamma_(K + 1) * (sum |x||w| + |bias|)` of its own taps before the rounding to the dtype.
pub fn check<E: Tested<Accumulator: Lanes>>(case: &Case) {
    let shape = case.shape().unwrap_or_else(|error| panic!("{case:?}: {error}"));
    let draws: &[Draw] = if E::ROUNDOFF == 0.0 { &[Draw::Exact] } else { &[Draw::Exact, Draw::Rounded] };
    for &draw in draws {
        let arrays = case.draw::<E>(7, draw);
        let exact = |array: &Array<E>| array.map(E::exact);
        let bias = arrays.bias.as_ref().map(exact);
        let expected = case
            .reference(&exact(&arrays.input), &exact(&arrays.weight), bias.as_ref().map(|bias| bias.data.as_slice()))
            .unwrap_or_else(|| panic!("the oracle refuses {case:?}"));
        let slack = if draw == Draw::Rounded { bounds(case, &arrays) } else { expected.map(|_| 0.0) };
        for isa in instruction_sets() {
            let output = computed(isa, &shape, &arrays.operands());
            assert_eq!(output.shape, expected.shape, "{case:?}");
            let planned = planned(isa, case, &shape, &arrays);
            let same = output.data.iter().zip(&planned.data).all(|(given, packed)| given.bits() == packed.bits());
            assert!(same, "{case:?} on {isa:?}, {draw:?}: packed weights give other bits");
            for (index, actual) in output.data.iter().enumerate() {
                let (expected, slack) = (expected.data[index], slack.data[index]);
                assert!(
                    actual.within(expected, slack),
                    "{case:?} on {isa:?}, {draw:?}, element {index}: {actual:?}, expected {expected:?} within {slack:e}"
                );
            }
        }
    }
}

/// The bound of every output element: the kernel's roundings, and those of the oracle in float64.
fn bounds<E: Tested>(case: &Case, arrays: &Arrays<E>) -> Array<f64> {
    let size = |array: &Array<E>| array.map(E::size);
    let bias = arrays.bias.as_ref().map(size);
    let sums =
        case.reference(&size(&arrays.input), &size(&arrays.weight), bias.as_ref().map(|bias| bias.data.as_slice())).unwrap();
    let roundings = case.taps() + 1 + E::EXTRA_ROUNDINGS;
    let oracle = gamma(roundings, f64::EPSILON / 2.0);
    let factor = gamma(roundings, E::ROUNDOFF) + oracle;
    sums.map(|sum| factor * (1.0 + oracle) * sum)
}
