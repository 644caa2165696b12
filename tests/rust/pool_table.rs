//! Adaptive, fractional and power pools, unpooling, unfold and fold, against the oracle in every dtype.

use convrs::array::{Element, Ordered};
use convrs::pool::{Average, Extreme, Places, Power, PowerSum, fold, run_converted, unfold, unpool};
use convrs::reference::{self, Array, Windows};
use convrs::shape::{PoolShape, UnfoldParams, UnfoldShape};

use crate::common::pool::{SLIDING, assert_within, check_max, check_mean, computed, sliding};
use crate::common::{Draw, Random, Tested, gamma, instruction_sets, view, view_mut};
use crate::every_dtype;

/// Input and output sizes: divisors, none, more outputs than inputs, wider than a chunk.
const ADAPTIVE: [([usize; 3], [usize; 3]); 8] = [
    ([1, 6, 8], [1, 3, 2]),
    ([1, 7, 10], [1, 3, 4]),
    ([3, 5, 7], [2, 7, 3]),
    ([1, 1, 5], [1, 4, 13]),
    ([4, 3, 2], [1, 1, 1]),
    ([1, 2, 5000], [1, 1, 2]),
    ([1, 2, 3000], [1, 1, 1999]),
    ([1, 3, 33], [1, 2, 17]),
];

every_dtype!(adaptive_maxima, ordered);
fn adaptive_maxima<E: Tested<Exact: PartialOrd> + Ordered>() {
    for (input, outputs) in ADAPTIVE {
        let input = [2, 2, input[0], input[1], input[2]];
        let shape = PoolShape::adaptive(input, 3, outputs.map(|size| Some(size as i64)), false).unwrap();
        for draw in [Draw::Rounded, Draw::Special] {
            let array = Random(21).array::<E>(input, draw);
            let expected = reference::adaptive_max_pool(&array.map(E::exact), outputs).unwrap();
            check_max(&format!("adaptive max of {input:?} to {outputs:?}, {draw:?}"), &shape, &array, &expected);
        }
    }
}

every_dtype!(adaptive_means, all);
fn adaptive_means<E: Tested>() {
    for (input, outputs) in ADAPTIVE {
        let input = [2, 2, input[0], input[1], input[2]];
        let shape = PoolShape::adaptive(input, 3, outputs.map(|size| Some(size as i64)), false).unwrap();
        let array = Random(22).array::<E>(input, Draw::Rounded);
        let expected = reference::adaptive_avg_pool(&array.map(E::exact), outputs).unwrap();
        let sizes = reference::adaptive_avg_pool(&array.map(E::size), outputs).unwrap();
        let terms = (0..3).map(|axis| input[2 + axis].div_ceil(outputs[axis]) + 1).product();
        let average = Average { count_include_pad: false, divisor: None };
        check_mean(&format!("adaptive mean of {input:?} to {outputs:?}"), &shape, average, &array, terms, &expected, &sizes);
    }
}

#[test]
fn an_adaptive_size_of_none_keeps_the_inputs() {
    let shape = PoolShape::adaptive([2, 3, 1, 5, 7], 2, [None, None, Some(4)], false).unwrap();
    assert_eq!(shape.output_shape(), [2, 3, 1, 5, 4]);
    assert!(PoolShape::adaptive([2, 3, 1, 5, 7], 2, [None, Some(-1), None], false).is_err());
}

macro_rules! fractional {
    ($name:ident, $type:ty, $round:expr) => {
        #[test]
        fn $name() {
            for (input, kernel, outputs) in [
                ([1, 10, 14], [1, 2, 3], [1, 4, 5]),
                ([1, 7, 33], [1, 3, 2], [1, 5, 16]),
                ([5, 6, 9], [2, 2, 3], [3, 4, 6]),
                ([1, 4, 5], [1, 4, 5], [1, 1, 1]),
            ] {
                let mut random = Random(23);
                let planes: Vec<[f64; 3]> = (0..6)
                    .map(|_| std::array::from_fn(|_| f64::from((random.below(1 << 24) as f32 / (1 << 24) as f32) as $type)))
                    .collect();
                let spatial = if input[0] == 1 { 2 } else { 3 };
                let samples = |plane: usize| planes[plane];
                let shape = PoolShape::fractional(
                    [2, 3, input[0], input[1], input[2]],
                    spatial,
                    kernel,
                    outputs.map(|size: usize| size as i64),
                    &samples,
                    $round,
                )
                .unwrap();
                for draw in [Draw::Rounded, Draw::Special] {
                    let array = random.array::<$type>([2, 3, input[0], input[1], input[2]], draw);
                    let sample = |n: i64, c: i64, axis: usize| planes[(n * 3 + c) as usize][axis] as $type;
                    let expected = reference::fractional_max_pool(&array.map(Tested::exact), spatial, kernel, outputs, sample);
                    check_max(&format!("fractional max of {input:?}, {draw:?}"), &shape, &array, &expected);
                }
            }
        }
    };
}
fractional!(fractional_maxima_in_float32, f32, |value| f64::from(value as f32));
fractional!(fractional_maxima_in_float64, f64, |value| value);

