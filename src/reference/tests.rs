//! The oracle against numbers worked out by hand or copied from torch's documentation.

use super::*;

fn row<N: Copy>(data: &[N]) -> Array<N> {
    Array { shape: [1, 1, 1, 1, data.len()], data: data.to_vec() }
}

fn counting(shape: [usize; 5], first: i128) -> Array<i128> {
    let mut next = first - 1;
    Array::from_fn(shape, |_| {
        next += 1;
        next
    })
}

fn along_width(kernel: i64, stride: i64, padding: i64, ceil: bool) -> Windows {
    Windows { kernel: [1, 1, kernel], stride: [1, 1, stride], padding: [0, 0, padding], dilation: [1; 3], ceil }
}

fn square(kernel: i64, stride: i64, padding: i64, ceil: bool) -> Windows {
    let both = |size| [1, size, size];
    Windows { kernel: both(kernel), stride: both(stride), padding: [0, padding, padding], dilation: [1; 3], ceil }
}

const PLAIN: Conv = Conv { stride: [1; 3], before: [0; 3], after: [0; 3], dilation: [1; 3], groups: 1, filled: Filled::Zeros };

#[test]
fn convolution_slides_the_kernel() {
    let output = conv(&counting([1, 1, 1, 1, 5], 1), &row(&[1, 10, 100]), Some(&[1000]), &PLAIN).unwrap();
    assert_eq!(output, row(&[1321, 1432, 1543]));
    let stepped = Conv { stride: [1, 1, 2], dilation: [1, 1, 2], before: [0, 0, 1], ..PLAIN };
    let output = conv(&counting([1, 1, 1, 1, 6], 1), &row(&[1, 10]), None, &stepped).unwrap();
    assert_eq!(output, row(&[20, 42, 64]));
}

#[test]
fn every_padding_mode_continues_the_input_as_torch_pads_it() {
    for (filled, expected) in [
        (Filled::Zeros, [0, 0, 1, 2, 3, 0, 0]),
        (Filled::Reflect, [3, 2, 1, 2, 3, 2, 1]),
        (Filled::Replicate, [1, 1, 1, 2, 3, 3, 3]),
        (Filled::Circular, [2, 3, 1, 2, 3, 1, 2]),
    ] {
        let padded = Conv { before: [0, 0, 2], after: [0, 0, 2], filled, ..PLAIN };
        assert_eq!(conv(&row(&[1, 2, 3]), &row(&[1]), None, &padded), Some(row(&expected)), "{filled:?}");
    }
}

#[test]
fn groups_see_their_own_channels() {
    let input = Array { shape: [1, 4, 1, 1, 1], data: vec![1, 2, 3, 4] };
    let weight = Array { shape: [4, 2, 1, 1, 1], data: vec![1, 0, 0, 1, 10, 0, 0, 10] };
    let output = conv(&input, &weight, None, &Conv { groups: 2, ..PLAIN }).unwrap();
    assert_eq!(output.data, [1, 2, 30, 40]);
    assert_eq!(conv(&input, &weight, None, &PLAIN), None);
}

#[test]
fn same_padding_puts_the_odd_element_after() {
    assert_eq!(same_padding(5, 4, 1, 1), (1, 2));
    assert_eq!(same_padding(5, 3, 2, 1), (1, 1));
    assert_eq!(same_padding(6, 3, 2, 1), (0, 1));
    assert_eq!(same_padding(6, 1, 4, 1), (0, 0));
}

#[test]
fn transposed_convolution_scatters() {
    let plain = Transposed { stride: [1, 1, 2], padding: [0; 3], output_padding: [0; 3], dilation: [1; 3], groups: 1 };
    let output = conv_transposed(&row(&[1, 2, 3]), &row(&[1, 10, 100]), None, &plain).unwrap();
    assert_eq!(output, row(&[1, 10, 102, 20, 203, 30, 300]));
    let cropped = Transposed { padding: [0, 0, 1], output_padding: [0, 0, 1], ..plain };
    let output = conv_transposed(&row(&[1, 2, 3]), &row(&[1, 10, 100]), None, &cropped).unwrap();
    assert_eq!(output, row(&[10, 102, 20, 203, 30, 300]));
}

#[test]
fn average_divisors_are_torchs() {
    let image = counting([1, 1, 1, 4, 4], 1).map(|value| value as f64);
    let mean = avg_pool(&image, &square(3, 2, 1, true), true, None).unwrap();
    let rounded: Vec<f64> = mean.data.iter().map(|value| (value * 1e4).round() / 1e4).collect();
    assert_eq!(rounded, [1.5556, 3.3333, 2.0, 6.3333, 11.0, 6.0, 4.5, 7.5, 4.0]);
    let mean = avg_pool(&row(&[1.0, 2.0, 3.0, 4.0, 5.0]), &along_width(2, 2, 0, true), true, None).unwrap();
    assert_eq!(mean.data, [1.5, 3.5, 5.0]);
    let image = counting([1, 1, 1, 7, 7], 0).map(|value| value as f64);
    let mean = avg_pool(&image, &square(2, 3, 0, true), true, None).unwrap();
    assert_eq!(mean.data, [4.0, 7.0, 9.5, 25.0, 28.0, 30.5, 42.5, 45.5, 48.0]);
    assert_eq!(avg_pool(&row(&[1, 2, -8]), &along_width(3, 1, 0, false), true, None).unwrap().data, [-1]);
    assert_eq!(avg_pool(&row(&[1, 2, 6]), &along_width(3, 1, 0, false), true, Some(2)).unwrap().data, [4]);
    assert_eq!(avg_pool(&row(&[6, 2]), &along_width(2, 2, 1, false), false, None).unwrap().data, [6, 2]);
}

