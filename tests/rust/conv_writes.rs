//! Where outputs go: phases side by side in a line, images that share a tile, channels that are neighbours.

use convrs::array::{Activation, ViewMut};
use convrs::conv::{Choice, Layer};
use convrs::reference::{Array, Conv, Transposed};
use convrs::simd::Lanes;

use crate::common::conv::{check, computed};
use crate::common::{Case, Draw, PLAIN, Random, TRANSPOSED, Tested, instruction_sets, view, view_mut};
use crate::every_dtype;

fn upsampling(
    batch: usize,
    channels: usize,
    input: [usize; 2],
    kernel: [usize; 2],
    stride: i64,
    padding: i64,
    extra: i64,
) -> Case {
    let conv = Transposed { stride: [1, 2, stride], padding: [0, 0, padding], output_padding: [0, 0, extra], ..TRANSPOSED };
    Case::transposed([batch, 3, 1, input[0], input[1]], [3, channels, 1, kernel[0], kernel[1]], conv)
}

every_dtype!(phases_side_by_side);
/// Strides that are written together and those that are not, phases with one output more than others, lines cut by a piece.
fn phases_side_by_side<E: Tested<Accumulator: Lanes>>() {
    for stride in [2, 3, 5, 8, 16, 17] {
        for (width, padding, extra) in [(1, 0, 0), (4, 1, 1), (7, 0, 1), (90, 1, 0)] {
            check::<E>(&upsampling(1, 19, [2, width], [3, stride + 1], stride as i64, padding, extra));
        }
        // Fewer taps than phases leave gaps.
        check::<E>(&upsampling(2, 35, [2, 6], [1, stride - 1], stride as i64, 0, 1));
    }
}

every_dtype!(images_in_one_tile);
fn images_in_one_tile<E: Tested<Accumulator: Lanes>>() {
    let padded = Conv { before: [0, 1, 1], after: [0, 1, 1], ..PLAIN };
    for batch in [2, 7, 61, 250] {
        check::<E>(&Case::plain([batch, 5, 1, 1, 1], [37, 5, 1, 1, 1], PLAIN));
        check::<E>(&Case::plain([batch, 4, 1, 2, 2], [18, 4, 1, 3, 3], padded.clone()));
    }
    check::<E>(&Case::plain([9, 4, 2, 7, 5], [20, 2, 1, 3, 3], Conv { groups: 2, ..padded.clone() }));
    check::<E>(&Case::plain([3, 4000, 1, 3, 3], [20, 4000, 1, 1, 1], PLAIN));
    check::<E>(&upsampling(13, 20, [2, 2], [4, 4], 2, 1, 0));
}

every_dtype!(one_tap_of_few_channels);
/// Runs of pixels that end within a vector, runs shorter than one, rows of an image that are no neighbours, taps in the padding.
fn one_tap_of_few_channels<E: Tested<Accumulator: Lanes>>() {
    let padded = Conv { before: [0, 1, 0], after: [0, 0, 2], ..PLAIN };
    for [height, width] in [[1, 67], [3, 41], [7, 7], [2, 3], [9, 16]] {
        check::<E>(&Case::plain([3, 20, 1, height, width], [41, 20, 1, 1, 1], PLAIN));
        check::<E>(&Case::plain([1, 20, 2, height, width], [41, 20, 1, 1, 1], Conv { stride: [1, 2, 1], ..PLAIN }));
        check::<E>(&Case::plain([1, 60, 1, height, width], [34, 60, 1, 1, 1], padded.clone()));
    }
    check::<E>(&Case::plain([2, 34, 1, 5, 9], [78, 17, 1, 1, 1], Conv { groups: 2, ..PLAIN }));
}

