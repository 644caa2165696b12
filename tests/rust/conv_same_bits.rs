//! Same image, same bits: nothing but the image's own problem decides the bits of its result.

use convrs::array::{Activation, View};
use convrs::conv::{Algorithm, Choice, Layer, Operands, run};
use convrs::parallel::set_num_threads;
use convrs::reference::{Array, Conv, Filled, Transposed};
use convrs::shape::ConvShape;
use convrs::simd::Lanes;

use crate::common::conv::{Arrays, algorithms, computed, planned};
use crate::common::{Case, Draw, Laid, PLAIN, Random, TRANSPOSED, Tested, instruction_sets, threads_lock, view};
use crate::every_dtype;

/// Convolutions of four images each that together reach every kernel.
fn cases() -> Vec<Case> {
    let padded = Conv { before: [0, 1, 1], after: [0, 1, 2], ..PLAIN };
    vec![
        Case::plain([4, 6, 1, 9, 37], [40, 6, 1, 3, 3], padded.clone()),
        Case::plain([4, 6, 1, 9, 37], [3, 6, 1, 3, 3], padded.clone()),
        Case::plain(
            [4, 6, 1, 14, 33],
            [40, 6, 1, 3, 3],
            Conv { dilation: [1, 6, 12], before: [0, 6, 12], after: [0, 6, 12], ..PLAIN },
        ),
        Case::plain([4, 6, 1, 9, 37], [6, 1, 1, 3, 3], Conv { groups: 6, ..padded.clone() }),
        Case::plain([4, 6, 1, 9, 37], [6, 1, 1, 3, 3], Conv { groups: 6, stride: [1, 2, 2], ..padded.clone() }),
        Case::plain([4, 3, 2, 20, 9], [6, 1, 2, 7, 5], Conv { groups: 3, dilation: [1, 2, 3], before: [0, 2, 9], ..PLAIN }),
        Case::plain([4, 2, 1, 2, 600], [2, 1, 1, 1, 31], Conv { groups: 2, before: [0, 0, 30], ..PLAIN }),
        Case::plain([4, 4, 3, 7, 21], [10, 2, 2, 3, 3], Conv { groups: 2, stride: [1, 2, 3], dilation: [1, 2, 2], ..PLAIN }),
        Case::plain([4, 5000, 1, 1, 3], [6, 5000, 1, 1, 1], PLAIN),
        Case::transposed([4, 4, 1, 5, 9], [4, 5, 1, 3, 4], Transposed { stride: [1, 2, 3], padding: [0, 1, 1], ..TRANSPOSED }),
        // One column, and one pillar.
        Case::plain([4, 6, 1, 70, 1], [6, 1, 1, 5, 1], Conv { groups: 6, before: [0, 2, 0], after: [0, 2, 0], ..PLAIN }),
        Case::plain([4, 6, 50, 1, 1], [20, 6, 3, 1, 1], Conv { stride: [2, 1, 1], ..PLAIN }),
        // Images that share a tile, and passes whose outputs are written together.
        Case::plain([4, 7, 1, 1, 1], [40, 7, 1, 1, 1], PLAIN),
        Case::plain([4, 6, 1, 3, 2], [18, 6, 1, 3, 3], padded),
        Case::plain(
            [4, 6, 1, 3, 18],
            [40, 6, 1, 3, 3],
            Conv { dilation: [1, 1, 6], before: [0, 1, 6], after: [0, 1, 6], ..PLAIN },
        ),
        Case::transposed([4, 6, 1, 1, 1], [6, 20, 1, 4, 3], Transposed { padding: [0, 1, 0], ..TRANSPOSED }),
        Case::transposed([4, 4, 1, 5, 9], [4, 20, 1, 3, 4], Transposed { stride: [1, 2, 3], padding: [0, 1, 1], ..TRANSPOSED }),
    ]
}

fn bits<E: Tested>(array: &Array<E>) -> Vec<u128> {
    array.data.iter().map(|value| value.bits()).collect()
}

