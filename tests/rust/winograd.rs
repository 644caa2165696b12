//! Winograd's algorithm: near the oracle around every tile and vector, the same bits whatever surrounds an image, and infinities
//! and NaN where the direct algorithm has them.

use convrs::array::{Activation, Element};
use convrs::conv::{Choice, Layer};
use convrs::parallel::set_num_threads;
use convrs::reference::{Array, Conv, Filled};
use convrs::simd::{Isa, Lanes};

use crate::common::conv::Arrays;
use crate::common::{
    Case, Draw, Laid, PLAIN, Random, Tested, gamma, instruction_sets, lanes_and_pixels, threads_lock, view, view_mut,
};
use crate::every_dtype;

/// The a-priori bound: absolute values of the three transforms' coefficients, multiplied out along one axis, are at most 24.9
/// times the largest input and weight, where the taps themselves are 3; an output is a sum over paths, each of which is rounded
/// once an input channel and at most 20 times in the transforms, their constants and the bias.
const GROWTH: f64 = 24.9 / 3.0;
const ROUNDINGS: usize = 20;

const SAME: Conv = Conv { before: [0, 1, 1], after: [0, 1, 1], ..PLAIN };

fn layer<E: Element<Accumulator: Lanes>>(
    isa: Isa,
    case: &Case,
    choice: Choice,
    arrays: &Arrays<E>,
    activation: Activation,
) -> Layer<E> {
    let bias = arrays.bias.as_ref().map(view);
    Layer::new(isa, case.layer_kind(), choice, &view(&arrays.weight), bias.as_ref(), activation).unwrap()
}

fn computed<E: Element<Accumulator: Lanes>>(isa: Isa, case: &Case, choice: Choice, arrays: &Arrays<E>) -> Array<E> {
    let shape = case.shape().unwrap();
    let mut output = Array::filled(shape.output_shape(), E::default());
    let layer = layer(isa, case, choice, arrays, Activation::Identity);
    layer.run(&shape, &view(&arrays.input), None, &mut view_mut(&mut output)).unwrap();
    output
}

fn bits<E: Tested>(array: &Array<E>) -> Vec<u128> {
    array.data.iter().map(|value| value.bits()).collect()
}

/// Near the oracle on every instruction set.
fn check<E: Tested<Accumulator: Lanes, Exact = f64>>(case: &Case) {
    let arrays = case.draw::<E>(7, Draw::Rounded);
    let exact = |array: &Array<E>| array.map(E::exact);
    let bias = arrays.bias.as_ref().map(exact);
    let bias = bias.as_ref().map(|bias| bias.data.as_slice());
    let expected = case.reference(&exact(&arrays.input), &exact(&arrays.weight), bias).unwrap();
    let most = |array: &Array<E>| array.data.iter().map(|value| value.size()).fold(0.0, f64::max);
    let most = case.taps() as f64 * most(&arrays.input) * most(&arrays.weight) + arrays.bias.as_ref().map_or(0.0, most);
    let [_, _, _, height, width] = case.weight;
    let growth = if height == 1 { GROWTH } else { GROWTH * GROWTH };
    let slack = growth * gamma(case.taps() / (height * width) + ROUNDINGS, E::ROUNDOFF) * most;
    for isa in instruction_sets() {
        let output = computed(isa, case, Choice::Winograd, &arrays);
        assert_eq!(output.shape, expected.shape);
        for (index, actual) in output.data.iter().enumerate() {
            let expected = expected.data[index];
            assert!(actual.within(expected, slack), "{case:?} on {isa:?}, element {index}: {actual:?}, expected {expected:?}");
        }
    }
}

every_dtype!(sizes_around_tiles, floats);
fn sizes_around_tiles<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for height in [1, 2, 3, 4, 5, 8, 9] {
        for width in [1, 3, 4, 5, 7, 8, 13, 17] {
            check::<E>(&Case::plain([1, 3, 1, height, width], [5, 3, 1, 3, 3], SAME));
            check::<E>(&Case::plain([2, 3, 1, height + 2, width + 2], [5, 3, 1, 3, 3], PLAIN));
        }
    }
    check::<E>(&Case::plain([1, 2, 1, 70, 90], [5, 2, 1, 3, 3], SAME));
    check::<E>(&Case::plain([1, 70, 1, 29, 37], [5, 70, 1, 3, 3], SAME));
}