every_dtype!(inputs_of_one_element);
/// Their passes are not those of larger inputs, which the same layer may see before or after.
fn inputs_of_one_element<E: Tested<Accumulator: Lanes>>() {
    for (kernel, stride, padding, extra) in [(4, 1, 0, 0), (4, 2, 1, 1), (1, 3, 0, 2), (3, 1, 1, 0), (2, 5, 0, 4)] {
        let single = upsampling(3, 20, [1, 1], [3, kernel], stride, padding, extra);
        check::<E>(&single);
        check::<E>(&upsampling(3, 1, [1, 1], [3, kernel], stride, padding, extra));
        let larger = Case { input: [2, 3, 1, 4, 5], ..single.clone() };
        let arrays = [single.draw::<E>(1, Draw::Rounded), larger.draw::<E>(1, Draw::Rounded)];
        for isa in instruction_sets() {
            let weight = view(&arrays[0].weight);
            let layer = Layer::new(isa, single.layer_kind(), Choice::Direct, &weight, None, Activation::Identity).unwrap();
            for (case, arrays) in [&larger, &single, &larger].into_iter().zip([&arrays[1], &arrays[0], &arrays[1]]) {
                let shape = case.shape().unwrap();
                let mut operands = arrays.operands();
                (operands.weight, operands.bias) = (weight, None);
                let mut output = Array::filled(shape.output_shape(), E::default());
                layer.run(&shape, &operands.input, None, &mut view_mut(&mut output)).unwrap();
                let expected = computed(isa, &shape, &operands);
                let same = output.data.iter().zip(&expected.data).all(|(a, b)| a.bits() == b.bits());
                assert!(same, "{case:?} on {isa:?}");
            }
        }
    }
}

every_dtype!(residual_and_channels_last, floats);
/// The residual finds its outputs in every order, and channels that are neighbours give the bits of those that are not.
fn residual_and_channels_last<E: Tested<Accumulator: Lanes>>() {
    let cases = [
        Case::plain([5, 6, 1, 3, 3], [37, 6, 1, 1, 1], PLAIN),
        Case::plain([3, 6, 1, 1, 1], [20, 6, 1, 1, 1], PLAIN),
        Case::plain([2, 40, 1, 5, 13], [37, 40, 1, 1, 1], PLAIN),
        upsampling(2, 37, [3, 40], [2, 2], 2, 0, 0),
        upsampling(2, 20, [3, 9], [2, 4], 3, 1, 1),
    ];
    for case in cases {
        let (shape, arrays) = (case.shape().unwrap(), case.draw::<E>(2, Draw::Rounded));
        let residual = Random(3).array::<E>(shape.output_shape(), Draw::Rounded);
        let operands = arrays.operands();
        for isa in instruction_sets() {
            let sums = computed(isa, &shape, &operands);
            let kind = case.layer_kind();
            let layer =
                Layer::new(isa, kind, Choice::Direct, &operands.weight, operands.bias.as_ref(), Activation::Identity).unwrap();
            let mut output = Array::filled(shape.output_shape(), E::default());
            layer.run(&shape, &operands.input, Some(view(&residual)), &mut view_mut(&mut output)).unwrap();
            if E::IN_PLACE {
                for ((sum, residual), value) in sums.data.iter().zip(&residual.data).zip(&output.data) {
                    let expected = E::narrow(convrs::array::Accumulator::plus(sum.widen(), residual.widen()));
                    assert_eq!(value.bits(), expected.bits(), "{case:?} on {isa:?}");
                }
            }
            let [batch, channels, _, height, width] = shape.output_shape();
            let strides = [channels * height * width, 1, channels * height * width, channels * width, channels];
            let mut last = vec![E::default(); output.data.len()];
            // SAFETY: these are the strides of (batch, height, width, channels), of which the vector has room for all.
            let mut target =
                unsafe { ViewMut::from_raw(last.as_mut_ptr(), shape.output_shape(), strides.map(|stride| stride as isize)) };
            layer.run(&shape, &operands.input, Some(view(&residual)), &mut target).unwrap();
            for index in 0..last.len() {
                let (pixel, channel) = (index / channels, index % channels);
                let (image, pixel) = (pixel / (height * width), pixel % (height * width));
                let value = output.data[(image * channels + channel) * height * width + pixel];
                assert_eq!(last[index].bits(), value.bits(), "{case:?} on {isa:?}: {batch} images, element {index}");
            }
        }
    }
}
