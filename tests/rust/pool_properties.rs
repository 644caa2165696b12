//! Pools drawn from the whole parameter space: right where the oracle computes, refused where it refuses.

use convrs::array::{Bool, bf16, f16};
use convrs::reference::{self, Array, Windows};
use convrs::shape::{UnfoldParams, UnfoldShape};
use proptest::prelude::*;

use crate::common::pool::{check_sliding_max, check_sliding_mean, sliding};

fn axis() -> impl Strategy<Value = (usize, i64, i64, i64, i64)> {
    let size = prop_oneof![3 => 1usize..12, 1 => 12usize..80];
    let kernel = prop_oneof![60 => 1i64..7, 10 => 7i64..14, 1 => Just(0)];
    let stride = prop_oneof![60 => 1i64..7, 1 => Just(0)];
    let padding = prop_oneof![30 => 0i64..3, 10 => 3i64..7, 1 => Just(-1)];
    (size, kernel, stride, padding, prop_oneof![60 => 1i64..4, 1 => Just(0)])
}

fn thin_axis() -> impl Strategy<Value = (usize, i64, i64, i64, i64)> {
    prop_oneof![2 => Just((1, 1, 1, 0, 1)), 1 => axis().prop_map(|(size, kernel, ..)| (size.min(6), kernel, 1, 0, 1))]
}

fn pool() -> impl Strategy<Value = ([usize; 5], Windows)> {
    (0usize..3, 1usize..4, thin_axis(), axis(), axis(), any::<bool>()).prop_map(
        |(batch, channels, depth, height, width, ceil)| {
            let axes = [depth, height, width];
            let windows = Windows {
                kernel: axes.map(|axis| axis.1),
                stride: axes.map(|axis| axis.2),
                padding: axes.map(|axis| axis.3),
                dilation: axes.map(|axis| axis.4),
                ceil,
            };
            ([batch, channels, depth.0, height.0, width.0], windows)
        },
    )
}

/// Whether both take the windows, after making sure that they agree about it and about the size.
fn taken(input: [usize; 5], windows: &Windows) -> bool {
    let expected = reference::max_pool(&Array::filled(input, 0i128), windows, 0);
    match (sliding(input, windows), expected) {
        (Ok(shape), Some((expected, _))) => {
            assert_eq!(shape.output_shape(), expected.shape, "{input:?} {windows:?}");
            true
        }
        (Err(_), None) => false,
        (Ok(_), None) => panic!("{input:?} {windows:?} was not refused"),
        (Err(error), Some(_)) => panic!("{input:?} {windows:?} was refused: {error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn maxima((input, windows) in pool()) {
        if taken(input, &windows) {
            check_sliding_max::<f32>(input, &windows);
            check_sliding_max::<i8>(input, &windows);
        }
    }

    #[test]
    fn maxima_of_other_kinds((input, windows) in pool()) {
        if taken(input, &windows) {
            check_sliding_max::<f64>(input, &windows);
            check_sliding_max::<f16>(input, &windows);
            check_sliding_max::<bf16>(input, &windows);
            check_sliding_max::<u64>(input, &windows);
            check_sliding_max::<Bool>(input, &windows);
        }
    }

    #[test]
    fn means((input, mut windows) in pool()) {
        windows.dilation = [1; 3];
        if taken(input, &windows) {
            check_sliding_mean::<f32>(input, &windows);
            check_sliding_mean::<i32>(input, &windows);
            check_sliding_mean::<f16>(input, &windows);
        }
    }

    #[test]
    fn block_counts(image in [1usize..12, 1usize..12], kernel in [0i64..6, 1i64..6], padding in [-1i64..4, 0i64..4],
                    dilation in [1i64..4, 0i64..4], stride in [1i64..4, 0i64..4]) {
        let front = |[y, x]: [i64; 2], first| [first, y, x];
        let windows = Windows {
            kernel: front(kernel, 1), stride: front(stride, 1), padding: front(padding, 0), dilation: front(dilation, 1), ceil: false,
        };
        let expected = reference::unfold(&Array::filled([1, 2, 1, image[0], image[1]], 0i128), &windows);
        let shape = UnfoldShape::new(1, 2, image, &UnfoldParams { kernel, dilation, padding, stride });
        match (shape, expected) {
            (Ok(shape), Some(expected)) => prop_assert_eq!([shape.columns(), shape.block_count()], [expected.shape[3], expected.shape[4]]),
            (shape, expected) => prop_assert!(shape.is_err() && expected.is_none()),
        }
    }
}
