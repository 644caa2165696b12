//! Convolutions that differ in every argument, one table for all dtypes.

use convrs::reference::{Conv, Filled, Transposed};
use convrs::simd::Lanes;

use crate::common::conv::check;
use crate::common::{Case, PLAIN, TRANSPOSED, Tested};
use crate::every_dtype;

every_dtype!(plain);
fn plain<E: Tested<Accumulator: Lanes>>() {
    // Groups: two, three, depthwise with multipliers 1 to 5.
    check::<E>(&Case::plain([2, 4, 1, 5, 6], [6, 2, 1, 3, 2], Conv { groups: 2, ..PLAIN }));
    check::<E>(&Case::plain([1, 9, 1, 4, 20], [51, 3, 1, 2, 2], Conv { groups: 3, ..PLAIN }));
    for multiplier in 1..=5 {
        let conv = Conv { groups: 3, before: [0, 1, 1], after: [0, 1, 1], ..PLAIN };
        check::<E>(&Case::plain([2, 3, 1, 7, 19], [3 * multiplier, 1, 1, 3, 3], conv));
    }
    // Three axes, all arguments different along each.
    let oblique = Conv { stride: [2, 1, 3], before: [1, 0, 2], after: [0, 3, 4], dilation: [1, 3, 2], groups: 2, ..PLAIN };
    check::<E>(&Case::plain([2, 4, 5, 8, 11], [6, 2, 2, 3, 4], oblique));
    // More padding than input, and windows that see nothing but padding.
    let padded = Conv { before: [0, 9, 4], after: [0, 5, 40], ..PLAIN };
    check::<E>(&Case::plain([1, 2, 1, 2, 3], [3, 2, 1, 4, 5], padded));
    // A kernel as large as the padded input, and a stride larger than it.
    check::<E>(&Case::plain([1, 1, 3, 4, 5], [2, 1, 3, 4, 5], Conv { stride: [9, 9, 9], ..PLAIN }));
    check::<E>(&Case::plain([1, 1, 1, 9, 30], [2, 1, 1, 2, 3], Conv { stride: [1, 5, 7], ..PLAIN }));
}

every_dtype!(filled);
fn filled<E: Tested<Accumulator: Lanes>>() {
    for filled in [Filled::Reflect, Filled::Replicate, Filled::Circular] {
        for channels in [1, 6] {
            let conv = Conv { before: [1, 3, 2], after: [2, 0, 4], filled, ..PLAIN };
            check::<E>(&Case::plain([2, 2, 3, 4, 5], [channels, 2, 2, 3, 3], conv));
            let stepped = Conv { stride: [1, 2, 3], dilation: [1, 2, 2], before: [0, 4, 18], after: [0, 4, 18], filled, ..PLAIN };
            check::<E>(&Case::plain([1, 2, 1, 5, 19], [channels, 2, 1, 3, 2], stepped));
        }
    }
    let far = Conv { before: [0, 70, 90], after: [0, 80, 100], filled: Filled::Replicate, ..PLAIN };
    check::<E>(&Case::plain([1, 1, 1, 1, 2], [2, 1, 1, 1, 3], far));
}

every_dtype!(transposed);
fn transposed<E: Tested<Accumulator: Lanes>>() {
    check::<E>(&Case::transposed([2, 4, 1, 5, 6], [4, 3, 1, 3, 2], Transposed { groups: 2, ..TRANSPOSED }));
    check::<E>(&Case::transposed([1, 3, 1, 4, 9], [3, 1, 1, 3, 3], Transposed { groups: 3, stride: [1, 2, 2], ..TRANSPOSED }));
    let oblique = Transposed { stride: [2, 1, 3], padding: [1, 2, 3], output_padding: [1, 2, 0], dilation: [1, 3, 2], groups: 2 };
    check::<E>(&Case::transposed([2, 4, 3, 4, 5], [4, 5, 2, 3, 4], oblique));
    // Strides with which some outputs get no tap at all, and a kernel in which only some taps ever meet.
    check::<E>(&Case::transposed([1, 2, 1, 3, 4], [2, 3, 1, 2, 1], Transposed { stride: [1, 5, 4], ..TRANSPOSED }));
    check::<E>(&Case::transposed(
        [1, 2, 1, 3, 4],
        [2, 3, 1, 2, 7],
        Transposed { stride: [1, 6, 4], dilation: [1, 4, 6], output_padding: [0, 5, 5], ..TRANSPOSED },
    ));
    // One axis of several phases, another of a single dilated one: they share a copy of the input without gaps.
    check::<E>(&Case::transposed(
        [1, 1, 4, 3, 25],
        [1, 5, 2, 1, 2],
        Transposed { stride: [1, 1, 2], dilation: [3, 1, 3], ..TRANSPOSED },
    ));
    check::<E>(&Case::transposed(
        [1, 2, 5, 5, 25],
        [2, 38, 2, 4, 1],
        Transposed { stride: [1, 3, 2], padding: [2, 0, 2], dilation: [3, 2, 3], ..TRANSPOSED },
    ));
    // So much padding that only the middle is left.
    check::<E>(&Case::transposed([1, 2, 1, 3, 9], [2, 3, 1, 3, 3], Transposed { padding: [0, 2, 5], ..TRANSPOSED }));
}

every_dtype!(empty);
fn empty<E: Tested<Accumulator: Lanes>>() {
    check::<E>(&Case::plain([0, 2, 1, 4, 4], [3, 2, 1, 2, 2], PLAIN));
    // No input channels: the bias alone.
    for channels in [2, 20] {
        check::<E>(&Case::plain([2, 0, 1, 4, 20], [channels, 0, 1, 2, 2], PLAIN));
    }
    check::<E>(&Case::transposed([0, 2, 1, 4, 4], [2, 3, 1, 2, 2], TRANSPOSED));
    let mut unbiased = Case::plain([2, 2, 1, 4, 4], [3, 2, 1, 2, 2], PLAIN);
    unbiased.bias = false;
    check::<E>(&unbiased);
}
