//! Same image, same bits, for pools: batch, threads and layout do not change a result.

use convrs::array::Ordered;
use convrs::parallel::set_num_threads;
use convrs::pool::{Average, Max, run, run_with_indices};
use convrs::reference::{Array, Windows};

use crate::common::pool::{SLIDING, computed, computed_indices, sliding};
use crate::common::{Draw, Laid, Random, Tested, instruction_sets, threads_lock};
use crate::every_dtype;

const AVERAGE: Average = Average { count_include_pad: true, divisor: None };

fn cases() -> Vec<([usize; 5], Windows)> {
    vec![
        ([4, 3, 1, 40, 67], Windows { kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1], ..SLIDING }),
        ([4, 3, 3, 9, 33], Windows { kernel: [2, 4, 5], padding: [1, 2, 0], ceil: true, ..SLIDING }),
        ([4, 1, 1, 2, 2500], Windows { kernel: [1, 2, 2200], stride: [1, 1, 7], ..SLIDING }),
        ([4, 9, 1, 7, 7], Windows { kernel: [1, 7, 7], ..SLIDING }),
        ([4, 3, 2, 9, 70], Windows { kernel: [2, 9, 70], ..SLIDING }),
        ([4, 2, 1, 3, 90], Windows { kernel: [1, 2, 40], stride: [1, 1, 2], ..SLIDING }),
        ([4, 1, 1, 150, 5], Windows { kernel: [1, 130, 3], ..SLIDING }),
    ]
}

fn bits<E: Tested>(array: &Array<E>) -> Vec<u128> {
    array.data.iter().map(|value| value.bits()).collect()
}

every_dtype!(batch, all);
fn batch<E: Tested>() {
    for (input, windows) in cases() {
        let array = Random(31).array::<E>(input, Draw::Rounded);
        let mut single = input;
        single[0] = 1;
        for isa in instruction_sets() {
            let together = computed(isa, &sliding(input, &windows).unwrap(), AVERAGE, &array);
            let (from, to) = (array.data.len() / 4, together.data.len() / 4);
            for image in 0..4 {
                let alone = Array { shape: single, data: array.data[image * from..][..from].to_vec() };
                let alone = computed(isa, &sliding(single, &windows).unwrap(), AVERAGE, &alone);
                assert_eq!(bits(&alone), bits(&together)[image * to..][..to], "{input:?} {windows:?} on {isa:?}");
            }
        }
    }
}

every_dtype!(threads, floats);
fn threads<E: Tested>() {
    let _lock = threads_lock();
    for (mut input, windows) in cases() {
        input[0] = 40;
        let array = Random(32).array::<E>(input, Draw::Rounded);
        for isa in instruction_sets() {
            let with = |threads| {
                set_num_threads(threads).unwrap();
                bits(&computed(isa, &sliding(input, &windows).unwrap(), AVERAGE, &array))
            };
            let one = with(1);
            assert!([2, 3, 7].into_iter().all(|threads| with(threads) == one), "{input:?} {windows:?} on {isa:?}");
        }
    }
}

every_dtype!(mean_layout, all);
fn mean_layout<E: Tested>() {
    let mut random = Random(33);
    let between = E::draw(&mut random, Draw::Rounded);
    for (input, windows) in cases() {
        let shape = sliding(input, &windows).unwrap();
        let array = random.array::<E>(input, Draw::Rounded);
        for isa in instruction_sets() {
            let contiguous = bits(&computed(isa, &shape, AVERAGE, &array));
            for _ in 0..3 {
                let laid = Laid::copy(&mut random, &array, between);
                let mut output = Laid::random(&mut random, shape.output_shape(), between);
                run(isa, &shape, AVERAGE, &laid.view(), &mut output.view_mut()).unwrap();
                assert_eq!(bits(&output.read(between)), contiguous, "{input:?} {windows:?} on {isa:?}");
            }
        }
    }
}

every_dtype!(maximum_layout, ordered);
fn maximum_layout<E: Tested + Ordered>() {
    let mut random = Random(34);
    let between = E::draw(&mut random, Draw::Rounded);
    for (input, windows) in cases() {
        let shape = sliding(input, &windows).unwrap();
        let array = random.array::<E>(input, Draw::Rounded);
        for isa in instruction_sets() {
            let contiguous = bits(&computed(isa, &shape, Max, &array));
            let laid = Laid::copy(&mut random, &array, between);
            let mut output = Laid::random(&mut random, shape.output_shape(), between);
            run(isa, &shape, Max, &laid.view(), &mut output.view_mut()).unwrap();
            assert_eq!(bits(&output.read(between)), contiguous, "{input:?} {windows:?} on {isa:?}");
            let mut output = Laid::random(&mut random, shape.output_shape(), between);
            let mut indices = Laid::random(&mut random, shape.output_shape(), -7);
            run_with_indices(isa, &shape, &laid.view(), &mut output.view_mut(), &mut indices.view_mut()).unwrap();
            assert_eq!(bits(&output.read(between)), contiguous, "{input:?} {windows:?} on {isa:?}");
            let (_, expected) = computed_indices(isa, &shape, &array);
            assert_eq!(indices.read(-7), expected, "{input:?} {windows:?} on {isa:?}");
        }
    }
}
