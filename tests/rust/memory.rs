//! Working memory of a call stays below its limit for every shape, however absurd.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::thread;

use convrs::array::{Activation, Complex64, Element, SCRATCH_BYTES, View, ViewMut, bf16};
use convrs::conv::{Choice, Kind, Layer, Operands, run};
use convrs::parallel::set_num_threads;
use convrs::pool::{self, Average, Max, Power};
use convrs::shape::{ConvParams, ConvShape, Padding, PaddingMode, PoolParams, PoolShape, Rule, TransposedParams};
use convrs::simd::{Isa, Lanes};

/// Counts what this thread has allocated.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let live = LIVE.get() + bytes;
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

// SAFETY: everything is passed on to the system's allocator; the counters neither allocate nor unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `body` holds at once, on a thread that has not computed anything before.
fn peak(body: impl FnOnce() + Send) -> isize {
    let measured = || {
        let before = LIVE.get();
        PEAK.set(before);
        body();
        PEAK.get() - before
    };
    thread::scope(|scope| scope.spawn(measured).join().unwrap())
}

/// Runs `shape` on arrays that are one repeated element, so that only the output needs memory.
fn check<E: Element<Accumulator: Lanes>>(shape: &ConvShape, input: [usize; 5], weight: [usize; 5]) {
    check_with(shape, input, weight, E::default());
}

fn check_with<E: Element<Accumulator: Lanes>>(shape: &ConvShape, input: [usize; 5], weight: [usize; 5], element: E) {
    set_num_threads(1).unwrap();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        let one = [element];
        // SAFETY: every index is the one element.
        let repeated = |shape| unsafe { View::from_raw(one.as_ptr(), shape, [0; 5]) };
        let operands = Operands { input: repeated(input), weight: repeated(weight), bias: None };
        let mut output = vec![E::default(); shape.output_shape().iter().product()];
        let bytes = peak(|| run(isa, shape, &operands, &mut ViewMut::new(&mut output, shape.output_shape()).unwrap()).unwrap());
        assert!(bytes <= SCRATCH_BYTES as isize, "{bytes} bytes for {shape:?} on {isa:?}");
    }
}

fn check_dtypes(shape: &ConvShape, input: [usize; 5], weight: [usize; 5]) {
    check::<f32>(shape, input, weight);
    check::<f64>(shape, input, weight);
    check::<bf16>(shape, input, weight);
    check::<i8>(shape, input, weight);
    check::<Complex64>(shape, input, weight);
}

fn plain(input: [usize; 5], weight: [usize; 5], stride: [i64; 3], padding: [i64; 3], dilation: [i64; 3]) {
    let padding = Padding::Explicit(padding.map(|side| (side, side)));
    let params = ConvParams { spatial: 3, stride, padding, dilation, groups: 1, mode: PaddingMode::Zeros };
    check_dtypes(&ConvShape::new(input, weight, &params).unwrap(), input, weight);
}

fn transposed(input: [usize; 5], weight: [usize; 5], stride: [i64; 3], padding: [i64; 3], dilation: [i64; 3]) {
    let params = TransposedParams { spatial: 3, stride, padding, output_padding: [0; 3], dilation, groups: 1 };
    check_dtypes(&ConvShape::transposed(input, weight, &params).unwrap(), input, weight);
}

const NONE: [i64; 3] = [0; 3];
const ONE: [i64; 3] = [1; 3];

#[test]
fn ordinary_layers() {
    for channels in [1, 3, 64] {
        plain([1, 64, 1, 56, 56], [channels, 64, 1, 3, 3], ONE, [0, 1, 1], ONE);
        plain([1, 8, 8, 20, 20], [channels, 8, 3, 3, 3], [2; 3], ONE, ONE);
    }
}