/// A row of outputs of which the taps lie a dilation apart.
fn line(before: usize, after: usize, dilation: i64) -> Conv {
    Conv { before: [0, 0, before as i64], after: [0, 0, after as i64], dilation: [1, 1, dilation], ..PLAIN }
}

every_dtype!(lines_around_tiles, floats);
fn lines_around_tiles<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for dilation in [1, 2, 3, 8, 60] {
        for outputs in [1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 17, 31, 32, 33, 64, 65, 250, 300, 700] {
            let width = outputs + 2 * dilation as usize;
            check::<E>(&Case::plain([2, 3, 1, 1, width], [5, 3, 1, 1, 3], line(0, 0, dilation)));
            check::<E>(&Case::plain([1, 3, 1, 2, outputs], [5, 3, 1, 1, 3], line(2 * dilation as usize, 0, dilation)));
        }
    }
    check::<E>(&Case::plain([1, 70, 1, 1, 2000], [5, 70, 1, 1, 3], line(1, 1, 1)));
    check::<E>(&Case::plain([1, 40, 5, 9, 37], [40, 40, 3, 1, 3], line(3, 3, 3)));
}

every_dtype!(lines_in_every_setting, floats);
fn lines_in_every_setting<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for filled in [Filled::Zeros, Filled::Reflect, Filled::Replicate, Filled::Circular] {
        for dilation in [1, 3, 7] {
            let conv = Conv { filled, ..line(4, 3, dilation) };
            check::<E>(&Case::plain([2, 5, 1, 1, 19], [9, 5, 1, 1, 3], conv.clone()));
            check::<E>(&Case::plain([1, 10, 4, 3, 19], [18, 5, 3, 1, 3], Conv { groups: 2, stride: [2, 1, 1], ..conv }));
        }
    }
    for isa in instruction_sets() {
        let (lanes, _) = lanes_and_pixels::<E>(isa);
        for channels in [1, lanes - 1, lanes, lanes + 1, 2 * lanes, 2 * lanes + 1, 5 * lanes] {
            check::<E>(&Case::plain([1, channels, 1, 1, 37], [3, channels, 1, 1, 3], line(2, 2, 2)));
            check::<E>(&Case::plain([1, 2, 1, 1, 37], [channels, 2, 1, 1, 3], line(2, 2, 2)));
        }
    }
    check::<E>(&Case::plain([1, 0, 1, 1, 9], [3, 0, 1, 1, 3], line(1, 1, 1)));
}

every_dtype!(channels_around_vectors, floats);
fn channels_around_vectors<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for isa in instruction_sets() {
        let (lanes, _) = lanes_and_pixels::<E>(isa);
        for channels in [1, lanes - 1, lanes, lanes + 1, 2 * lanes, 2 * lanes + 1, 4 * lanes + 1, 5 * lanes] {
            check::<E>(&Case::plain([1, channels, 1, 6, 5], [3, channels, 1, 3, 3], SAME));
            check::<E>(&Case::plain([1, 2, 1, 6, 9], [channels, 2, 1, 3, 3], SAME));
        }
    }
    check::<E>(&Case::plain([1, 0, 1, 6, 9], [3, 0, 1, 3, 3], SAME));
    check::<E>(&Case::plain([1, 700, 1, 9, 9], [70, 700, 1, 3, 3], SAME));
}

every_dtype!(paddings, floats);
fn paddings<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for filled in [Filled::Zeros, Filled::Reflect, Filled::Replicate, Filled::Circular] {
        let conv = Conv { before: [0, 2, 0], after: [0, 1, 3], filled, ..PLAIN };
        check::<E>(&Case::plain([2, 5, 1, 5, 6], [9, 5, 1, 3, 3], conv.clone()));
        let deep = Conv { before: [1, 2, 0], after: [2, 1, 3], ..conv };
        check::<E>(&Case::plain([1, 5, 4, 5, 6], [9, 5, 3, 3, 3], deep));
    }
    check::<E>(&Case::plain([1, 2, 1, 2, 3], [3, 2, 1, 3, 3], Conv { before: [0, 9, 4], after: [0, 5, 40], ..PLAIN }));
}

