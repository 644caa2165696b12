//! One pool, run by the kernels and by the oracle.

use convrs::array::{Element, Ordered};
use convrs::error::Error;
use convrs::pool::{Average, Max, Reduction, run, run_with_indices};
use convrs::reference::{self, Array, Windows};
use convrs::shape::{Padding, PoolParams, PoolShape, Rule};
use convrs::simd::Isa;

use super::{Draw, Random, Tested, gamma, instruction_sets, view, view_mut};

/// One window an element.
pub const SLIDING: Windows = Windows { kernel: [1; 3], stride: [1; 3], padding: [0; 3], dilation: [1; 3], ceil: false };

pub fn sliding(input: [usize; 5], windows: &Windows) -> Result<PoolShape<'static>, Error> {
    let params = PoolParams {
        spatial: 3,
        kernel: windows.kernel,
        stride: windows.stride,
        padding: Padding::symmetric(windows.padding),
        dilation: windows.dilation,
        ceil_mode: windows.ceil,
        rule: Rule::Torch,
        kernel_within_input: false,
    };
    PoolShape::sliding(input, &params)
}

pub fn computed<E: Element, R: Reduction<E>>(isa: Isa, shape: &PoolShape, reduction: R, input: &Array<E>) -> Array<E> {
    let mut output = Array::filled(shape.output_shape(), E::default());
    run(isa, shape, reduction, &view(input), &mut view_mut(&mut output)).unwrap();
    output
}

pub fn computed_indices<E: Ordered>(isa: Isa, shape: &PoolShape, input: &Array<E>) -> (Array<E>, Array<i64>) {
    let mut output = Array::filled(shape.output_shape(), E::default());
    let mut indices = Array::filled(shape.output_shape(), -7);
    run_with_indices(isa, shape, &view(input), &mut view_mut(&mut output), &mut view_mut(&mut indices)).unwrap();
    (output, indices)
}

pub fn assert_within<E: Tested>(what: &str, actual: &Array<E>, expected: &Array<E::Exact>, slack: impl Fn(usize) -> f64) {
    assert_eq!(actual.shape, expected.shape, "{what}");
    for (index, (actual, &expected)) in actual.data.iter().zip(&expected.data).enumerate() {
        let slack = slack(index);
        assert!(actual.within(expected, slack), "{what}, element {index}: {actual:?}, expected {expected:?} within {slack:e}");
    }
}

/// The maximum with and without its index, on every instruction set. A window without taps has no index to compare.
pub fn check_max<E: Tested<Exact: PartialOrd> + Ordered>(
    what: &str,
    shape: &PoolShape,
    input: &Array<E>,
    (expected, expected_indices): &(Array<E::Exact>, Array<i64>),
) {
    for isa in instruction_sets() {
        let what = format!("{what} on {isa:?}");
        assert_within(&what, &computed(isa, shape, Max, input), expected, |_| 0.0);
        let (output, indices) = computed_indices(isa, shape, input);
        assert_within(&what, &output, expected, |_| 0.0);
        for (place, (index, expected)) in indices.data.iter().zip(&expected_indices.data).enumerate() {
            assert!(index == expected || *expected == -1, "{what}, index {place}: {index}, expected {expected}");
        }
    }
}

/// Sliding maxima of drawn elements, among them equals, infinities and NaN.
pub fn check_sliding_max<E: Tested<Exact: PartialOrd> + Ordered>(input: [usize; 5], windows: &Windows) {
    let shape = sliding(input, windows).unwrap_or_else(|error| panic!("{input:?} {windows:?}: {error}"));
    let nothing = E::from_key(E::LOWEST).exact();
    for draw in [Draw::Rounded, Draw::Special] {
        let array = Random(11).array::<E>(input, draw);
        let expected = reference::max_pool(&array.map(E::exact), windows, nothing).expect("the oracle refuses");
        check_max(&format!("max of {input:?} {windows:?}, {draw:?}"), &shape, &array, &expected);
    }
}

/// Sums of `terms` elements over a divisor, on every instruction set, within `gamma_(terms + 1) * sum |x| / |divisor|`.
pub fn check_mean<E: Tested>(
    what: &str,
    shape: &PoolShape,
    average: Average,
    input: &Array<E>,
    terms: usize,
    expected: &Array<E::Exact>,
    sizes: &Array<f64>,
) {
    // The oracle divides complex numbers by complex ones, which takes a few roundings more.
    let oracle = gamma(terms + 8, f64::EPSILON / 2.0);
    let factor = if E::ROUNDOFF == 0.0 { 0.0 } else { (gamma(terms + 1, E::ROUNDOFF) + oracle) * (1.0 + oracle) };
    for isa in instruction_sets() {
        let output = computed(isa, shape, average, input);
        assert_within(&format!("{what} on {isa:?}"), &output, expected, |index| factor * sizes.data[index].abs());
    }
}

/// Sliding means with every kind of divisor.
pub fn check_sliding_mean<E: Tested>(input: [usize; 5], windows: &Windows) {
    let shape = sliding(input, windows).unwrap_or_else(|error| panic!("{input:?} {windows:?}: {error}"));
    let terms = windows.kernel.iter().product::<i64>() as usize;
    for draw in [Draw::Rounded, Draw::Special] {
        // Sums of integers at the ends of their range wrap around, which the oracle does not; quotients of complex infinities
        // are as anyone likes.
        if draw == Draw::Special && (E::ROUNDOFF == 0.0 || E::EXTRA_ROUNDINGS > 0) {
            continue;
        }
        let array = Random(12).array::<E>(input, draw);
        for (count_include_pad, divisor) in [(true, None), (false, None), (true, Some(3)), (false, Some(-7))] {
            let mean = |divisor| reference::avg_pool(&array.map(E::exact), windows, count_include_pad, divisor);
            let sizes =
                reference::avg_pool(&array.map(E::size), windows, count_include_pad, divisor).expect("the oracle refuses");
            let what = format!("mean of {input:?} {windows:?}, padding {count_include_pad}, divisor {divisor:?}, {draw:?}");
            let expected = mean(divisor).expect("the oracle refuses");
            check_mean(&what, &shape, Average { count_include_pad, divisor }, &array, terms, &expected, &sizes);
        }
    }
}
