//! Convolution by the fast Fourier transform: within the norm-wise bound around every block, the same bits whatever surrounds an
//! image, infinities kept to their tile, and refused where it is impossible.

use convrs::array::{Accumulator, Activation, DType, Element};
use convrs::conv::{Choice, Layer};
use convrs::parallel::set_num_threads;
use convrs::reference::{Array, Conv, Filled};
use convrs::simd::{Isa, Lanes};

use crate::common::conv::Arrays;
use crate::common::{Case, Draw, Laid, PLAIN, Random, Tested, gamma, instruction_sets, threads_lock, view, view_mut};
use crate::every_dtype;

fn layer<E: Element<Accumulator: Lanes>>(isa: Isa, case: &Case, arrays: &Arrays<E>, activation: Activation) -> Layer<E> {
    let bias = arrays.bias.as_ref().map(view);
    Layer::new(isa, case.layer_kind(), Choice::Fft, &view(&arrays.weight), bias.as_ref(), activation).unwrap()
}

fn computed<E: Element<Accumulator: Lanes>>(isa: Isa, case: &Case, arrays: &Arrays<E>) -> Array<E> {
    let shape = case.shape().unwrap();
    let mut output = Array::filled(shape.output_shape(), E::default());
    let layer = layer(isa, case, arrays, Activation::Identity);
    layer.run(&shape, &view(&arrays.input), None, &mut view_mut(&mut output)).unwrap();
    output
}

fn bits<E: Tested>(array: &Array<E>) -> Vec<u128> {
    array.data.iter().map(|value| value.bits()).collect()
}

/// Elements of a block, and outputs of a tile along height and width.
fn plan(case: &Case) -> (usize, [usize; 3]) {
    let weight = Array::filled(case.weight, 1.0f32);
    let arrays = Arrays { input: Array::filled([0; 5], 0.0), weight, bias: None };
    let plan = layer(Isa::Portable, case, &arrays, Activation::Identity).fft(&case.shape().unwrap()).unwrap();
    (plan.block[0] * plan.block[1], plan.tile)
}

/// How far a sum of float64 may lie from the exact one: with the relative error e of a transform in the 2-norm (Higham, Accuracy
/// and Stability, theorem 24.2: e = t eta for t halvings, eta = mu + gamma_4 (sqrt(2) + mu), twiddle factors within mu), the
/// transform of the block z adds at most e |z|_2 |w|_2, by Cauchy and Schwarz, the kernel's spectrum as much, and the inverse
/// e |z|_2 |w|_1, since no spectrum is larger than |w|_1. Products and sums round once an input channel and a few times more.
fn slack<E: Tested>(case: &Case, arrays: &Arrays<E>) -> f64 {
    let (elements, _) = plan(case);
    let u = f64::EPSILON / 2.0;
    let mu = 3.0 * u;
    let eta = mu + gamma(4, u) * (2f64.sqrt() + mu);
    let transform = f64::from(elements.ilog2() + 1) * eta;
    let largest = arrays.input.data.iter().map(|value| value.size()).fold(0.0, f64::max);
    let block = largest * (elements as f64).sqrt();
    let per_output = case.taps().max(1);
    let kernels = arrays.weight.data.chunks(per_output).map(|taps| taps.iter().map(|value| value.size()).sum::<f64>());
    let roundings = gamma(case.weight[1] + 6, u);
    (3.0 * transform + roundings) * block * kernels.fold(0.0, f64::max) * 1.01
}

/// Within the bound on every instruction set.
fn check<E: Tested<Accumulator: Lanes, Exact = f64>>(case: &Case) {
    let arrays = case.draw::<E>(7, Draw::Rounded);
    let exact = |array: &Array<E>| array.map(E::exact);
    let bias = arrays.bias.as_ref().map(exact);
    let bias = bias.as_ref().map(|bias| bias.data.as_slice());
    let expected = case.reference(&exact(&arrays.input), &exact(&arrays.weight), bias).unwrap();
    let transforms = slack(case, &arrays);
    let largest_bias = arrays.bias.as_ref().map_or(0.0, |bias| bias.data.iter().map(|value| value.size()).fold(0.0, f64::max));
    for isa in instruction_sets() {
        let output = computed(isa, case, &arrays);
        assert_eq!(output.shape, expected.shape);
        for (index, actual) in output.data.iter().enumerate() {
            let expected = expected.data[index];
            // The sum is rounded to the accumulator, and once more with the bias.
            let slack = transforms + 1.01 * E::ROUNDOFF * (2.0 * expected.abs() + largest_bias);
            let what = || format!("{case:?} on {isa:?}, element {index}: {actual:?}, expected {expected:?} within {slack:e}");
            assert!(actual.within(expected, slack), "{}", what());
        }
    }
}

