//! Few channels a group, around every edge of their kernels: rows and tap rows in registers, vectors, tiles, segments, channels.

use convrs::array::{Activation, Element, View, ViewMut};
use convrs::conv::{Algorithm, Choice, Layer, run};
use convrs::reference::{Array, Conv, Filled, Transposed};
use convrs::simd::Lanes;

use crate::common::conv::{algorithms, check, computed};
use crate::common::{Case, Draw, PLAIN, Random, TRANSPOSED, Tested, instruction_sets, lanes_and_pixels, view, view_mut};
use crate::every_dtype;

const MODES: [Filled; 4] = [Filled::Zeros, Filled::Reflect, Filled::Replicate, Filled::Circular];

/// Checks a case that the kernels of this file must take.
fn by_rows<E: Tested<Accumulator: Lanes>>(case: &Case) {
    for isa in instruction_sets() {
        let algorithms = algorithms::<E>(isa, &case.shape().unwrap());
        assert!(algorithms.iter().all(|&algorithm| algorithm == Algorithm::Rows), "{case:?} on {isa:?}: {algorithms:?}");
    }
    check::<E>(case);
}

fn depthwise(channels: usize, input: [usize; 3], kernel: [usize; 3], conv: Conv) -> Case {
    let [depth, height, width] = kernel;
    let groups = channels as i64;
    Case::plain([1, channels, input[0], input[1], input[2]], [channels, 1, depth, height, width], Conv { groups, ..conv })
}

/// As many outputs as inputs, if kernels are odd.
fn same(kernel: [usize; 3], filled: Filled) -> Conv {
    let before = kernel.map(|taps| taps as i64 / 2);
    Conv { before, after: before, filled, ..PLAIN }
}

/// Widths around vectors and around strips of one, two and four of them, on every instruction set.
fn widths<E: Element<Accumulator: Lanes>>() -> Vec<usize> {
    let mut widths = vec![1, 2, 7];
    for isa in instruction_sets() {
        let (lanes, _) = lanes_and_pixels::<E>(isa);
        widths.extend([lanes - 1, lanes, lanes + 1, 2 * lanes, 3 * lanes - 1, 4 * lanes + 1, 7 * lanes - 2]);
    }
    widths.sort_unstable();
    widths.dedup();
    widths
}

every_dtype!(kernels_and_widths);
fn kernels_and_widths<E: Tested<Accumulator: Lanes>>() {
    for height in 1..=11 {
        for width in widths::<E>() {
            let taps = [1, height, [3, 1, 4, 2][(height + width) % 4]];
            by_rows::<E>(&depthwise(2, [1, [9, 2, 5][width % 3], width], taps, same(taps, Filled::Zeros)));
        }
    }
    for width in widths::<E>() {
        for taps in [[1, 1, 9], [1, 3, 3], [1, 5, 5], [1, 9, 1]] {
            by_rows::<E>(&depthwise(1, [1, 12, width + 9], taps, PLAIN));
        }
    }
}

every_dtype!(three_by_three);
fn three_by_three<E: Tested<Accumulator: Lanes>>() {
    let taps = [1, 3, 3];
    for filled in MODES {
        for stride in [1, 2] {
            for size in [[1, 7, 7], [1, 14, 14], [1, 15, 33], [1, 2, 130]] {
                by_rows::<E>(&depthwise(3, size, taps, Conv { stride: [1, stride, stride], ..same(taps, filled) }));
            }
        }
    }
    // Two tap rows of a step of two, and the same weights over several depths.
    by_rows::<E>(&depthwise(2, [4, 6, 20], [3, 3, 3], same([3; 3], Filled::Zeros)));
}