#[test]
fn winograd() {
    set_num_threads(1).unwrap();
    let layers = [([64, 1, 56], 1), ([8000, 2, 9], 2), ([16_000, 1, 3], 1), ([1, 1, 700], 1), ([1000, 20, 5], 5)];
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        for ([channels, depth, size], taps) in layers {
            let (input, weight) = ([1, channels, depth, size, size], [20, channels, taps, 3, 3]);
            let params = ConvParams {
                spatial: 3,
                stride: ONE,
                padding: Padding::Valid,
                dilation: ONE,
                groups: 1,
                mode: PaddingMode::Zeros,
            };
            let one = [0.5f32];
            // SAFETY: every index is the one element.
            let repeated = |shape| unsafe { View::from_raw(one.as_ptr(), shape, [0; 5]) };
            let layer =
                Layer::new(isa, Kind::Plain(params), Choice::Winograd, &repeated(weight), None, Activation::Identity).unwrap();
            let shape = layer.shape(input).unwrap();
            let mut output = vec![0.0; shape.output_shape().iter().product()];
            let mut run = || {
                let mut output = ViewMut::new(&mut output, shape.output_shape()).unwrap();
                layer.run(&shape, &repeated(input), None, &mut output).unwrap();
            };
            // The first run also transforms the weights.
            run();
            let bytes = peak(run);
            assert!(bytes <= SCRATCH_BYTES as isize, "{bytes} bytes for {shape:?} on {isa:?}");
        }
    }
}

#[test]
fn many_channels() {
    for channels in [1, 40] {
        plain([1, 150_000, 1, 1, 2], [channels, 150_000, 1, 1, 1], ONE, NONE, ONE);
    }
    plain([1, 1, 1, 1, 1], [300_000, 1, 1, 1, 1], ONE, NONE, ONE);
    plain([100_000, 1, 1, 1, 1], [1, 1, 1, 1, 1], ONE, NONE, ONE);
}

#[test]
fn long_kernels() {
    for channels in [1, 5] {
        plain([1, 2, 1, 1, 600_001], [channels, 2, 1, 1, 600_000], ONE, NONE, ONE);
        plain([1, 2, 1, 751, 750], [channels, 2, 1, 750, 750], ONE, NONE, ONE);
        plain([1, 2, 82, 82, 82], [channels, 2, 82, 82, 82], ONE, NONE, ONE);
    }
}

#[test]
fn long_rows() {
    for channels in [1, 4, 20] {
        plain([1, 2, 1, 1, 100_000], [channels, 2, 1, 1, 3], ONE, NONE, ONE);
        plain([1, 2, 1, 100_000, 1], [channels, 2, 1, 3, 1], ONE, NONE, ONE);
        plain([1, 2, 100_000, 1, 1], [channels, 2, 3, 1, 1], ONE, NONE, ONE);
    }
}

#[test]
fn far_steps() {
    for channels in [1, 20] {
        for step in [7, 4097, 1 << 20, 1 << 40] {
            plain([1, 2, 1, 1, 20 * step + 1], [channels, 2, 1, 1, 3], [1, 1, step as i64], NONE, ONE);
            plain([1, 2, 1, 20 * step + 1, 40], [channels, 2, 1, 3, 3], [1, step as i64, 1], NONE, ONE);
            plain([1, 2, 1, 1, 20 * step + 1], [channels, 2, 1, 1, 3], ONE, [0, 0, 5], [1, 1, 10 * step as i64]);
            plain([1, 2, 20 * step + 1, 3, 20], [channels, 2, 3, 3, 3], [step as i64, 1, 1], NONE, [9 * step as i64, 1, 1]);
        }
    }
}

#[test]
fn far_padding() {
    for channels in [1, 20] {
        plain([1, 2, 1, 1, 1], [channels, 2, 1, 1, 3], [1, 1, 1 << 30], [0, 0, 1 << 34], ONE);
        plain([1, 2, 1, 1, 1], [channels, 2, 1, 3, 3], [1, 1 << 30, 1 << 30], [0, 1 << 33, 1 << 33], [1, 1 << 20, 1 << 20]);
    }
}

