//! Same image, same bits: nothing but the image's own problem decides the bits of its result.

use convrs::array::View;
use convrs::conv::{Algorithm, Operands, run};
use convrs::parallel::set_num_threads;
use convrs::reference::{Array, Conv, Transposed};
use convrs::simd::Lanes;

use crate::common::conv::{Arrays, algorithms, computed};
use crate::common::{Case, Draw, Laid, PLAIN, Random, TRANSPOSED, Tested, instruction_sets, threads_lock};
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
    let cases = [33, 3].map(|width| Case::plain([1, 5, 1, 6, width], [70, 5, 1, 3, 3], conv.clone()));
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
    for kind in [Algorithm::Depthwise, Algorithm::Direct] {
        assert!(seen.contains(&kind), "{kind:?} was not compared");
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