#[test]
fn fractional_sizes_are_refused() {
    let of = |kernel: [i64; 3], output: [i64; 3]| {
        PoolShape::fractional([1, 1, 1, 5, 5], 2, kernel, output, &|_| [0.5; 3], |value| value)
    };
    assert!(of([1, 3, 3], [1, 3, 3]).is_ok());
    for (kernel, output) in [([1, 6, 3], [1, 1, 1]), ([1, 3, 3], [1, 4, 3]), ([1, 0, 3], [1, 3, 3]), ([1, 3, 3], [1, 3, -1])] {
        assert!(of(kernel, output).is_err(), "{kernel:?} {output:?}");
    }
}

every_dtype!(power_means, floats);
fn power_means<E: Tested<Exact = f64> + Element<Sum: PowerSum>>() {
    for norm in [1.0, 2.0, 3.0, 0.5, 1.5, 4.0] {
        for windows in [
            Windows { kernel: [1, 2, 3], stride: [1, 2, 3], ceil: true, ..SLIDING },
            Windows { kernel: [2, 3, 2], stride: [1, 1, 2], ..SLIDING },
        ] {
            let input = [2, 2, 3, 7, 19];
            let shape = sliding(input, &windows).unwrap();
            let drawn = Random(24).array::<E>(input, Draw::Rounded);
            // A power of a negative number may be none, and sums of both signs have no small relative error.
            let array = Array { shape: input, data: drawn.data.iter().copied().filter(|value| value.exact() > 0.0).collect() };
            let positive = |index: usize| array.data[index % array.data.len()];
            let mut next = 0;
            let array = Array::from_fn(input, |_| {
                next += 1;
                positive(next)
            });
            let expected = reference::lp_pool(&array.map(E::exact), &windows, norm).unwrap();
            let taps: i64 = windows.kernel.iter().product();
            // A power is taken to be good to two units in the last place; the last one multiplies relative errors by 1 / norm.
            let roundings = ((taps + 12) as f64 * (1.0 / norm).max(1.0)) as usize + 4;
            for isa in instruction_sets() {
                let output = computed(isa, &shape, Power { norm, taps: Some(taps) }, &array);
                let slack = |index: usize| 2.0 * gamma(roundings, E::ROUNDOFF) * expected.data[index];
                assert_within(&format!("power mean {norm} of {windows:?} on {isa:?}"), &output, &expected, slack);
            }
        }
    }
}

every_dtype!(extreme_norms, floats);
fn extreme_norms<E: Tested<Exact = f64> + Element<Sum: PowerSum>>() {
    let input = [2, 2, 3, 7, 19];
    let windows = Windows { kernel: [1, 2, 3], stride: [1, 2, 3], ceil: true, ..SLIDING };
    let array = Random(25).array::<E>(input, Draw::Rounded);
    for sign in [1.0, -1.0] {
        let signed = array.map(|value| sign * value.size());
        let expected = reference::max_pool(&signed, &windows, 0.0).unwrap().0.map(f64::abs);
        for isa in instruction_sets() {
            let output = computed(isa, &sliding(input, &windows).unwrap(), Extreme { sign }, &array);
            assert_within(&format!("extreme {sign} on {isa:?}"), &output, &expected, |_| 0.0);
        }
    }
}