#[test]
fn one_input_channel() {
    for channels in [1, 3] {
        plain([1, 1, 1, 1, 600_001], [channels, 1, 1, 1, 600_000], ONE, NONE, ONE);
        plain([1, 1, 1, 1, 20_000], [channels, 1, 1, 1, 4096], ONE, NONE, ONE);
        plain([1, 1, 1, 1, 33_000], [channels, 1, 1, 1, 32_768], ONE, NONE, ONE);
        plain([1, 1, 1, 751, 750], [channels, 1, 1, 750, 750], ONE, NONE, ONE);
        plain([1, 1, 1, 200, 210], [channels, 1, 1, 180, 180], ONE, NONE, ONE);
        plain([1, 1, 40, 41, 42], [channels, 1, 31, 31, 31], ONE, NONE, ONE);
        plain([1, 1, 1, 100_000, 1], [channels, 1, 1, 3, 1], ONE, NONE, ONE);
        for step in [7, 4097, 1 << 40] {
            plain([1, 1, 1, 1, 20 * step + 1], [channels, 1, 1, 1, 3], [1, 1, step as i64], NONE, ONE);
            plain([1, 1, 1, 20 * step + 1, 40], [channels, 1, 1, 3, 3], ONE, [0, 0, 5], [1, 10 * step as i64, 1]);
            plain([1, 1, 1, 1, 20 * step + 1], [channels, 1, 1, 1, 3], ONE, [0, 0, 5], [1, 1, 10 * step as i64]);
        }
        transposed([1, 1, 1, 1, 100_000], [1, channels, 1, 1, 5000], [1, 1, 2], [0, 0, 2000], ONE);
    }
}

#[test]
fn transposed_layers() {
    for channels in [1, 20] {
        transposed([1, 50_000, 1, 1, 2], [50_000, channels, 1, 1, 3], [1, 1, 2], NONE, ONE);
        transposed([1, 2, 1, 1, 100_000], [2, channels, 1, 1, 100_000], ONE, [0, 0, 99_990], ONE);
        transposed([1, 2, 1, 30, 30], [2, channels, 1, 16, 16], [1, 16, 16], NONE, ONE);
        transposed([1, 2, 1, 1, 3], [2, channels, 1, 1, 3], [1, 1, 3], [0, 0, 2], [1, 1, 20_000]);
    }
}

#[test]
fn transposed_with_as_many_phases_as_outputs() {
    transposed([1, 1, 1, 1, 1], [1, 1, 1, 600, 600], [1, 600, 600], NONE, ONE);
    transposed([1, 1, 1, 1, 2], [1, 1, 1, 1, 200_000], [1, 1, 200_000], NONE, ONE);
}

/// Taps outside the input must not meet an infinite weight, however many phases there are.
#[test]
fn transposed_with_infinite_weights() {
    for (input, weight, stride) in [
        ([1, 1, 1, 1, 8], [1, 1, 1, 1, 200_000], [1, 1, 1]),
        ([1, 1, 1, 1, 2], [1, 1, 1, 1, 200_000], [1, 1, 200_000]),
        ([1, 3, 1, 30, 30], [3, 20, 1, 5, 5], [1, 2, 2]),
    ] {
        let params = TransposedParams { spatial: 3, stride, padding: NONE, output_padding: NONE, dilation: ONE, groups: 1 };
        let shape = ConvShape::transposed(input, weight, &params).unwrap();
        check_with(&shape, input, weight, f32::INFINITY);
    }
}