every_dtype!(groups, floats);
fn groups<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for (groups, inputs, outputs) in [(2, 3, 5), (3, 17, 20), (4, 1, 1)] {
        let conv = Conv { groups: groups as i64, ..SAME };
        check::<E>(&Case::plain([2, groups * inputs, 1, 7, 9], [groups * outputs, inputs, 1, 3, 3], conv));
    }
}

every_dtype!(depth, floats);
fn depth<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for (taps, stride, dilation) in [(1, 1, 1), (1, 3, 1), (3, 1, 1), (3, 2, 1), (3, 1, 2), (2, 3, 4), (5, 1, 1), (2, 1, 7)] {
        let conv =
            Conv { stride: [stride, 1, 1], dilation: [dilation, 1, 1], before: [2, 1, 1], after: [1, 1, 1], groups: 2, ..PLAIN };
        check::<E>(&Case::plain([2, 6, 9, 6, 7], [10, 3, taps, 3, 3], conv));
    }
    check::<E>(&Case::plain([1, 40, 7, 17, 17], [5, 40, 3, 3, 3], Conv { before: [1; 3], after: [1; 3], ..PLAIN }));
}

/// Convolutions of four images that are cut into several tasks.
fn cases() -> [Case; 5] {
    [
        Case::plain([4, 130, 1, 1, 1501], [40, 130, 1, 1, 3], line(1, 1, 1)),
        Case::plain([4, 260, 1, 2, 333], [40, 130, 1, 1, 3], Conv { groups: 2, ..line(10, 10, 5) }),
        Case::plain([4, 40, 1, 25, 37], [40, 40, 1, 3, 3], SAME),
        Case::plain([4, 260, 1, 9, 9], [40, 130, 1, 3, 3], Conv { groups: 2, ..SAME }),
        Case::plain([4, 20, 5, 9, 19], [10, 20, 3, 3, 3], Conv { before: [1; 3], after: [1; 3], ..PLAIN }),
    ]
}

every_dtype!(same_bits, floats);
/// Whatever the batch, the number of threads and the layout.
fn same_bits<E: Tested<Accumulator: Lanes>>() {
    let _lock = threads_lock();
    let mut random = Random(5);
    let between = E::draw(&mut random, Draw::Rounded);
    for case in cases() {
        let shape = case.shape().unwrap();
        let arrays = case.draw::<E>(3, Draw::Rounded);
        for isa in instruction_sets() {
            set_num_threads(1).unwrap();
            let one = computed(isa, &case, Choice::Winograd, &arrays);
            for threads in [2, 3, 7] {
                set_num_threads(threads).unwrap();
                assert_eq!(bits(&computed(isa, &case, Choice::Winograd, &arrays)), bits(&one), "{case:?} on {isa:?}");
            }
            let mut single = case.clone();
            single.input[0] = 1;
            let size = arrays.input.data.len() / 4;
            let data = arrays.input.data[3 * size..].to_vec();
            let last = Arrays { input: Array { shape: single.input, data }, ..arrays.clone() };
            let last = computed(isa, &single, Choice::Winograd, &last);
            assert_eq!(bits(&last), bits(&one)[3 * one.data.len() / 4..], "{case:?} on {isa:?}");
            let layer = layer(isa, &case, Choice::Winograd, &arrays, Activation::Identity);
            for _ in 0..3 {
                let input = Laid::copy(&mut random, &arrays.input, between);
                let mut output = Laid::random(&mut random, shape.output_shape(), between);
                layer.run(&shape, &input.view(), None, &mut output.view_mut()).unwrap();
                assert_eq!(bits(&output.read(between)), bits(&one), "{case:?} on {isa:?}");
            }
        }
    }
}

