//! Convolutions at the sizes where a kernel changes: around every vector, register tile, cache tile and chunk.

use std::collections::BTreeSet;

use convrs::array::Element;
use convrs::conv::Algorithm;
use convrs::reference::{Array, Conv, Transposed};
use convrs::simd::Lanes;

use crate::common::conv::{algorithms, check, computed, planned};
use crate::common::{Case, Draw, PLAIN, TRANSPOSED, Tested, instruction_sets, lanes_and_pixels};
use crate::every_dtype;

/// Bytes of the staged input that the plan keeps a tile below; kernels and dilations beyond it are cut into chunks.
const PATCH_BYTES: usize = 384 << 10;

fn patch_elements<E: Element>() -> usize {
    PATCH_BYTES / size_of::<E::Accumulator>()
}

/// Output channels around the vectors of every instruction set.
fn channel_edges<E: Element<Accumulator: Lanes>>() -> BTreeSet<usize> {
    let mut edges = BTreeSet::from([1, 2, 3, 4, 5]);
    for isa in instruction_sets() {
        let (lanes, _) = lanes_and_pixels::<E>(isa);
        edges.extend([lanes - 1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes, 2 * lanes + 1, 4 * lanes + 1]);
    }
    edges
}

/// Widths around the register tiles of every instruction set: pixels of a direct tile, one to fifteen vectors of pixels.
fn width_edges<E: Element<Accumulator: Lanes>>() -> BTreeSet<usize> {
    let mut edges = BTreeSet::from([1, 2, 3]);
    for isa in instruction_sets() {
        let (lanes, pixels) = lanes_and_pixels::<E>(isa);
        edges.extend([lanes - 1, lanes, lanes + 1, 2 * lanes + 1, 3 * lanes, 7 * lanes + 1, 15 * lanes - 1]);
        edges.extend([pixels - 1, pixels, pixels + 1, 2 * pixels - 1, 2 * pixels + 1, 3 * pixels + 1]);
    }
    edges
}

fn three_taps(channels: usize, width: usize) -> Case {
    let padded = Conv { before: [0, 0, 1], after: [0, 0, 1], ..PLAIN };
    Case::plain([1, 2, 1, 2, width], [channels, 2, 1, 2, 3], padded)
}

/// The same sizes with output channels in the vectors, or pixels by the way of patches: never by rows.
fn transposed_taps(channels: usize, width: usize) -> Case {
    Case::transposed([1, 2, 1, 2, width], [2, channels, 1, 2, 3], TRANSPOSED)
}

every_dtype!(channels_around_vectors);
fn channels_around_vectors<E: Tested<Accumulator: Lanes>>() {
    for channels in channel_edges::<E>() {
        for width in [1, 7, 23] {
            check::<E>(&three_taps(channels, width));
            check::<E>(&transposed_taps(channels, width));
        }
    }
}

every_dtype!(widths_around_register_tiles);
fn widths_around_register_tiles<E: Tested<Accumulator: Lanes>>() {
    for width in width_edges::<E>() {
        for channels in [1, 3, 4, 6, 19, 33] {
            check::<E>(&three_taps(channels, width));
            check::<E>(&transposed_taps(channels, width));
        }
    }
}

every_dtype!(strides_and_dilations_around_vectors);
fn strides_and_dilations_around_vectors<E: Tested<Accumulator: Lanes>>() {
    for (stride, dilation) in [(2, 1), (3, 1), (5, 1), (1, 3), (2, 2), (3, 2), (40, 1), (7, 9)] {
        for outputs in [1, 2, 15, 16, 17, 33] {
            for channels in [1, 2, 18] {
                let width = (outputs - 1) * stride + 2 * dilation + 1;
                let conv = Conv {
                    stride: [1, 2, stride as i64],
                    dilation: [1, 2, dilation as i64],
                    before: [0, 1, 1],
                    after: [0, 0, 2],
                    ..PLAIN
                };
                check::<E>(&Case::plain([1, 2, 1, 5, width], [channels, 2, 1, 2, 3], conv));
            }
        }
    }
}

every_dtype!(pixels_around_tiles);
fn pixels_around_tiles<E: Tested<Accumulator: Lanes>>() {
    let widths = [95, 96, 97, 193, 255, 256, 257, 513].map(|width| [1, 1, width]);
    let direct = [[1, 5, 19], [1, 8, 12], [1, 97, 1], [2, 7, 7], [3, 4, 8], [97, 1, 1], [1, 16, 16], [1, 17, 16], [257, 1, 1]];
    for output in widths.into_iter().chain(direct) {
        check::<E>(&same_size(20, output));
    }
    let depthwise = [
        [1, 1, 1023],
        [1, 1, 1025],
        [1, 33, 31],
        [1, 1, 4095],
        [1, 1, 4096],
        [1, 1, 4097],
        [1, 63, 65],
        [1, 64, 64],
        [1, 17, 241],
        [16, 16, 16],
        [4097, 1, 1],
    ];
    for output in depthwise {
        check::<E>(&same_size(1, output));
    }
}

