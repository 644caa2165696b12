//! Minima, maxima that no NaN wins, and the windows of every rule.

use convrs::array::Ordered;
use convrs::pool::{Extremum, fill_empty, rebase, run_extremum, run_extremum_with_indices};
use convrs::reference::{self, Array, Windows};
use convrs::shape::{IndexBase, Padding, PoolParams, PoolShape, Rule};

use crate::common::pool::{SLIDING, assert_within, sliding};
use crate::common::{Draw, Random, Tested, instruction_sets, view, view_mut};
use crate::every_dtype;

every_dtype!(other_extrema, ordered);
fn other_extrema<E: Tested<Exact: PartialOrd> + Ordered>() {
    let cases = [
        ([2, 2, 1, 9, 40], Windows { kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1], ..SLIDING }),
        ([1, 3, 4, 5, 17], Windows { kernel: [2, 2, 5], dilation: [2, 1, 2], padding: [1, 0, 2], ceil: true, ..SLIDING }),
        ([1, 1, 1, 1, 3], Windows { kernel: [1, 1, 2], padding: [0, 0, 1], dilation: [1, 1, 4], ..SLIDING }),
    ];
    for ((input, windows), smallest, ignores_nan) in
        cases.iter().flat_map(|case| [(case, true, false), (case, false, true), (case, true, true)])
    {
        let extremum = Extremum { smallest, ignores_nan };
        let shape = sliding(*input, windows).unwrap();
        let array = Random(31).array::<E>(*input, Draw::Special);
        let opposite = |element: E| if smallest { element.reversed() } else { element };
        let seen = array.map(|element| {
            let element = opposite(element);
            let key = element.key();
            let better = E::replaces(key, E::LEAST.key()) && !E::replaces(key, key);
            if ignores_nan && !better { E::LEAST } else { element }
        });
        let nothing = if ignores_nan { E::LEAST } else { E::from_key(E::LOWEST) }.exact();
        let (values, indices) = reference::max_pool(&seen.map(E::exact), windows, nothing).unwrap();
        for isa in instruction_sets() {
            let what = format!("{extremum:?} of {input:?} {windows:?} on {isa:?}");
            let mut output = Array::filled(shape.output_shape(), E::default());
            run_extremum(isa, &shape, extremum, &view(&array), &mut view_mut(&mut output)).unwrap();
            assert_within(&what, &output.map(opposite), &values, |_| 0.0);
            let mut found = Array::filled(shape.output_shape(), -7);
            let (input, mut places) = (view(&array), view_mut(&mut found));
            run_extremum_with_indices(isa, &shape, extremum, &input, &mut view_mut(&mut output), &mut places).unwrap();
            assert_within(&what, &output.map(opposite), &values, |_| 0.0);
            for (place, (index, expected)) in found.data.iter().zip(&indices.data).enumerate() {
                assert!(index == expected || *expected == -1, "{what}, index {place}: {index}, expected {expected}");
            }
        }
    }
}

/// What the rule says of one axis: outputs, padding before, and whether elements beyond the padding count.
fn described(rule: Rule, input: i64, kernel: i64, stride: i64, pair: (i64, i64), ceil: bool) -> (i64, i64, bool) {
    let (before, after) = match rule {
        Rule::TensorflowSame => {
            let both = ((input + stride - 1) / stride * stride - stride + kernel - input).max(0);
            (both / 2, both - both / 2)
        }
        _ => pair,
    };
    let ends_inside = |window: &i64| window * stride + kernel <= input + before + after;
    let whole = (0..).take_while(ends_inside).count() as i64;
    let left_over = whole * stride - stride + kernel < input + before + after;
    let all = whole + i64::from(ceil && left_over);
    let begins_inside = match rule {
        Rule::OnnxruntimeLegacy => true,
        Rule::CoreMl if pair == (0, 0) => true,
        _ => (all - 1) * stride < input + before,
    };
    let outputs = all - i64::from(ceil && !begins_inside);
    (outputs, before, matches!(rule, Rule::OnnxruntimeLegacy | Rule::CoreMl))
}

#[test]
fn windows_of_every_rule() {
    let mut seen = 0;
    for rule in Rule::ALL {
        for case in 0..4 * 3 * 4 * 3 * 3 * 2 {
            let [input, kernel, stride] = [1 + case % 4 * 2, 1 + case / 4 % 3, 1 + case / 12 % 4];
            let (pair, ceil) = ((case / 48 % 3, case / 144 % 3), case / 432 == 1);
            let pair = if rule == Rule::TensorflowSame || rule == Rule::TensorflowValid { (0, 0) } else { pair };
            let params = PoolParams {
                spatial: 1,
                kernel: [1, 1, kernel],
                stride: [1, 1, stride],
                padding: Padding::Explicit([(0, 0), (0, 0), pair]),
                dilation: [1; 3],
                ceil_mode: ceil,
                rule,
                kernel_within_input: false,
            };
            let Ok(shape) = PoolShape::sliding([1, 1, 1, 1, input as usize], &params) else { continue };
            let (outputs, before, overhang) = described(rule, input, kernel, stride, pair, ceil);
            assert_eq!(shape.output[2] as i64, outputs, "{params:?} of {input}");
            seen += 1;
            let windows = shape.windows(0)[2];
            for output in 0..outputs {
                let start = output * stride - before;
                let taps: Vec<i64> = (start..start + kernel).filter(|at| (0..input).contains(at)).collect();
                let window = windows.window(output as usize);
                let found: Vec<i64> = (0..window.taps).map(|tap| (window.first + tap * window.step) as i64).collect();
                assert_eq!(found, taps, "{params:?} of {input} at {output}");
                assert_eq!(windows.start(output as usize) as i64, start);
                let after = if rule == Rule::TensorflowSame { i64::MAX / 2 } else { pair.1 };
                let counted = (start..start + kernel).filter(|&at| overhang || at < input + after).count();
                if rule != Rule::TensorflowSame {
                    assert_eq!(window.extent, counted, "{params:?} of {input} at {output}");
                }
            }
        }
    }
    assert!(seen > 2000, "{seen}");
}

#[test]
fn empty_windows_and_other_indices() {
    let params = PoolParams {
        spatial: 1,
        kernel: [1; 3],
        stride: [1, 1, 4],
        padding: Padding::Valid,
        dilation: [1; 3],
        ceil_mode: true,
        rule: Rule::OnnxruntimeLegacy,
        kernel_within_input: false,
    };
    let shape = PoolShape::sliding([2, 3, 1, 1, 3], &params).unwrap();
    assert_eq!(shape.output_shape(), [2, 3, 1, 1, 2]);
    let mut values = Array::filled(shape.output_shape(), 1.0f32);
    fill_empty(&shape, &mut view_mut(&mut values), 7.0).unwrap();
    assert_eq!(values.data, [1.0, 7.0].repeat(6));
    for (base, expected) in [
        (IndexBase::Plane, vec![2, 2, 2, 2, 2, 2]),
        (IndexBase::Array, vec![2, 5, 8, 11, 14, 17]),
        (IndexBase::ChannelsLast, vec![6, 7, 8, 6, 7, 8]),
    ] {
        let mut indices = Array::filled(shape.output_shape(), 2i64);
        rebase(&shape, base, &mut view_mut(&mut indices)).unwrap();
        assert_eq!(indices.data.iter().step_by(2).copied().collect::<Vec<_>>(), expected);
    }
}
