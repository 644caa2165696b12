//! The order of summation, written down a second time: every way through the pools gives its bits. And what it is for: long
//! sums are as good as short ones.

use convrs::array::{Complex32, Sum, bf16, f16};
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

/// Rows of a window that shares nothing with others, summed up as the kernels are to do it.
fn summed<S: Sum>(rows: &[Vec<S>]) -> S {
    let column = |x: usize| in_runs(rows.iter().map(|row| row[x]).collect());
    let columns: Vec<S> = (0..rows[0].len()).map(column).collect();
    let block =
        |columns: &[S]| serial((0..columns.len().min(16)).map(|first| serial(columns[first..].iter().step_by(16).copied())));
    in_runs(columns.chunks(2048).map(block).collect())
}

/// In quarters that neighbouring windows share.
fn in_quarters<S: Sum>(values: &[S]) -> S {
    if values.len() <= 8 {
        return serial(values.iter().copied());
    }
    let quarter = values.len() / 4;
    let quarters = |first: usize| serial((0..4).map(|number| values[first + number * quarter]));
    let quarters: Vec<S> = (0..quarter).map(quarters).collect();
    serial([in_quarters(&quarters)].into_iter().chain(values[4 * quarter..].iter().copied()))
}

/// A sliding window: of planes of rows, nothing where there is padding.
fn slid<S: Sum>(planes: &[Vec<Vec<S>>]) -> S {
    let rows = planes[0].len();
    let column = |x: usize| {
        if planes.len() * rows <= 9 {
            return serial(planes.iter().flatten().map(|row| row[x]));
        }
        let rows: Vec<S> = (0..rows).map(|y| serial(planes.iter().map(|plane| plane[y][x]))).collect();
        in_quarters(&rows)
    };
    in_quarters(&(0..planes[0][0].len()).map(column).collect::<Vec<S>>())
}

/// Whether windows share enough.
fn slides(windows: &Windows, outputs: [usize; 3]) -> bool {
    let [depth, height, width] = windows.kernel;
    let rows = if depth * height > 9 { height } else { 1 };
    outputs != [1; 3] && depth <= 9 && windows.stride[2] <= 64 && height.max(width) <= 8192 && rows * width <= 16384
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
                first..first + windows.kernel[axis]
            };
            let inside = |axis: usize| taps(axis).filter(move |tap| (0..input[2 + axis] as i64).contains(tap));
            let element = |position: [i64; 3]| {
                if (0..3).any(|axis| !(0..input[2 + axis] as i64).contains(&position[axis])) {
                    return E::Sum::default();
                }
                let [z, y, x] = position.map(|place| place as usize);
                array.data[((plane * input[2] + z) * input[3] + y) * input[4] + x].to_sum()
            };
            let sum = if slides(windows, [depth, height, width]) {
                let row = |z: i64, y: i64| taps(2).map(|x| element([z, y, x])).collect();
                let planes: Vec<Vec<Vec<E::Sum>>> = taps(0).map(|z| taps(1).map(|y| row(z, y)).collect()).collect();
                slid(&planes)
            } else {
                let row = |z: i64, y: i64| inside(2).map(|x| element([z, y, x])).collect();
                let rows: Vec<Vec<E::Sum>> =
                    inside(0).flat_map(|z| inside(1).map(move |y| (z, y))).map(|(z, y)| row(z, y)).collect();
                summed(&rows)
            };
            let expected = E::from_sum(E::Sum::default().plus(sum));
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
        // Rows in place, all of them or every other one.
        for height in [1, 2] {
            check::<E>([1, 2, 1, 9, kernel as usize + 20], &Windows { stride: [1, height, 1], ..windows([1, 1, kernel], 1) });
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
fn windows_of_shared_quarters() {
    for kernel in [1, 4, 8, 9, 10, 11, 12, 31, 35, 36, 37, 129, 130] {
        for (rows, stride) in [(1, 1), (kernel, 1), (kernel, 3)] {
            let padded = Windows { padding: [0, rows / 2, kernel / 2], ..windows([1, rows, kernel], stride) };
            check::<f32>([1, 1, 1, 21, 37], &padded);
        }
    }
    for kernel in [[2, 2, 2], [3, 3, 3], [2, 5, 5], [5, 2, 3], [9, 9, 2]] {
        check::<f32>([1, 1, 10, 11, 12], &Windows { padding: kernel.map(|taps| taps / 2), ..windows(kernel, 2) });
    }
    check::<f32>([1, 1, 1, 2, 600], &windows([1, 2, 100], 64));
    check::<f32>([1, 1, 1, 2, 600], &windows([1, 2, 100], 65));
}

#[test]
fn tall_windows_within_scratch_memory() {
    let tall = Windows { kernel: [1, 1000, 1], stride: [1, 700, 1], ..SLIDING };
    check::<f64>([1, 1, 1, 3100, 100], &tall);
    check::<Complex32>([1, 1, 1, 3100, 100], &tall);
}

#[test]
fn rows_that_are_widened_once() {
    for (rows, stride) in [(2, 1), (3, 2), (8, 3), (9, 1)] {
        for width in [1, 2] {
            let windows = Windows { kernel: [1, rows, 3], stride: [1, stride, width], padding: [0, rows / 2, 1], ..SLIDING };
            check::<bf16>([1, 2, 1, 19, 37], &windows);
            check::<f16>([1, 2, 1, 19, 37], &windows);
        }
    }
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
fn the_error_of_a_sliding_mean_does_not_grow_with_its_window() {
    for (input, kernel) in
        [([1, 1, 1, 1, 9000], [1, 1, 8191]), ([1, 1, 1, 9000, 2], [1, 8191, 2]), ([1, 1, 1, 140, 140], [1, 127, 127])]
    {
        let shape = sliding(input, &windows(kernel, 1)).unwrap();
        let array = Array::filled(input, 0.1f32);
        for isa in instruction_sets() {
            for mean in computed(isa, &shape, Average { count_include_pad: true, divisor: None }, &array).data {
                assert!((mean - 0.1).abs() < 2e-7, "{input:?} {kernel:?} on {isa:?}: {mean}");
            }
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