/// A convolution whose input is as large as its output, with two taps along every axis that has more than one element.
fn same_size(channels: usize, output: [usize; 3]) -> Case {
    let kernel = output.map(|size| size.min(2));
    let before = kernel.map(|taps| taps as i64 - 1);
    Case::plain([1, 1, output[0], output[1], output[2]], [channels, 1, kernel[0], kernel[1], kernel[2]], Conv { before, ..PLAIN })
}

every_dtype!(more_channels_than_a_chunk);
fn more_channels_than_a_chunk<E: Tested<Accumulator: Lanes>>() {
    for (channels, width) in [(20, 5), (1, 18), (3, 17), (33, 2)] {
        check::<E>(&Case::plain([1, 10_000, 1, 1, width], [channels, 10_000, 1, 1, 1], PLAIN));
    }
    // Fewer channels, but so many taps each that the packed weights do not fit.
    check::<E>(&Case::plain([1, 40, 1, 33, 34], [33, 40, 1, 32, 33], PLAIN));
}

every_dtype!(kernels_longer_than_the_patch);
fn kernels_longer_than_the_patch<E: Tested<Accumulator: Lanes>>() {
    let long = patch_elements::<E>() * 6 / 5;
    let half = (long as f64).sqrt() as usize + 1;
    let third = (long as f64).cbrt() as usize + 1;
    for channels in [1, 6] {
        check::<E>(&Case::plain([1, 1, 1, 1, long], [channels, 1, 1, 1, long - 1], PLAIN));
        check::<E>(&Case::plain([1, 1, 1, half, half], [channels, 1, 1, half, half - 1], PLAIN));
        check::<E>(&Case::plain([1, 1, third, third, third], [channels, 1, third, third, third], PLAIN));
    }
}

every_dtype!(dilations_longer_than_the_patch);
fn dilations_longer_than_the_patch<E: Tested<Accumulator: Lanes>>() {
    let far = patch_elements::<E>() / 2 + 1;
    let conv = Conv { dilation: [1, 1, far as i64], before: [0, 0, 3], ..PLAIN };
    for channels in [1, 6] {
        check::<E>(&Case::plain([1, 1, 1, 1, 4 * far + 8], [channels, 1, 1, 1, 5], conv.clone()));
        let rows = Conv { dilation: [1, far as i64 / 16, 3], stride: [1, 1, 2], ..PLAIN };
        check::<E>(&Case::plain([1, 2, 1, far / 4 + 2, 16], [channels, 2, 1, 5, 3], rows));
    }
}

every_dtype!(transposed_around_vectors);
fn transposed_around_vectors<E: Tested<Accumulator: Lanes>>() {
    for (stride, dilation, padding) in [(1, 1, 0), (2, 1, 1), (3, 2, 2), (4, 6, 0), (2, 2, 1)] {
        for (channels, width) in [(1, 1), (1, 17), (2, 40), (5, 3), (17, 12), (33, 9)] {
            let extra = stride.max(dilation) - 1;
            let conv = Transposed {
                stride: [1, 2, stride],
                dilation: [1, 1, dilation],
                padding: [0, 1, padding],
                output_padding: [0, 1, extra],
                ..TRANSPOSED
            };
            check::<E>(&Case::transposed([1, 3, 1, 3, width], [3, channels, 1, 3, 4], conv));
        }
    }
}

every_dtype!(transposed_chunks);
fn transposed_chunks<E: Tested<Accumulator: Lanes>>() {
    let conv = Transposed { stride: [1, 1, 2], padding: [0, 0, 1], ..TRANSPOSED };
    for channels in [1, 20] {
        check::<E>(&Case::transposed([1, 10_000, 1, 1, 2], [10_000, channels, 1, 1, 2], conv.clone()));
    }
    let long = patch_elements::<E>() * 6 / 5;
    let padding = (long - 2) as i64 / 2;
    let cropped = Transposed { padding: [0, 0, padding], ..TRANSPOSED };
    check::<E>(&Case::transposed([1, 1, 1, 1, long], [1, 2, 1, 1, 3], cropped));
    // Outputs that every tap reaches; most taps see nothing but the zeros outside the input.
    let many_taps = Transposed { padding: [0, 0, padding], ..TRANSPOSED };
    check::<E>(&Case::transposed([1, 1, 1, 1, 5], [1, 2, 1, 1, long], many_taps));
}