every_dtype!(narrow_planes);
/// Rows of less than a vector, few and many, whose vectors reach into the next row on both sides; between channels lie elements
/// of somebody else.
fn narrow_planes<E: Tested<Accumulator: Lanes>>() {
    for (rows, taps) in [1, 2, 4, 5, 6, 7, 8, 9].into_iter().flat_map(|rows| [3, 5, 17].map(|taps| (rows, taps))) {
        for width in [1, 3, 5, 7, 8, 9] {
            let conv = |stride| Conv { stride: [1, stride, stride], ..same([1, taps, 3], Filled::Zeros) };
            by_rows::<E>(&depthwise(2, [1, 2 * rows, 2 * width], [1, taps, 3], conv(2)));
            let case = depthwise(3, [1, rows, width], [1, taps, 3], conv(1));
            by_rows::<E>(&case);
            let (shape, arrays) = (case.shape().unwrap(), case.draw::<E>(5, Draw::Rounded));
            let pitch = rows * width + 40;
            let strides = [3 * pitch, pitch, pitch, width, 1].map(|stride| stride as isize);
            for isa in instruction_sets() {
                let expected = computed(isa, &shape, &arrays.operands());
                let mut channels = vec![E::default(); 3 * pitch];
                // SAFETY: the vector has room for three channels of that pitch.
                let mut output = unsafe { ViewMut::from_raw(channels.as_mut_ptr(), shape.output_shape(), strides) };
                run(isa, &shape, &arrays.operands(), &mut output).unwrap();
                for (index, value) in channels.iter().enumerate() {
                    let (channel, pixel) = (index / pitch, index % pitch);
                    let there = pixel < rows * width;
                    let expected = if there { expected.data[channel * rows * width + pixel] } else { E::default() };
                    assert_eq!(value.bits(), expected.bits(), "{case:?} on {isa:?}: element {pixel} of channel {channel}");
                }
            }
        }
    }
}

every_dtype!(strides_and_dilations);
fn strides_and_dilations<E: Tested<Accumulator: Lanes>>() {
    let steps = [1, 2, 3, 4, 7];
    for (index, filled) in MODES.into_iter().cycle().take(25).enumerate() {
        let (stride, dilation) = (steps[index / 5], steps[index % 5]);
        for taps in [[1, 3, 3], [1, 2, 5], [2, 4, 3], [1, 7, 1], [1, 6, 6]] {
            let conv = Conv { stride: [2, stride, stride], dilation: [1, dilation, dilation], ..same(taps, filled) };
            let reach = |axis: usize| dilation as usize * (taps[axis] - 1) + 1;
            by_rows::<E>(&depthwise(2, [3, reach(1) + 6, reach(2) + 40], taps, conv));
        }
    }
    // Along each axis another step, and gaps that nothing reads.
    let apart = Conv { stride: [3, 9, 8], dilation: [1, 2, 3], before: [0, 1, 2], after: [1, 3, 4], ..PLAIN };
    by_rows::<E>(&depthwise(2, [5, 40, 90], [2, 2, 3], apart));
    let far = Conv { dilation: [5, 30, 50], before: [3, 7, 20], after: [2, 0, 9], ..PLAIN };
    by_rows::<E>(&depthwise(1, [12, 70, 90], [2, 3, 2], far));
}

every_dtype!(several_outputs_and_depths);
fn several_outputs_and_depths<E: Tested<Accumulator: Lanes>>() {
    for multiplier in 1..=6 {
        let conv = Conv { groups: 2, ..same([3, 2, 5], Filled::Zeros) };
        by_rows::<E>(&Case::plain([2, 2, 4, 5, 39], [2 * multiplier, 1, 3, 2, 5], conv));
    }
    // Four channels at a time, in strides whose columns are sorted, and without a native layout.
    for (stride, filled) in [1, 2, 5].into_iter().zip(MODES) {
        for (size, taps, channels) in [([1, 9, 130], [1, 3, 10], 9), ([1, 1, 1100], [1, 1, 10], 6)] {
            let conv = Conv { stride: [1, stride, stride], ..same(taps, filled) };
            by_rows::<E>(&Case::plain([2, 1, size[0], size[1], size[2]], [channels, 1, taps[0], taps[1], taps[2]], conv));
        }
    }
}