/// A row of inputs with a kernel of `taps`, for that many outputs.
fn row(channels: [usize; 2], taps: usize, outputs: usize) -> Case {
    Case::plain([1, channels[0], 1, 1, outputs + taps - 1], [channels[1], channels[0], 1, 1, taps], PLAIN)
}

every_dtype!(rows_around_tiles, floats);
fn rows_around_tiles<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for taps in [1, 2, 3, 17, 33] {
        let (_, [_, _, tile]) = plan(&row([1, 1], taps, 1));
        for outputs in [1, 2, tile - 1, tile, tile + 1, 2 * tile, 2 * tile + 1, 3 * tile + 5] {
            check::<E>(&row([1, 1], taps, outputs));
        }
    }
}

every_dtype!(kernels_of_every_length: float32 f32, float64 f64);
fn kernels_of_every_length<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for taps in [4, 5, 8, 15, 16, 31, 32, 63, 64, 65, 127, 128, 129, 255, 256, 257, 512, 513, 1024, 1025, 2048, 2049, 4095, 4096]
    {
        for outputs in [1, 300] {
            check::<E>(&row([1, 1], taps, outputs));
        }
    }
    let (_, [_, _, tile]) = plan(&row([1, 1], 1025, 1));
    check::<E>(&row([1, 1], 1025, 2 * tile + 3));
}

every_dtype!(planes_around_tiles: float32 f32, float64 f64);
fn planes_around_tiles<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for kernel in [[1, 3], [3, 1], [2, 2], [3, 3], [5, 9], [16, 4], [1, 300], [200, 1]] {
        let case = |outputs: [usize; 2]| {
            let [height, width] = [0, 1].map(|axis| outputs[axis] + kernel[axis] - 1);
            Case::plain([1, 1, 1, height, width], [1, 1, 1, kernel[0], kernel[1]], PLAIN)
        };
        let (_, [_, down, across]) = plan(&case([1, 1]));
        for height in [1, down, down + 1] {
            for width in [1, across, across + 1] {
                check::<E>(&case([height, width]));
            }
        }
    }
    check::<E>(&Case::plain([1, 1, 1, 100, 90], [1, 1, 1, 63, 63], PLAIN));
}

every_dtype!(channels_and_groups: float32 f32, float64 f64);
fn channels_and_groups<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for (groups, inputs, outputs) in [(1, 3, 5), (2, 3, 5), (4, 1, 1), (3, 1, 40), (1, 33, 1), (1, 0, 2)] {
        for (kernel, size) in [([1, 9], [1, 40]), ([1, 129], [2, 700]), ([5, 4], [30, 20])] {
            let conv = Conv { groups: groups as i64, ..PLAIN };
            let input = [2, groups * inputs, 1, size[0], size[1]];
            check::<E>(&Case::plain(input, [groups * outputs, inputs, 1, kernel[0], kernel[1]], conv));
        }
    }
}

every_dtype!(strides_and_dilations: float32 f32, float64 f64);
fn strides_and_dilations<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for (down, across) in [(1, 2), (2, 1), (3, 5), (70, 3000)] {
        let stride = [1, down, across];
        check::<E>(&Case::plain([1, 2, 1, 90, 150], [3, 2, 1, 4, 7], Conv { stride, ..PLAIN }));
        check::<E>(&Case::plain([1, 1, 1, 3, 9000], [1, 1, 1, 1, 7], Conv { stride, ..PLAIN }));
        let dilation = [1, down.min(9), across.min(20)];
        check::<E>(&Case::plain([1, 2, 1, 90, 150], [3, 2, 1, 4, 7], Conv { dilation, ..PLAIN }));
        let both = Conv { stride: [1, 2, 3], dilation, before: [0, 3, 8], after: [0, 4, 9], ..PLAIN };
        check::<E>(&Case::plain([1, 2, 1, 90, 150], [3, 2, 1, 4, 7], both));
    }
}