#[test]
fn maxima_keep_the_first_of_equals_and_the_last_nan() {
    let (values, index) = max_pool(&row(&[1.0, 3.0, 3.0, 2.0]), &along_width(4, 1, 0, false), 0.0).unwrap();
    assert_eq!((values.data[0], index.data[0]), (3.0, 1));
    let (values, index) = max_pool(&row(&[f64::NAN, 3.0, f64::NAN, 9.0]), &along_width(4, 1, 0, false), 0.0).unwrap();
    assert!(values.data[0].is_nan());
    assert_eq!(index.data[0], 2);
    let (values, index) = max_pool(&counting([1, 1, 1, 4, 5], 0), &square(2, 2, 0, false), 0).unwrap();
    assert_eq!((values.data, index.data), (vec![6, 8, 16, 18], vec![6, 8, 16, 18]));
}

#[test]
fn pool_sizes_are_refused_as_torch_does() {
    assert!(max_pool(&row(&[1, 2, 3]), &along_width(4, 1, 0, false), 0).is_none());
    assert!(max_pool(&row(&[1, 2, 3]), &along_width(2, 1, 2, false), 0).is_none());
    // One element short of the kernel, a stride of two: ceil mode still finds a window.
    assert!(max_pool(&row(&[1, 2, 3]), &along_width(4, 2, 0, true), 0).is_some());
    assert!(max_pool(&row(&[1, 2, 3]), &along_width(5, 2, 0, true), 0).is_none());
}

#[test]
fn lp_pool_is_torchs_formula() {
    let norm = lp_pool(&row(&[3.0, 4.0, 12.0]), &along_width(2, 2, 0, true), 2.0).unwrap();
    assert_eq!(norm.data, [5.0, (144.0f64 * 2.0).sqrt()]);
}

#[test]
fn adaptive_windows_overlap_where_sizes_do_not_divide() {
    let mean = adaptive_avg_pool(&row(&[0.0, 1.0, 2.0, 3.0, 4.0]), [1, 1, 3]).unwrap();
    assert_eq!(mean.data, [0.5, 2.0, 3.5]);
    let (values, index) = adaptive_max_pool(&row(&[5, 1, 2, 3, 4]), [1, 1, 2]).unwrap();
    assert_eq!((values.data, index.data), (vec![5, 4], vec![0, 4]));
    let (values, _) = adaptive_max_pool(&row(&[5, 1]), [1, 1, 4]).unwrap();
    assert_eq!(values.data, [5, 5, 1, 1]);
}

#[test]
fn fractional_windows_start_where_the_sample_says() {
    assert_eq!(fractional_starts(10, 2, 4, 0.5), [0, 3, 5, 8]);
    assert_eq!(fractional_starts(10, 3, 1, 0.9), [7]);
    let input = row(&[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0]);
    let (values, index) = fractional_max_pool(&input, 1, [1, 1, 2], [1, 1, 4], |_, _, _| 0.5);
    assert_eq!((values.data, index.data), (vec![3.0, 5.0, 9.0, 5.0], vec![0, 4, 5, 8]));
}

#[test]
fn unpooling_puts_values_back() {
    let pooled = row(&[7, 9]);
    assert_eq!(max_unpool(&pooled, &row(&[1, 3]), [1, 1, 4]), Some(row(&[0, 7, 0, 9])));
    assert_eq!(max_unpool(&pooled, &row(&[1, 4]), [1, 1, 4]), None);
    assert_eq!(max_unpool(&pooled, &row(&[2, 2]), [1, 1, 4]), Some(row(&[0, 0, 9, 0])));
}

#[test]
fn fold_adds_what_unfold_copied() {
    let image = counting([1, 2, 1, 3, 3], 1);
    let windows = square(2, 1, 0, false);
    let columns = unfold(&image, &windows).unwrap();
    assert_eq!(columns.shape, [1, 1, 1, 8, 4]);
    assert_eq!(columns.data[..12], [1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8]);
    let folded = fold(&columns, 2, [1, 3, 3], &windows).unwrap();
    assert_eq!(folded.data[..9], [1, 4, 3, 8, 20, 12, 7, 16, 9]);
    assert_eq!(fold(&columns, 2, [1, 3, 4], &windows), None);
}