/// Kernels that reach so far into the padding that whole regions of the output read but a part of their taps.
fn reaching_into_the_padding() -> Vec<Case> {
    let around = |padding: [i64; 3], dilation: [i64; 3]| Conv { before: padding, after: padding, dilation, ..PLAIN };
    vec![
        Case::plain([1, 3, 1, 33, 33], [33, 3, 1, 3, 3], around([0, 12, 12], [1, 12, 12])),
        Case::plain([2, 3, 1, 13, 20], [40, 3, 1, 3, 3], around([0, 18, 18], [1, 18, 18])),
        Case::plain([1, 2, 1, 9, 26], [17, 2, 1, 3, 5], around([0, 6, 12], [1, 6, 6])),
        Case::plain([1, 2, 7, 7, 9], [20, 2, 3, 3, 3], around([1, 1, 1], [1, 1, 1])),
        Case::plain([1, 2, 9, 8, 21], [20, 2, 3, 2, 3], around([4, 3, 7], [4, 3, 7])),
        Case::plain([1, 100, 1, 7, 7], [33, 100, 1, 3, 3], around([0, 1, 1], [1, 1, 1])),
        Case::plain([1, 2, 1, 30, 31], [18, 2, 1, 3, 3], Conv { stride: [1, 2, 3], ..around([0, 8, 20], [1, 8, 10]) }),
        Case::plain([3, 4, 1, 1, 50], [40, 2, 1, 1, 3], Conv { groups: 2, before: [0, 0, 40], ..around([0, 0, 3], [1, 1, 20]) }),
        Case::plain([1, 1, 1, 40, 40], [20, 1, 1, 30, 33], around([0, 29, 32], [1, 1, 1])),
        Case::transposed([1, 3, 1, 8, 17], [3, 33, 1, 4, 8], Transposed { stride: [1, 2, 2], padding: [0, 1, 0], ..TRANSPOSED }),
        // Images that share a tile.
        Case::plain([5, 3, 1, 6, 7], [20, 3, 1, 3, 1], around([0, 1, 0], [1, 1, 1])),
        Case::plain([2, 3, 1, 6, 19], [20, 3, 1, 3, 3], around([0, 1, 6], [1, 1, 6])),
        Case::transposed([5, 3, 1, 2, 2], [3, 20, 1, 4, 4], Transposed { stride: [1, 2, 2], padding: [0, 1, 1], ..TRANSPOSED }),
    ]
}

every_dtype!(taps_in_the_padding);
fn taps_in_the_padding<E: Tested<Accumulator: Lanes>>() {
    for case in reaching_into_the_padding() {
        check::<E>(&case);
    }
}

/// Zero times infinity is NaN in the padding of a convolution; a transposed one has no padding.
#[test]
fn infinite_weights_meet_the_padding() {
    let kind = |value: f64| (value.is_nan(), value.is_infinite() && value > 0.0, value.is_infinite() && value < 0.0);
    for case in reaching_into_the_padding() {
        let shape = case.shape().unwrap();
        let mut arrays = case.draw::<f32>(9, Draw::Exact);
        arrays.bias = None;
        arrays.weight.data[0] = f32::INFINITY;
        *arrays.weight.data.last_mut().unwrap() = f32::NAN;
        let wide = |array: &Array<f32>| array.map(f64::from);
        let expected = case.reference(&wide(&arrays.input), &wide(&arrays.weight), None).unwrap();
        for isa in instruction_sets() {
            for output in [computed(isa, &shape, &arrays.operands()), planned(isa, &case, &shape, &arrays)] {
                for (index, (&actual, &expected)) in output.data.iter().zip(&expected.data).enumerate() {
                    assert_eq!(kind(actual.into()), kind(expected), "{case:?} on {isa:?}, element {index}");
                }
            }
        }
    }
}

/// The sizes above are worth something only as long as they reach every kernel.
#[test]
fn the_sizes_reach_every_algorithm() {
    for isa in instruction_sets() {
        let (lanes, _) = lanes_and_pixels::<f32>(isa);
        let of = |case: Case| algorithms::<f32>(isa, &case.shape().unwrap())[0];
        assert_eq!(of(three_taps(lanes, 1)), Algorithm::Direct);
        assert_eq!(of(transposed_taps(2 * lanes + 1, 23)), Algorithm::Direct);
        for channels in 1..=4 {
            assert_eq!(of(three_taps(channels, 3 * lanes)), Algorithm::Rows);
            assert_eq!(of(transposed_taps(channels, 3 * lanes)), Algorithm::Depthwise);
        }
    }
}