every_dtype!(paddings: float32 f32, float64 f64);
fn paddings<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for filled in [Filled::Zeros, Filled::Reflect, Filled::Replicate, Filled::Circular] {
        let conv = Conv { before: [0, 2, 30], after: [0, 1, 17], filled, ..PLAIN };
        check::<E>(&Case::plain([2, 2, 1, 5, 36], [3, 2, 1, 3, 41], conv.clone()));
        let long = Conv { before: [0, 0, 30], after: [0, 0, 17], ..conv };
        check::<E>(&Case::plain([1, 1, 1, 2, 5000], [1, 1, 1, 1, 9], long));
    }
    check::<E>(&Case::plain([1, 1, 1, 2, 3], [1, 1, 1, 3, 3], Conv { before: [0, 9, 4], after: [0, 5, 400], ..PLAIN }));
}

every_dtype!(depth: float32 f32, float64 f64);
fn depth<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    let conv = Conv { stride: [2, 1, 1], before: [2, 1, 1], after: [1, 1, 1], filled: Filled::Replicate, ..PLAIN };
    check::<E>(&Case::plain([2, 2, 7, 6, 7], [3, 2, 1, 3, 3], conv));
}

/// Convolutions of four images that are cut into several tasks.
fn cases() -> [Case; 3] {
    let padded = Conv { groups: 2, stride: [1, 1, 2], before: [0, 2, 20], after: [0, 1, 9], ..PLAIN };
    [
        Case::plain([4, 1, 1, 1, 9000], [1, 1, 1, 1, 33], PLAIN),
        Case::plain([4, 4, 1, 2, 5000], [70, 2, 1, 1, 300], padded.clone()),
        Case::plain([4, 4, 2, 70, 150], [6, 2, 1, 5, 7], padded),
    ]
}

every_dtype!(same_bits: float32 f32, float64 f64);
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
            let one = computed(isa, &case, &arrays);
            for threads in [2, 3, 7, 100] {
                set_num_threads(threads).unwrap();
                assert_eq!(bits(&computed(isa, &case, &arrays)), bits(&one), "{case:?} on {isa:?}");
            }
            let mut single = case.clone();
            single.input[0] = 1;
            let size = arrays.input.data.len() / 4;
            let data = arrays.input.data[3 * size..].to_vec();
            let last = Arrays { input: Array { shape: single.input, data }, ..arrays.clone() };
            let last = computed(isa, &single, &last);
            assert_eq!(bits(&last), bits(&one)[3 * one.data.len() / 4..], "{case:?} on {isa:?}");
            let layer = layer(isa, &case, &arrays, Activation::Identity);
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
            let sums = computed(isa, &case, &Arrays { bias: None, ..arrays.clone() });
            let layer = layer(isa, &case, &arrays, Activation::Relu);
            let mut output = Array::filled(shape.output_shape(), T::default());
            layer.run(&shape, &view(&arrays.input), Some(laid.view()), &mut view_mut(&mut output)).unwrap();
            for (index, output) in output.data.iter().enumerate() {
                let value = Accumulator::plus(sums.data[index], bias[index / per_channel % bias.len()]);
                let value = Accumulator::plus(value, residual.data[index]);
                let expected = if value.to_f64() < 0.0 { T::default() } else { value };
                assert_eq!(output.bits(), expected.bits(), "{case:?} on {isa:?}, element {index}");
            }
        }
    }
}

/// An infinite input spoils the tile of its block, and no other output.
#[test]
fn what_is_not_finite_stays_in_its_blocks() {
    let mut case = row([1, 1], 9, 1);
    let (_, [_, _, tile]) = plan(&case);
    case = row([1, 1], 9, 5 * tile);
    let arrays = case.draw::<f32>(3, Draw::Rounded);
    for isa in instruction_sets() {
        let untouched = computed(isa, &case, &arrays);
        let mut spoiled = arrays.clone();
        spoiled.input.data[2 * tile + 100] = f32::INFINITY;
        let spoiled = computed(isa, &case, &spoiled);
        for (index, (spoiled, untouched)) in spoiled.data.iter().zip(&untouched.data).enumerate() {
            if (2 * tile..3 * tile).contains(&index) {
                assert!(!spoiled.is_finite(), "element {index} on {isa:?}");
            } else {
                assert_eq!(spoiled.to_bits(), untouched.to_bits(), "element {index} on {isa:?}");
            }
        }
    }
}