every_dtype!(several_inputs);
fn several_inputs<E: Tested<Accumulator: Lanes>>() {
    // As many outputs as are computed at once, one more, one less, and all vectors of a plane in blocks of every size.
    for (index, outputs) in [1, 2, 3, 4, 5, 7, 8].into_iter().enumerate() {
        for (inputs, height) in [(2, 1 + index), (5, 9 - index)] {
            let lanes = lanes_and_pixels::<E>(instruction_sets().last().unwrap()).0;
            let taps = [1, 3, 2];
            let conv = Conv { groups: 2, ..same(taps, MODES[index % 4]) };
            let case = Case::plain([2, 2 * inputs, 1, height, 5 * lanes + index], [2 * outputs, inputs, 1, 3, 2], conv);
            if outputs <= 4 { by_rows::<E>(&case) } else { check::<E>(&case) }
        }
    }
    // Strides, dilations, depths.
    for (stride, dilation) in [(1, 2), (2, 1), (2, 3), (3, 1), (5, 2)] {
        let conv = Conv { stride: [2, stride, stride], dilation: [1, dilation, dilation], ..same([2, 3, 3], Filled::Zeros) };
        by_rows::<E>(&Case::plain([1, 3, 3, 12, 190], [3, 3, 2, 3, 3], conv));
    }
    // More than one tile, and more than the L1 cache holds.
    by_rows::<E>(&Case::plain([1, 4, 1, 70, 150], [2, 4, 1, 3, 3], same([1, 3, 3], Filled::Reflect)));
    by_rows::<E>(&Case::plain([1, 20, 1, 20, 130], [3, 20, 1, 3, 3], same([1, 3, 3], Filled::Zeros)));
}

every_dtype!(tiles);
fn tiles<E: Tested<Accumulator: Lanes>>() {
    for (size, taps) in [
        ([1, 130, 200], [1, 3, 3]),
        ([1, 3, 9000], [1, 3, 5]),
        ([1, 1, 20_001], [1, 1, 4]),
        ([1, 2000, 3], [1, 4, 2]),
        ([30, 20, 40], [3, 3, 3]),
        ([1, 70, 90], [1, 40, 33]),
    ] {
        by_rows::<E>(&depthwise(1, size, taps, same(taps, Filled::Zeros)));
        by_rows::<E>(&depthwise(1, size, taps, PLAIN));
    }
}

every_dtype!(long_kernels);
fn long_kernels<E: Tested<Accumulator: Lanes>>() {
    let lanes = instruction_sets().map(|isa| lanes_and_pixels::<E>(isa).0);
    for lanes in lanes.collect::<std::collections::BTreeSet<_>>() {
        for taps in [15, 16, 17, 31] {
            for outputs in [16 * lanes - 1, 16 * lanes, 16 * lanes + 1, 18 * lanes + 5, 33 * lanes] {
                by_rows::<E>(&depthwise(2, [1, 1, outputs + taps - 1], [1, 1, taps], PLAIN));
            }
        }
    }
    for (index, taps) in [255, 256, 257, 600].into_iter().enumerate() {
        by_rows::<E>(&depthwise(1, [1, 1, 700], [1, 1, taps], same([1, 1, taps], MODES[index])));
    }
    // Several tiles, several rows, several outputs.
    by_rows::<E>(&depthwise(1, [1, 1, 9001], [1, 1, 20], same([1, 1, 20], Filled::Zeros)));
    let rows = Conv { groups: 2, stride: [1, 2, 1], ..same([1, 1, 23], Filled::Circular) };
    by_rows::<E>(&Case::plain([2, 2, 2, 5, 300], [6, 1, 1, 1, 23], rows));
}

every_dtype!(transposed);
fn transposed<E: Tested<Accumulator: Lanes>>() {
    for (stride, taps, width) in [(1, 3, 20), (2, 4, 33), (3, 5, 40), (2, 70, 300)] {
        let conv = Transposed { groups: 3, stride: [1, 2, stride], padding: [0, 1, 1], ..TRANSPOSED };
        check::<E>(&Case::transposed([2, 3, 1, 4, width], [3, 1, 1, 3, taps], conv.clone()));
        check::<E>(&Case::transposed([1, 3, 1, 1, width], [3, 2, 1, 1, taps], Transposed { padding: [0; 3], ..conv }));
    }
}

