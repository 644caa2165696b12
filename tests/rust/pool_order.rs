//! The order of summation, written down a second time: every way through the pools gives its bits. And what it is for: long
//! sums are as good as short ones.

use convrs::array::{Complex32, Sum, bf16};
use convrs::pool::{Average, Max};
use convrs::reference::{Array, Windows};
use convrs::shape::PoolShape;

use crate::common::pool::{SLIDING, computed, sliding};
use crate::common::{Draw, Random, Tested, instruction_sets};

const SUM: Average = Average { count_include_pad: false, divisor: Some(1) };

fn serial<S: Sum>(values: impl IntoIterator<Item = S>) -> S {
    values.into_iter().reduce(S::plus).expect("a value")
}

/// In runs of 64, whose sums are summed up in runs of 64, and so on.
fn in_runs<S: Sum>(values: Vec<S>) -> S {
    if values.len() <= 64 {
        return serial(values);
    }
    in_runs(values.chunks(64).map(|run| serial(run.iter().copied())).collect())
}

/// Rows of a window, summed up as the kernels are to do it.
fn summed<S: Sum>(rows: &[Vec<S>]) -> S {
    let column = |x: usize| in_runs(rows.iter().map(|row| row[x]).collect());
    let columns: Vec<S> = (0..rows[0].len()).map(column).collect();
    let block =
        |columns: &[S]| serial((0..columns.len().min(16)).map(|first| serial(columns[first..].iter().step_by(16).copied())));
    in_runs(columns.chunks(2048).map(block).collect())
}

fn check<E: Tested>(input: [usize; 5], windows: &Windows) {
    let shape = sliding(input, windows).unwrap();
    let array = Random(41).array::<E>(input, Draw::Rounded);
    let [.., depth, height, width] = shape.output_shape();
    for isa in instruction_sets() {
        let actual = computed(isa, &shape, SUM, &array);
        for (place, value) in actual.data.iter().enumerate() {
            let at = [place / width / height % depth, place / width % height, place % width];
            let plane = place / width / height / depth;
            let taps = |axis: usize| {
                let first = at[axis] as i64 * windows.stride[axis] - windows.padding[axis];
                (first..first + windows.kernel[axis]).filter(move |tap| (0..input[2 + axis] as i64).contains(tap))
            };
            let element = |z: i64, y: i64, x: i64| {
                let row = (plane * input[2] + z as usize) * input[3] + y as usize;
                array.data[row * input[4] + x as usize].to_sum()
            };
            let rows: Vec<Vec<E::Sum>> = taps(0)
                .flat_map(|z| taps(1).map(move |y| (z, y)))
                .map(|(z, y)| taps(2).map(|x| element(z, y, x)).collect())
                .collect();
            let expected = E::from_sum(E::Sum::default().plus(summed(&rows)));
            assert_eq!(value.bits(), expected.bits(), "{input:?} {windows:?}, element {place} on {isa:?}");
        }
    }
}

fn windows(kernel: [i64; 3], stride: i64) -> Windows {
    Windows { kernel, stride: [1, 1, stride], ..SLIDING }
}

fn check_widths<E: Tested>() {
    for kernel in [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 64, 100] {
        // One window a plane, side by side; windows that share their columns, few and many, near and far.
        check::<E>([2, 5, 1, 3, kernel as usize], &windows([1, 3, kernel], 1));
        for (more, stride) in [(3, 1), (40, 1), (41, 2), (95, 4), (60, 7)] {
            check::<E>([1, 2, 1, 2, kernel as usize + more], &windows([1, 2, kernel], stride));
        }
        let padded = Windows { padding: [0, 0, kernel / 2], ..windows([1, 1, kernel], 1) };
        check::<E>([1, 2, 1, 1, kernel as usize + 20], &padded);
    }
}

#[test]
fn widths_of_float32() {
    check_widths::<f32>();
}

#[test]
fn widths_of_other_kinds() {
    check_widths::<f64>();
    check_widths::<bf16>();
    check_widths::<Complex32>();
}

#[test]
fn heights_around_runs() {
    for rows in [63, 64, 65, 66, 67, 127, 128, 129, 4096, 4097, 4161] {
        check::<f32>([1, 2, 1, rows, 3], &windows([1, rows as i64, 3], 1));
        check::<f32>([1, 1, 1, rows + 1, 20], &windows([1, rows as i64, 3], 2));
        check::<f32>([1, 1, 2, rows / 2 + 1, 4], &windows([2, (rows / 2) as i64, 2], 1));
    }
}

#[test]
fn lengths_around_blocks() {
    for columns in [2047, 2048, 2049, 4096, 4097, 64 * 2048 - 1, 65 * 2048 + 17] {
        check::<f32>([1, 2, 1, 1, columns], &windows([1, 1, columns as i64], 1));
        check::<f32>([1, 1, 1, 2, columns + 2], &windows([1, 2, columns as i64], 2));
    }
    check::<f32>([1, 1, 1, 70, 3000], &windows([1, 70, 2900], 50));
}

fn mean(shape: [usize; 5], value: f32) -> Vec<f32> {
    let whole = PoolShape::adaptive(shape, 3, [Some(1); 3], false).unwrap();
    let array = Array::filled(shape, value);
    instruction_sets()
        .map(|isa| computed(isa, &whole, Average { count_include_pad: false, divisor: None }, &array).data[0])
        .collect()
}

#[test]
fn the_error_of_a_mean_does_not_grow_with_its_length() {
    for shape in [[1, 1, 1, 1, 1 << 25], [1, 1, 1, 1 << 25, 1], [1, 1, 1 << 25, 1, 1], [1, 1, 1, 1 << 12, 1 << 13]] {
        for mean in mean(shape, 1.0) {
            assert_eq!(mean, 1.0, "{shape:?}");
        }
        for mean in mean(shape, 0.1) {
            assert!((mean - 0.1).abs() < 2e-7, "{shape:?}: {mean}");
        }
    }
}

#[test]
fn maxima_of_wide_windows_that_leave_columns_out() {
    let input = [1, 2, 1, 3, 6000];
    let array = Random(42).array::<f32>(input, Draw::Rounded);
    for (kernel, dilation) in [(40, 3), (500, 5), (2100, 2), (3, 2500)] {
        let windows = Windows { kernel: [1, 2, kernel], dilation: [1, 1, dilation], stride: [1, 1, 61], ..SLIDING };
        let shape = sliding(input, &windows).unwrap();
        let width = shape.output_shape()[4];
        for isa in instruction_sets() {
            for (place, &value) in computed(isa, &shape, Max, &array).data.iter().enumerate() {
                let (plane, y, x) = (place / width / 2, place / width % 2, place % width);
                let expected = (0..2 * kernel as usize).map(|tap| {
                    let column = x * 61 + tap / 2 * dilation as usize;
                    array.data[(plane * 3 + y + tap % 2) * 6000 + column]
                });
                assert_eq!(value, expected.reduce(f32::max).unwrap(), "{windows:?} on {isa:?}");
            }
        }
    }
}