/// Elements of like size: float32 sums are the exact ones, rounded (but for ties that the transforms' own error decides).
#[test]
fn noise_in_float32_is_rounded_once() {
    let mut random = Random(6);
    for taps in [33, 513, 2049] {
        let case = row([1, 1], taps, 9000);
        let mut draw = |shape| Array::from_fn(shape, |_| random.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0);
        let arrays = Arrays { input: draw(case.input), weight: draw(case.weight), bias: None };
        let exact = |array: &Array<f32>| array.map(f64::from);
        let expected = case.reference(&exact(&arrays.input), &exact(&arrays.weight), None).unwrap();
        for isa in instruction_sets() {
            let output = computed(isa, &case, &arrays);
            let other = output.data.iter().zip(&expected.data).filter(|(actual, expected)| **actual != **expected as f32);
            assert_eq!(other.count(), 0, "{taps} taps on {isa:?}");
        }
    }
}

/// Where it is impossible, the error says why.
#[test]
fn refusals() {
    let refused = |case: &Case| {
        let weight = Array::filled(case.weight, 1.0f32);
        let layer = Layer::new(Isa::Portable, case.layer_kind(), Choice::Fft, &view(&weight), None, Activation::Identity);
        layer.err().map(|error| error.to_string())
    };
    let long = |taps, dilation| {
        let conv = Conv { dilation: [1, 1, dilation], ..PLAIN };
        Case::plain([1, 1, 1, 1, 1 << 18], [1, 1, 1, 1, taps], conv)
    };
    assert_eq!(refused(&long(32_768, 1)), None);
    assert_eq!(refused(&long(2, 32_767)), None);
    let impossible = [
        (Case::plain([1, 4, 9, 9, 9], [4, 4, 3, 3, 3], PLAIN), "kernels of size 1 along depth"),
        (long(32_769, 1), "covers 1 x 32769 elements"),
        (long(2, 32_768), "covers 1 x 32769 elements"),
        (long(2, 1 << 40), "covers"),
        (Case::plain([1, 1, 1, 400, 400], [1, 1, 1, 300, 300], PLAIN), "a block of at most 65536 elements"),
        (Case::plain([1, 1000, 1, 9, 9], [1000, 1000, 1, 3, 3], PLAIN), "spectra of at most"),
        (Case::transposed([1, 4, 1, 9, 9], [4, 4, 1, 3, 3], crate::common::TRANSPOSED), "plain"),
    ];
    for (case, why) in impossible {
        let error = refused(&case).unwrap_or_else(|| panic!("{case:?} was not refused"));
        assert!(error.contains(why) && error.contains("\"fft\""), "{error}");
    }
}

every_dtype!(other_dtypes_are_refused);
fn other_dtypes_are_refused<E: Tested<Accumulator: Lanes>>() {
    let case = row([1, 1], 3, 5);
    let arrays = case.draw::<E>(3, Draw::Exact);
    let layer = Layer::new(Isa::Portable, case.layer_kind(), Choice::Fft, &view(&arrays.weight), None, Activation::Identity);
    match (layer.err(), E::DTYPE) {
        (None, DType::F16 | DType::BF16 | DType::F32 | DType::F64) => {}
        (error, dtype) => assert!(error.unwrap().to_string().contains("fft needs floats"), "{dtype:?}"),
    }
}

/// Nothing but its name chooses it, and the largest block fits the scratch memory.
#[test]
fn plans() {
    for choice in [Choice::Auto, Choice::Direct, Choice::Fft] {
        let case = row([1, 1], 4096, 100_000);
        let weight = Array::filled(case.weight, 1.0f32);
        let layer = Layer::new(Isa::Portable, case.layer_kind(), choice, &view(&weight), None, Activation::Identity).unwrap();
        let summary = layer.summary(&case.shape().unwrap());
        assert_eq!(summary.algorithm, if choice == Choice::Fft { "fft" } else { "direct" });
    }
    for [height, width] in [[1, 32_768], [128, 128], [1, 1], [16_384, 1]] {
        let case = Case::plain([1, 1, 1, height, width], [90, 1, 1, height, width], PLAIN);
        let weight = Array::filled(case.weight, 1.0f64);
        let layer =
            Layer::new(Isa::Portable, case.layer_kind(), Choice::Fft, &view(&weight), None, Activation::Identity).unwrap();
        let bytes = layer.summary(&case.shape().unwrap()).scratch_bytes;
        assert!(bytes <= convrs::array::SCRATCH_BYTES, "{height} x {width}: {bytes}");
    }
}
