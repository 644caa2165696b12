//! Kernels of one thread: convolutions in multiply-adds a second, pools in elements read a second.

use convrs::array::{View, ViewMut};
use convrs::conv::{self, Operands};
use convrs::pool::{self, Average, Max};
use convrs::shape::{ConvParams, ConvShape, Padding, PaddingMode, PoolParams, PoolShape, Rule};
use convrs::simd::Isa;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Numbers in [-1, 1) without a pattern (Numerical Recipes' linear congruential generator).
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn convolutions(criterion: &mut Criterion) {
    convrs::parallel::set_num_threads(1).expect("one thread is legal");
    let isa = Isa::chosen().expect("CONVRS_ISA names an instruction set of this CPU");
    let mut group = criterion.benchmark_group(format!("conv/{}", isa.name()));
    for (name, input, weight, stride, padding, groups) in [
        ("3x3 64@56", [1, 64, 1, 56, 56], [64, 64, 1, 3, 3], 1, 1, 1),
        ("1x1 256-64@56", [1, 256, 1, 56, 56], [64, 256, 1, 1, 1], 1, 0, 1),
        ("7x7s2 3-64@224", [1, 3, 1, 224, 224], [64, 3, 1, 7, 7], 2, 3, 1),
        ("depthwise 3x3 32@112", [1, 32, 1, 112, 112], [32, 1, 1, 3, 3], 1, 1, 32),
    ] {
        let params = ConvParams {
            spatial: 2,
            stride: [1, stride, stride],
            padding: Padding::Explicit([(0, 0), (padding, padding), (padding, padding)]),
            dilation: [1; 3],
            groups,
            mode: PaddingMode::Zeros,
        };
        let shape = ConvShape::new(input, weight, &params).expect("a legal layer");
        let (x, w) = (numbers(input.iter().product()), numbers(weight.iter().product()));
        let operands = Operands { input: View::new(&x, input).unwrap(), weight: View::new(&w, weight).unwrap(), bias: None };
        let mut result = vec![0.0f32; shape.output_shape().iter().product()];
        let taps: usize = weight[1..].iter().product();
        group.throughput(Throughput::Elements((result.len() * taps) as u64));
        group.bench_function(name, |bencher| {
            let mut output = ViewMut::new(&mut result, shape.output_shape()).unwrap();
            bencher.iter(|| conv::run(isa, &shape, &operands, &mut output).unwrap());
        });
    }
}

fn pools(criterion: &mut Criterion) {
    convrs::parallel::set_num_threads(1).expect("one thread is legal");
    let isa = Isa::chosen().expect("CONVRS_ISA names an instruction set of this CPU");
    let mut group = criterion.benchmark_group(format!("pool/{}", isa.name()));
    let input = [1, 64, 1, 112, 112];
    let x = numbers(input.iter().product());
    group.throughput(Throughput::Elements(x.len() as u64));
    for (name, kernel, stride, padding) in [("2x2s2", 2, 2, 0), ("3x3s2", 3, 2, 1), ("3x3s1", 3, 1, 1)] {
        let params = PoolParams {
            spatial: 2,
            kernel: [1, kernel, kernel],
            stride: [1, stride, stride],
            padding: Padding::symmetric([0, padding, padding]),
            dilation: [1; 3],
            ceil_mode: false,
            rule: Rule::Torch,
            kernel_within_input: false,
        };
        let shape = PoolShape::sliding(input, &params).expect("a legal pool");
        let view = View::new(&x, input).unwrap();
        let mut result = vec![0.0f32; shape.output_shape().iter().product()];
        group.bench_function(format!("max {name}"), |bencher| {
            let mut output = ViewMut::new(&mut result, shape.output_shape()).unwrap();
            bencher.iter(|| pool::run(isa, &shape, Max, &view, &mut output).unwrap());
        });
        let average = Average { count_include_pad: true, divisor: None };
        group.bench_function(format!("avg {name}"), |bencher| {
            let mut output = ViewMut::new(&mut result, shape.output_shape()).unwrap();
            bencher.iter(|| pool::run(isa, &shape, average, &view, &mut output).unwrap());
        });
    }
}

criterion_group!(kernels, convolutions, pools);
criterion_main!(kernels);
