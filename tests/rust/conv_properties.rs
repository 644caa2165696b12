//! Convolutions drawn from the whole parameter space: right where the oracle computes, refused where it refuses.

use convrs::array::{Bool, Complex32, bf16, f16};
use convrs::reference::{Conv, Filled, Transposed, same_padding};
use convrs::shape::{ConvParams, ConvShape, Padding, PaddingMode};
use convrs::simd::Lanes;
use proptest::prelude::*;

use crate::common::conv::check;
use crate::common::{Case, Draw, Kind, PLAIN, TRANSPOSED, Tested};

fn three<T: std::fmt::Debug>(strategy: impl Strategy<Value = T> + Clone) -> impl Strategy<Value = [T; 3]> {
    [strategy.clone(), strategy.clone(), strategy]
}

/// Sizes of an axis: mostly small, sometimes beyond the vectors; the axes in front are often missing.
fn sizes(wide: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 3]> {
    let front = prop_oneof![2 => Just(1), 1 => 1usize..6];
    (front, 1usize..9, prop_oneof![1 => 1usize..9, 1 => wide]).prop_map(|(z, y, x)| [z, y, x])
}

/// Sometimes a number that is refused everywhere.
fn mostly(legal: std::ops::Range<i64>, illegal: i64) -> impl Strategy<Value = i64> + Clone {
    prop_oneof![40 => legal, 1 => Just(illegal)]
}

fn filled() -> impl Strategy<Value = Filled> {
    prop_oneof![3 => Just(Filled::Zeros), 1 => Just(Filled::Reflect), 1 => Just(Filled::Replicate), 1 => Just(Filled::Circular)]
}

/// Channels of input and weight that fit each other, or by one not.
fn channels() -> impl Strategy<Value = (i64, usize, usize, usize)> {
    let group_outputs = prop_oneof![3 => 1usize..6, 1 => 6usize..40];
    let wrong = prop_oneof![30 => Just(0usize), 1 => Just(1)];
    (mostly(1..4, 0), 0usize..4, group_outputs, wrong.clone(), wrong).prop_map(
        |(groups, group_inputs, group_outputs, extra_in, extra_out)| {
            let count = groups.max(1) as usize;
            (groups, group_inputs * count + extra_in, group_inputs, group_outputs * count + extra_out)
        },
    )
}

fn plain() -> impl Strategy<Value = Case> {
    let arguments = (three(mostly(1..5, 0)), three(mostly(0..5, -1)), three(mostly(0..5, -1)), three(mostly(1..4, 0)), filled());
    (0usize..3, channels(), sizes(9..70), sizes(5..20), arguments, any::<bool>()).prop_map(
        |(batch, (groups, inputs, group_inputs, outputs), input, kernel, (stride, before, after, dilation, filled), bias)| Case {
            input: [batch, inputs, input[0], input[1], input[2]],
            weight: [outputs, group_inputs, kernel[0], kernel[1], kernel[2]],
            bias,
            kind: Kind::Plain(Conv { stride, before, after, dilation, groups, filled }),
        },
    )
}

fn transposed() -> impl Strategy<Value = Case> {
    let arguments = (three(mostly(1..5, 0)), three(mostly(0..4, -1)), three(mostly(0..2, -1)), three(mostly(1..4, 0)));
    (0usize..3, channels(), sizes(9..40), sizes(5..9), arguments, any::<bool>()).prop_map(
        |(batch, (groups, inputs, group_inputs, outputs), input, kernel, (stride, padding, output_padding, dilation), bias)| {
            // The weight of a transposed convolution is (in, out / groups, …); `wrong` channels stay wrong.
            let first = if inputs % groups.max(1) as usize == 0 { inputs } else { group_inputs * groups.max(1) as usize };
            let group_outputs = outputs / groups.max(1) as usize;
            Case {
                input: [batch, inputs, input[0], input[1], input[2]],
                weight: [first, group_outputs, kernel[0], kernel[1], kernel[2]],
                bias,
                kind: Kind::Transposed(Transposed { stride, padding, output_padding, dilation, groups }),
            }
        },
    )
}

/// Right where the oracle computes, refused where it refuses.
fn agrees<E: Tested<Accumulator: Lanes>>(case: &Case) {
    let arrays = case.draw::<E>(1, Draw::Exact);
    let expected = case.reference(&arrays.input.map(E::exact), &arrays.weight.map(E::exact), None);
    match case.shape() {
        Ok(shape) => {
            let expected = expected.unwrap_or_else(|| panic!("{case:?} was not refused"));
            assert_eq!(shape.output_shape(), expected.shape);
            check::<E>(case);
        }
        Err(error) => assert!(expected.is_none(), "{case:?} was refused: {error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plain_in_float32(case in plain()) {
        agrees::<f32>(&case);
    }

    #[test]
    fn plain_in_int32(case in plain()) {
        agrees::<i32>(&case);
    }

    #[test]
    fn transposed_in_float32(case in transposed()) {
        agrees::<f32>(&case);
    }

    #[test]
    fn transposed_in_int16(case in transposed()) {
        agrees::<i16>(&case);
    }

    #[test]
    fn same_is_the_least_padding_that_keeps_the_size(
        input in three(1usize..30), kernel in three(1usize..9), stride in three(1i64..7), dilation in three(1i64..5)
    ) {
        let params = ConvParams { spatial: 3, stride, padding: Padding::Same, dilation, groups: 1, mode: PaddingMode::Zeros };
        let shape = ConvShape::new([1, 1, input[0], input[1], input[2]], [1, 1, kernel[0], kernel[1], kernel[2]], &params).unwrap();
        let pairs = std::array::from_fn(|axis| same_padding(input[axis] as i64, kernel[axis] as i64, stride[axis], dilation[axis]));
        let explicit = ConvParams { padding: Padding::Explicit(pairs), ..params };
        let explicit = ConvShape::new([1, 1, input[0], input[1], input[2]], [1, 1, kernel[0], kernel[1], kernel[2]], &explicit).unwrap();
        prop_assert_eq!(&shape, &explicit);
        for axis in 0..3 {
            prop_assert_eq!(shape.output[axis], input[axis].div_ceil(stride[axis] as usize));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plain_in_the_other_kinds(case in plain()) {
        agrees::<f16>(&case);
        agrees::<bf16>(&case);
        agrees::<f64>(&case);
        agrees::<i8>(&case);
        agrees::<Bool>(&case);
        agrees::<Complex32>(&case);
    }

    #[test]
    fn transposed_in_the_other_kinds(case in transposed()) {
        agrees::<f16>(&case);
        agrees::<f64>(&case);
        agrees::<i64>(&case);
        agrees::<Complex32>(&case);
    }
}

/// Sizes near the end of the address space are computed or refused, never wrapped around.
#[test]
fn huge_arguments_are_refused() {
    let huge = [i64::MAX, i64::MAX / 2, 1 << 62, 1 << 40];
    for value in huge {
        for (padding, dilation) in [(value, 1), (0, value)] {
            let conv = Conv { before: [0, 0, padding], after: [0, 0, padding], dilation: [1, 1, dilation], ..PLAIN };
            assert!(Case::plain([1, 1, 1, 1, 5], [1 << 20, 1, 1, 1, 3], conv).shape().is_err(), "{padding} {dilation}");
        }
        let conv = Transposed { stride: [1, 1, value], dilation: [1, 1, value], ..TRANSPOSED };
        assert!(Case::transposed([1, 1, 1, 1, 1 << 20], [1, 1, 1, 1, 1 << 20], conv).shape().is_err(), "{value}");
    }
}