every_dtype!(batch);
fn batch<E: Tested<Accumulator: Lanes>>() {
    for case in cases() {
        let arrays = case.draw::<E>(3, Draw::Rounded);
        let mut single = case.clone();
        single.input[0] = 1;
        for isa in instruction_sets() {
            let together = computed(isa, &case.shape().unwrap(), &arrays.operands());
            let (input_size, output_size) = (arrays.input.data.len() / 4, together.data.len() / 4);
            for image in 0..4 {
                let data = arrays.input.data[image * input_size..][..input_size].to_vec();
                let alone = Arrays { input: Array { shape: single.input, data }, ..arrays.clone() };
                let alone = computed(isa, &single.shape().unwrap(), &alone.operands());
                assert_eq!(bits(&alone), bits(&together)[image * output_size..][..output_size], "{case:?} on {isa:?}");
            }
        }
    }
}

every_dtype!(threads);
fn threads<E: Tested<Accumulator: Lanes>>() {
    let _lock = threads_lock();
    for case in cases() {
        let arrays = case.draw::<E>(4, Draw::Rounded);
        for isa in instruction_sets() {
            let with = |threads| {
                set_num_threads(threads).unwrap();
                bits(&computed(isa, &case.shape().unwrap(), &arrays.operands()))
            };
            let one = with(1);
            assert!([2, 3, 7].into_iter().all(|threads| with(threads) == one), "{case:?} on {isa:?}");
        }
    }
}

every_dtype!(layout);
fn layout<E: Tested<Accumulator: Lanes>>() {
    let mut random = Random(5);
    let between = E::draw(&mut random, Draw::Rounded);
    for case in cases() {
        let shape = case.shape().unwrap();
        let arrays = case.draw::<E>(5, Draw::Rounded);
        let bias = arrays.bias.as_ref().unwrap();
        for isa in instruction_sets() {
            let contiguous = bits(&computed(isa, &shape, &arrays.operands()));
            for _ in 0..4 {
                let input = Laid::copy(&mut random, &arrays.input, between);
                let weight = Laid::copy(&mut random, &arrays.weight, between);
                let bias = Laid::copy(&mut random, bias, between);
                let operands = Operands { input: input.view(), weight: weight.view(), bias: Some(bias.view()) };
                let mut output = Laid::random(&mut random, shape.output_shape(), between);
                run(isa, &shape, &operands, &mut output.view_mut()).unwrap();
                assert_eq!(bits(&output.read(between)), contiguous, "{case:?} on {isa:?}");
            }
        }
    }
}

every_dtype!(repeated_elements);
fn repeated_elements<E: Tested<Accumulator: Lanes>>() {
    for case in cases() {
        let shape = case.shape().unwrap();
        let mut arrays = case.draw::<E>(6, Draw::Rounded);
        let first_row = arrays.input.data[..case.input[4]].to_vec();
        arrays.input = Array::from_fn(case.input, |[.., column]| first_row[column as usize]);
        // SAFETY: every index of the batch, channel, depth and height is the same row.
        let broadcast = unsafe { View::from_raw(first_row.as_ptr(), case.input, [0, 0, 0, 0, 1]) };
        for isa in instruction_sets() {
            let operands = Operands { input: broadcast, ..arrays.operands() };
            assert_eq!(
                bits(&computed(isa, &shape, &operands)),
                bits(&computed(isa, &shape, &arrays.operands())),
                "{case:?} on {isa:?}"
            );
        }
    }
}