every_dtype!(epilogue: float32 f32, float64 f64);
/// Bias, residual and activation give what they give when applied to the sums one after the other.
fn epilogue<T: Tested<Accumulator = T> + Lanes>() {
    let mut random = Random(9);
    for case in cases() {
        let shape = case.shape().unwrap();
        let arrays = case.draw::<T>(3, Draw::Rounded);
        let residual = random.array::<T>(shape.output_shape(), Draw::Rounded);
        let laid = Laid::copy(&mut random, &residual, T::default());
        let bias = &arrays.bias.as_ref().unwrap().data;
        let per_channel = shape.output.iter().product::<usize>();
        for isa in instruction_sets() {
            let sums = computed(isa, &case, Choice::Winograd, &Arrays { bias: None, ..arrays.clone() });
            let layer = layer(isa, &case, Choice::Winograd, &arrays, Activation::Relu);
            let mut output = Array::filled(shape.output_shape(), T::default());
            layer.run(&shape, &view(&arrays.input), Some(laid.view()), &mut view_mut(&mut output)).unwrap();
            for (index, output) in output.data.iter().enumerate() {
                let value = sums.data[index].plus(bias[index / per_channel % bias.len()]).plus(residual.data[index]);
                let expected = if value.to_f64() < 0.0 { T::default() } else { value };
                assert_eq!(output.bits(), expected.bits(), "{case:?} on {isa:?}, element {index}");
            }
        }
    }
}

/// One position of the input at a time is infinite or NaN: what is not finite, and all of the tiles that it spoils, is as the
/// direct algorithm has it.
#[test]
fn what_is_not_finite_reaches_the_same_outputs() {
    infinities(Case::plain([1, 18, 3, 10, 11], [21, 18, 3, 3, 3], Conv { before: [1; 3], after: [1; 3], ..PLAIN }));
    infinities(Case::plain([1, 18, 3, 2, 29], [21, 18, 1, 1, 3], line(1, 1, 1)));
    infinities(Case::plain([1, 18, 3, 2, 29], [21, 18, 1, 1, 3], line(3, 3, 3)));
}

/// The output has the input's size.
fn infinities(mut case: Case) {
    case.bias = false;
    let [_, channels, slices, height, width] = case.input;
    let mut random = Random(4);
    let arrays = case.draw::<f32>(3, Draw::Rounded);
    for isa in instruction_sets() {
        let (untouched, direct) =
            (computed(isa, &case, Choice::Winograd, &arrays), computed(isa, &case, Choice::Direct, &arrays));
        assert_ne!(bits(&untouched), bits(&direct));
        for row in 0..height {
            for column in 0..width {
                for value in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 3e38] {
                    let (channel, slice) = (random.below(channels as u64) as usize, random.below(slices as u64) as usize);
                    let mut spoiled = arrays.clone();
                    spoiled.input.data[((channel * slices + slice) * height + row) * width + column] = value;
                    let (winograd, direct) =
                        (computed(isa, &case, Choice::Winograd, &spoiled), computed(isa, &case, Choice::Direct, &spoiled));
                    for (index, (winograd, direct)) in winograd.data.iter().zip(&direct.data).enumerate() {
                        let (y, x) = (index / width % height, index % width);
                        let what = format!("{value} at {row}, {column} on {isa:?}: {winograd} instead of {direct} at {y}, {x}");
                        if direct.is_finite() {
                            assert!(winograd.is_finite(), "{what}");
                        } else {
                            assert!(winograd.to_bits() == direct.to_bits() || (winograd.is_nan() && direct.is_nan()), "{what}");
                        }
                    }
                }
            }
        }
    }
}

/// A weight that is not finite spoils its own output channel.
#[test]
fn weights_that_are_not_finite() {
    let case = Case::plain([1, 5, 1, 9, 9], [7, 5, 1, 3, 3], SAME);
    let mut arrays = case.draw::<f32>(3, Draw::Rounded);
    arrays.weight.data[3 * 45 + 4] = f32::INFINITY;
    for isa in instruction_sets() {
        let winograd = computed(isa, &case, Choice::Winograd, &arrays);
        let direct = computed(isa, &case, Choice::Direct, &arrays);
        for (index, (winograd, direct)) in winograd.data.iter().zip(&direct.data).enumerate() {
            assert_eq!(winograd.is_finite(), direct.is_finite(), "{isa:?}");
            if index / 81 == 3 {
                assert!(winograd.to_bits() == direct.to_bits() || winograd.is_nan() && direct.is_nan(), "{isa:?}");
            }
        }
    }
}