every_dtype!(first_channels);
/// The bits are those of the other algorithms.
fn first_channels<E: Tested<Accumulator: Lanes>>() {
    let mut seen = std::collections::HashSet::new();
    let kernels = [([1, 3, 3], 40, 1), ([1, 7, 7], 33, 1), ([2, 9, 4], 19, 1), ([1, 1, 31], 600, 1), ([1, 2, 30], 900, 20)];
    for (kernel, width, stride) in kernels {
        let conv = Conv { stride: [1, 1, stride], ..same(kernel, Filled::Zeros) };
        let many = Case::plain([1, 1, 2, 12, width], [70, 1, kernel[0], kernel[1], kernel[2]], conv);
        let arrays = many.draw::<E>(8, Draw::Rounded);
        for isa in instruction_sets() {
            let all = computed(isa, &many.shape().unwrap(), &arrays.operands());
            let mut few = many.clone();
            few.weight[0] = 2;
            let mut operands = arrays.clone();
            let taps: usize = kernel.iter().product();
            operands.weight = Array { shape: few.weight, data: arrays.weight.data[..2 * taps].to_vec() };
            operands.bias = arrays.bias.as_ref().map(|bias| Array { shape: [1, 1, 1, 1, 2], data: bias.data[..2].to_vec() });
            let first = computed(isa, &few.shape().unwrap(), &operands.operands());
            assert!(first.data.iter().zip(&all.data).all(|(few, many)| few.bits() == many.bits()), "{few:?} on {isa:?}");
            seen.extend(algorithms::<E>(isa, &many.shape().unwrap()).into_iter().map(|algorithm| format!("{algorithm:?}")));
            seen.extend(algorithms::<E>(isa, &few.shape().unwrap()).into_iter().map(|algorithm| format!("{algorithm:?}")));
        }
    }
    assert!(seen.contains("Rows") && seen.contains("Direct"), "{seen:?}");
}

every_dtype!(epilogue, floats);
/// Residual and activation equal the separate steps to the bit.
fn epilogue<E: Tested<Accumulator: Lanes, Exact = f64>>() {
    for case in [
        depthwise(3, [1, 9, 37], [1, 3, 3], same([1, 3, 3], Filled::Zeros)),
        depthwise(2, [1, 1, 600], [1, 1, 31], same([1, 1, 31], Filled::Zeros)),
    ] {
        let shape = case.shape().unwrap();
        let arrays = case.draw::<E>(9, Draw::Rounded);
        let residual = Random(10).array::<E>(shape.output_shape(), Draw::Rounded);
        for isa in instruction_sets() {
            let layer = |activation| {
                Layer::new(
                    isa,
                    case.layer_kind(),
                    Choice::Direct,
                    &view(&arrays.weight),
                    arrays.bias.as_ref().map(view).as_ref(),
                    activation,
                )
            };
            let run = |activation, residual: Option<View<'_, E>>| {
                let mut output = Array::filled(shape.output_shape(), E::default());
                layer(activation).unwrap().run(&shape, &view(&arrays.input), residual, &mut view_mut(&mut output)).unwrap();
                output
            };
            let plain = run(Activation::Identity, None);
            let relu = run(Activation::Relu, None);
            for (before, after) in plain.data.iter().zip(&relu.data) {
                let expected = if before.exact() < 0.0 { E::default() } else { *before };
                assert_eq!(after.bits(), expected.bits(), "{case:?} on {isa:?}");
            }
            if E::IN_PLACE {
                let added = run(Activation::Identity, Some(view(&residual)));
                for ((before, residual), after) in plain.data.iter().zip(&residual.data).zip(&added.data) {
                    let expected = E::narrow(convrs::array::Accumulator::plus(before.widen(), residual.widen()));
                    assert_eq!(after.bits(), expected.bits(), "{case:?} on {isa:?}");
                }
            }
        }
    }
}