#[test]
fn a_converted_input_is_its_copy() {
    for (input, windows) in [
        ([2, 3, 1, 9, 40], Windows { kernel: [1, 3, 20], stride: [1, 2, 3], padding: [0, 1, 5], ..SLIDING }),
        ([2, 3, 1, 7, 7], Windows { kernel: [1, 7, 7], ..SLIDING }),
        ([1, 1, 1, 2, 5000], Windows { kernel: [1, 2, 4500], stride: [1, 1, 90], ..SLIDING }),
    ] {
        let shape = sliding(input, &windows).unwrap();
        let array = Random(28).array::<i8>(input, Draw::Rounded);
        let fill = |place: [usize; 5], step: usize, run: &mut [f32]| {
            let start = place.iter().zip(input).fold(0, |flat, (at, size)| flat * size + at);
            run.iter_mut().zip(array.data[start..].iter().step_by(step)).for_each(|(to, &from)| *to = f32::from(from));
        };
        for isa in instruction_sets() {
            let average = Average { count_include_pad: true, divisor: None };
            let mut output = Array::filled(shape.output_shape(), 0f32);
            run_converted(isa, &shape, average, &fill, &mut view_mut(&mut output)).unwrap();
            assert_eq!(output, computed(isa, &shape, average, &array.map(f32::from)), "{windows:?} on {isa:?}");
        }
    }
}

every_dtype!(unpooled, all);
fn unpooled<E: Tested>() {
    let mut random = Random(26);
    let outputs = [2, 5, 9];
    let input = random.array::<E>([2, 3, 2, 3, 4], Draw::Rounded);
    let indices = Array::from_fn(input.shape, |_| random.below(90) as i64);
    let expected = reference::max_unpool(&input.map(E::exact), &indices, outputs).unwrap();
    let mut output = random.array::<E>([2, 3, 2, 5, 9], Draw::Rounded);
    unpool(&view(&input), &view(&indices), Places { sizes: outputs, of_array: false }, &mut view_mut(&mut output)).unwrap();
    assert_within("unpool", &output, &expected, |_| 0.0);
    for wrong in [-1, 90, 1 << 62, i64::MIN, i64::MAX] {
        let mut indices = indices.clone();
        indices.data[17] = wrong;
        assert!(reference::max_unpool(&input.map(E::exact), &indices, outputs).is_none());
        let error =
            unpool(&view(&input), &view(&indices), Places { sizes: outputs, of_array: false }, &mut view_mut(&mut output))
                .unwrap_err()
                .to_string();
        assert!(error.contains("indices") && error.contains(&wrong.to_string()), "{error}");
    }
}

every_dtype!(blocks, all);
fn blocks<E: Tested>() {
    let mut random = Random(27);
    for (image, kernel, dilation, padding, stride) in [
        ([5, 6], [2, 3], [1, 1], [0, 0], [1, 1]),
        ([5, 6], [3, 2], [2, 3], [1, 2], [2, 3]),
        ([1, 1], [4, 2], [1, 1], [3, 2], [1, 2]),
        ([2, 9000], [1, 3], [1, 2], [0, 4], [1, 2]),
        ([3, 40], [1, 1], [1, 1], [0, 7], [3, 5]),
    ] {
        let params = UnfoldParams { kernel, dilation, padding, stride };
        let shape = UnfoldShape::new(2, 3, image, &params).unwrap();
        let plane = |[y, x]: [i64; 2], first: i64| [first, y, x];
        let windows = Windows {
            kernel: plane(kernel, 1),
            stride: plane(stride, 1),
            padding: plane(padding, 0),
            dilation: plane(dilation, 1),
            ceil: false,
        };
        let input = random.array::<E>([2, 3, 1, image[0], image[1]], Draw::Exact);
        let expected = reference::unfold(&input.map(E::exact), &windows).unwrap();
        let mut columns = Array::filled([2, shape.columns(), 1, 1, shape.block_count()], E::default());
        unfold(&shape, &view(&input), &mut view_mut(&mut columns)).unwrap();
        let as_table = Array { shape: expected.shape, data: columns.data.clone() };
        assert_within(&format!("unfold {params:?}"), &as_table, &expected, |_| 0.0);

        let columns = random.array::<E>(columns.shape, Draw::Exact);
        let as_table = Array { shape: expected.shape, data: columns.data.clone() };
        let expected = reference::fold(&as_table.map(E::exact), 3, [1, image[0], image[1]], &windows).unwrap();
        let mut folded = Array::filled(input.shape, E::default());
        fold(&shape, &view(&columns), &mut view_mut(&mut folded)).unwrap();
        assert_within(&format!("fold {params:?}"), &folded, &expected, |_| 0.0);
    }
}