/// A number from the standard normal distribution, nearly: the sum of twelve even ones.
fn gaussian(random: &mut Random) -> f32 {
    (0..12).map(|_| random.below(1 << 24) as f32 / (1 << 24) as f32).sum::<f32>() - 6.0
}

/// On Gaussian data at most 2.5 times the direct algorithm's error, the largest and the mean.
#[test]
fn error_beside_direct() {
    let mut random = Random(6);
    let planes = [(24, 28), (64, 28), (256, 14)]
        .map(|(channels, size)| Case::plain([1, channels, 1, size, size], [32, channels, 1, 3, 3], SAME));
    let lines = [(24, 800, 1), (128, 400, 1), (128, 400, 8)]
        .map(|(channels, size, dilation)| Case::plain([1, channels, 1, 1, size], [32, channels, 1, 1, 3], line(1, 1, dilation)));
    for mut case in planes.into_iter().chain(lines) {
        case.bias = false;
        let mut draw = |shape| Array::from_fn(shape, |_| gaussian(&mut random));
        let arrays = Arrays { input: draw(case.input), weight: draw(case.weight), bias: None };
        let exact = |array: &Array<f32>| array.map(f64::from);
        let expected = case.reference(&exact(&arrays.input), &exact(&arrays.weight), None).unwrap();
        for isa in instruction_sets() {
            let errors = |choice| {
                let output = computed(isa, &case, choice, &arrays);
                let each = output.data.iter().zip(&expected.data).map(|(actual, expected)| (f64::from(*actual) - expected).abs());
                (
                    each.clone().fold(0.0, f64::max),
                    (each.map(|error| error * error).sum::<f64>() / output.data.len() as f64).sqrt(),
                )
            };
            let (winograd, direct) = (errors(Choice::Winograd), errors(Choice::Direct));
            assert!(winograd.0 <= 2.5 * direct.0 && winograd.1 <= 2.5 * direct.1, "{case:?} on {isa:?}: {winograd:?} {direct:?}");
        }
    }
}

/// Where the algorithm is named but impossible, the error says why.
#[test]
fn refusals() {
    let refused = |case: &Case| {
        let weight = Array::filled(case.weight, 1.0f32);
        let layer = Layer::new(Isa::Portable, case.layer_kind(), Choice::Winograd, &view(&weight), None, Activation::Identity);
        layer.err().map(|error| error.to_string())
    };
    let case = |kernel: [usize; 3], conv| Case::plain([1, 4, 9, 9, 9], [4, 4, kernel[0], kernel[1], kernel[2]], conv);
    assert_eq!(refused(&case([2, 3, 3], Conv { stride: [2, 1, 1], dilation: [2, 1, 1], ..PLAIN })), None);
    assert_eq!(refused(&case([2, 1, 3], Conv { stride: [2, 1, 1], dilation: [2, 5, 4], ..PLAIN })), None);
    let impossible = [
        (case([1, 1, 5], PLAIN), "kernel of 3 x 3 or 1 x 3"),
        (case([1, 2, 3], PLAIN), "kernel of 3 x 3 or 1 x 3"),
        (case([1, 3, 1], PLAIN), "kernel of 3 x 3 or 1 x 3"),
        (case([1, 3, 3], Conv { dilation: [1, 1, 2], ..PLAIN }), "dilation 1"),
        (Case::plain([1, 4, 1, 1, 200], [4, 4, 1, 1, 3], line(0, 0, 61)), "at most 60"),
        (Case::plain([1, 300, 1, 1, 200], [4, 300, 1, 1, 3], line(0, 0, 60)), "at most 16384"),
        (case([3, 3, 5], PLAIN), "kernel of 3 x 3"),
        (case([1, 3, 3], Conv { stride: [1, 1, 2], ..PLAIN }), "stride 1"),
        (case([1, 3, 3], Conv { dilation: [1, 2, 1], ..PLAIN }), "dilation 1"),
        (Case::plain([1, 20_000, 1, 3, 3], [1, 20_000, 1, 3, 3], PLAIN), "at most 16384"),
        (Case::transposed([1, 4, 1, 9, 9], [4, 4, 1, 3, 3], crate::common::TRANSPOSED), "plain"),
    ];
    for (case, why) in impossible {
        let error = refused(&case).unwrap_or_else(|| panic!("{case:?} was not refused"));
        assert!(error.contains(why), "{error}");
        let weight = Array::filled(case.weight, 1.0f32);
        let auto =
            Layer::new(Isa::Portable, case.layer_kind(), Choice::Auto, &view(&weight), None, Activation::Identity).unwrap();
        assert_eq!(auto.winograd(&case.shape().unwrap()), None);
    }
    let integers = Array::filled([4, 4, 1, 3, 3], 1i32);
    let error = Layer::new(
        Isa::Portable,
        case([1, 3, 3], PLAIN).layer_kind(),
        Choice::Winograd,
        &view(&integers),
        None,
        Activation::Identity,
    );
    assert!(error.err().unwrap().to_string().contains("floats"));
}