/// Pools a repeated element, so that only the outputs need memory.
fn check_pool(input: [usize; 5], kernel: [i64; 3], stride: [i64; 3], padding: [i64; 3], dilation: [i64; 3]) {
    let params = PoolParams {
        spatial: 3,
        kernel,
        stride,
        padding: Padding::symmetric(padding),
        dilation,
        ceil_mode: false,
        rule: Rule::Torch,
        kernel_within_input: false,
    };
    let shape = PoolShape::sliding(input, &params).unwrap();
    set_num_threads(1).unwrap();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        let one = [0.5f64];
        // SAFETY: every index is the one element.
        let input = unsafe { View::from_raw(one.as_ptr(), input, [0; 5]) };
        let size = shape.output_shape().iter().product();
        let (mut output, mut indices) = (vec![0.0; size], vec![0; size]);
        let mut output = ViewMut::new(&mut output, shape.output_shape()).unwrap();
        let mut indices = ViewMut::new(&mut indices, shape.output_shape()).unwrap();
        let average = Average { count_include_pad: true, divisor: None };
        let bytes = peak(|| {
            pool::run(isa, &shape, Max, &input, &mut output).unwrap();
            pool::run(isa, &shape, average, &input, &mut output).unwrap();
            pool::run_with_indices(isa, &shape, &input, &mut output, &mut indices).unwrap();
        });
        assert!(bytes <= SCRATCH_BYTES as isize, "{bytes} bytes for kernel {kernel:?} on {isa:?}");
    }
}

#[test]
fn pools() {
    check_pool([1, 2, 1, 200, 200], [1, 3, 3], [1, 2, 2], [0, 1, 1], ONE);
    check_pool([1, 1, 1, 1, 1_000_010], [1, 1, 1_000_000], ONE, NONE, ONE);
    check_pool([1, 1, 1, 1001, 1001], [1, 1000, 1000], ONE, NONE, ONE);
    check_pool([1, 1, 1, 1, 100_000], [1, 1, 3], ONE, [0, 0, 1], [1, 1, 40_000]);
    check_pool([1, 1, 1, 1 << 40, 3], [1, 2, 2], [1, 1 << 36, 1], NONE, [1, 1 << 35, 1]);
    check_pool([100_000, 1, 1, 1, 1], ONE, ONE, NONE, ONE);
}

#[test]
fn fractional_pools_of_many_planes() {
    set_num_threads(1).unwrap();
    let (input, output) = ([1, 1 << 20, 1, 2, 2], [1, 1 << 20, 1, 1, 1]);
    let one = [0.5f64];
    // SAFETY: every index is the one element.
    let view = unsafe { View::from_raw(one.as_ptr(), input, [0; 5]) };
    let mut values = vec![0.0; 1 << 20];
    let mut values = ViewMut::new(&mut values, output).unwrap();
    let bytes = peak(|| {
        let shape = PoolShape::fractional(input, 2, ONE, ONE, &|_| [0.5; 3], |value| value).unwrap();
        pool::run(Isa::Portable, &shape, Max, &view, &mut values).unwrap();
    });
    assert!(bytes <= SCRATCH_BYTES as isize, "{bytes} bytes");
}

#[test]
fn a_converted_input() {
    set_num_threads(1).unwrap();
    let input = [1, 1, 1, 1 << 12, 1 << 12];
    let kernel = [1, 64, 64];
    let params = PoolParams {
        spatial: 3,
        kernel,
        stride: kernel,
        padding: Padding::Valid,
        dilation: ONE,
        ceil_mode: false,
        rule: Rule::Torch,
        kernel_within_input: false,
    };
    let shape = PoolShape::sliding(input, &params).unwrap();
    let mut values = vec![0f32; 1 << 12];
    let mut values = ViewMut::new(&mut values, shape.output_shape()).unwrap();
    let fill = |_: [usize; 5], _: usize, run: &mut [f32]| run.fill(3.0);
    let power = Power { norm: 1.5, taps: Some(1 << 12) };
    let bytes = peak(|| pool::run_converted(Isa::Portable, &shape, power, &fill, &mut values).unwrap());
    assert!(bytes <= SCRATCH_BYTES as isize, "{bytes} bytes");
}