every_dtype!(algorithm);
/// The first output channels do not depend on how many follow, although that decides the algorithm.
fn algorithm<E: Tested<Accumulator: Lanes>>() {
    let mut seen = Vec::new();
    let conv = Conv { before: [0, 1, 1], after: [0, 1, 1], dilation: [1, 1, 2], ..PLAIN };
    let mut cases = [33, 3].map(|width| Case::plain([1, 5, 1, 6, width], [70, 5, 1, 3, 3], conv.clone())).to_vec();
    cases.push(Case::plain([1, 3000, 1, 1, 33], [70, 3000, 1, 1, 1], PLAIN));
    for (isa, many) in instruction_sets().flat_map(|isa| cases.iter().map(move |case| (isa, case))) {
        let arrays = many.draw::<E>(8, Draw::Rounded);
        let all = bits(&computed(isa, &many.shape().unwrap(), &arrays.operands()));
        for channels in [1, 2, 3, 4, 8, 17, 40] {
            let mut few = many.clone();
            few.weight[0] = channels;
            let shape = few.shape().unwrap();
            let weight = Array { shape: few.weight, data: arrays.weight.data[..few.weight.iter().product()].to_vec() };
            let bias =
                arrays.bias.as_ref().map(|bias| Array { shape: [1, 1, 1, 1, channels], data: bias.data[..channels].to_vec() });
            let output = computed(isa, &shape, &Arrays { input: arrays.input.clone(), weight, bias }.operands());
            seen.extend(algorithms::<E>(isa, &shape));
            assert_eq!(bits(&output), all[..output.data.len()], "{few:?} on {isa:?}");
        }
    }
    for kind in [Algorithm::Depthwise, Algorithm::Direct, Algorithm::Rows] {
        assert!(seen.contains(&kind), "{kind:?} was not compared");
    }
}

/// Convolutions of one row, whose other axes are of one element.
fn rows() -> Vec<Case> {
    let conv = Conv { stride: [1, 1, 2], before: [0, 0, 3], after: [0, 0, 1], dilation: [1, 1, 2], ..PLAIN };
    let transposed = Transposed { stride: [1, 1, 3], padding: [0, 0, 1], output_padding: [0, 0, 2], ..TRANSPOSED };
    vec![
        Case::plain([2, 6, 1, 1, 90], [6, 1, 1, 1, 5], Conv { groups: 6, ..conv.clone() }),
        Case::plain([2, 1, 1, 1, 400], [2, 1, 1, 1, 31], Conv { filled: Filled::Circular, ..PLAIN }),
        Case::plain([2, 5, 1, 1, 90], [40, 5, 1, 1, 3], conv.clone()),
        Case::plain([2, 5, 1, 1, 90], [3, 5, 1, 1, 3], conv),
        Case::transposed([2, 4, 1, 1, 50], [4, 20, 1, 1, 5], transposed.clone()),
        Case::transposed([2, 4, 1, 1, 3], [4, 5, 1, 1, 9], transposed),
    ]
}

every_dtype!(long_axis);
/// A map of one column, or of one pillar, is computed as one row would be: by the same plan, to the same bits.
fn long_axis<E: Tested<Accumulator: Lanes>>() {
    for (case, axis) in rows().iter().flat_map(|case| [(case, 0), (case, 1)]) {
        let turned = case.with_width(axis);
        let (shape, turned_shape) = (case.shape().unwrap(), turned.shape().unwrap());
        let arrays = case.draw::<E>(9, Draw::Rounded);
        let again = turned.draw::<E>(9, Draw::Rounded);
        for isa in instruction_sets() {
            let expected = bits(&computed(isa, &shape, &arrays.operands()));
            assert_eq!(bits(&computed(isa, &turned_shape, &again.operands())), expected, "{turned:?} on {isa:?}");
            assert_eq!(bits(&planned(isa, &turned, &turned_shape, &again)), expected, "{turned:?} on {isa:?}");
            let summary = |case: &Case, shape: &ConvShape, weight: &Array<E>| {
                let layer = Layer::new(isa, case.layer_kind(), Choice::Direct, &view(weight), None, Activation::Identity);
                layer.unwrap().summary(shape)
            };
            let row = summary(case, &shape, &arrays.weight);
            let mut column = summary(&turned, &turned_shape, &again.weight);
            column.tile.swap(axis, 2);
            assert_eq!(format!("{column:?}"), format!("{row:?}"), "{turned:?} on {isa:?}");
        }
    }
}

#[test]
fn the_plan_knows_neither_batch_nor_threads() {
    for case in cases() {
        for isa in instruction_sets() {
            let of = |batch| {
                let mut case = case.clone();
                case.input[0] = batch;
                algorithms::<f32>(isa, &case.shape().unwrap())
            };
            assert!([2, 4, 1000].into_iter().all(|batch| of(batch) == of(1)), "{case:?} on {isa:?}");
        }
    }
}