/// The choice follows the shape, never the batch.
#[test]
fn chosen_where_it_pays() {
    let chosen = |isa, channels: [usize; 2], size: [usize; 3], taps| {
        let case = Case::plain([1, channels[0], size[0], size[1], size[2]], [channels[1], channels[0], taps, 3, 3], SAME);
        let weight = Array::filled(case.weight, 1.0f32);
        let layer = Layer::new(isa, case.layer_kind(), Choice::Auto, &view(&weight), None, Activation::Identity).unwrap();
        let of = |batch| {
            let mut case = case.clone();
            case.input[0] = batch;
            layer.winograd(&case.shape().unwrap())
        };
        assert!([2, 3, 1000].into_iter().all(|batch| of(batch) == of(1)));
        of(1).is_some()
    };
    for isa in instruction_sets().filter(|&isa| isa != Isa::Portable) {
        for (channels, size) in [(64, 56), (128, 28), (256, 14), (64, 224), (32, 20)] {
            assert!(chosen(isa, [channels; 2], [1, size, size], 1), "{channels}@{size} on {isa:?}");
        }
        assert!(chosen(isa, [64; 2], [8, 56, 56], 3) && chosen(isa, [32; 2], [32, 64, 64], 3), "{isa:?}");
        assert!(!chosen(isa, [512; 2], [1, 7, 7], 1), "{isa:?}: the weights do not fit the cache");
        assert!(!chosen(isa, [3, 64], [1, 224, 224], 1), "{isa:?}: too few input channels");
        assert!(!chosen(isa, [64, 3], [1, 224, 224], 1), "{isa:?}: too few output channels");
        assert!(!chosen(isa, [64; 2], [1, 1, 1], 1), "{isa:?}: nearly all of the tile is thrown away");
        for (channels, width, dilation) in [(128, 2000, 1), (256, 800, 1), (128, 2000, 8), (384, 3000, 1)] {
            assert!(chosen_line(isa, [channels; 2], width, dilation), "{channels}@{width} on {isa:?}");
        }
        assert!(!chosen_line(isa, [16, 64], 2000, 1), "{isa:?}: too few input channels");
        assert!(!chosen_line(isa, [64, 1], 2000, 1), "{isa:?}: too few output channels");
        assert!(!chosen_line(isa, [128; 2], 16, 8), "{isa:?}: half of every bundle is thrown away");
    }
}

fn chosen_line(isa: Isa, channels: [usize; 2], width: usize, dilation: i64) -> bool {
    let case = Case::plain([1, channels[0], 1, 1, width], [channels[1], channels[0], 1, 1, 3], line(8, 8, dilation));
    let weight = Array::filled(case.weight, 1.0f32);
    let layer = Layer::new(isa, case.layer_kind(), Choice::Auto, &view(&weight), None, Activation::Identity).unwrap();
    layer.winograd(&case.shape().unwrap()).is_some()
}

/// Weights that are not finite make every tile fall back: the layer is direct from the start.
#[test]
fn automatic_layers_with_infinite_weights_are_direct() {
    let case = Case::plain([1, 64, 1, 28, 28], [64, 64, 1, 3, 3], SAME);
    let mut weight = Array::filled(case.weight, 1.0f32);
    weight.data[1234] = f32::INFINITY;
    for isa in instruction_sets() {
        let layer = Layer::new(isa, case.layer_kind(), Choice::Auto, &view(&weight), None, Activation::Identity).unwrap();
        assert_eq!(layer.winograd(&case.shape().unwrap()), None);
    }
}
