//! The multiply-adds that a core can do when nothing else holds it up.

use std::hint::black_box;
use std::time::Instant;

use super::{Isa, Operation, Simd, dispatch};

/// Independent chains: more than latency times throughput of any FMA unit, fewer than there are registers.
const CHAINS: usize = 12;
const STEPS: usize = 400_000;

struct RegisterOnly;

impl Operation<f32> for RegisterOnly {
    /// Multiply-adds.
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd<Scalar = f32>>(self, simd: S) -> usize {
        // A fixed point near 1: neither denormals nor infinities come up.
        let (factor, summand) = (simd.splat(black_box(0.5)), simd.splat(black_box(0.5)));
        let mut chains = [factor; CHAINS];
        for _ in 0..STEPS {
            for chain in &mut chains {
                *chain = simd.multiply_add(factor, *chain, summand);
            }
        }
        let mut last = [0.0f32; 16];
        for chain in chains {
            // SAFETY: no float32 vector has more than 16 lanes.
            unsafe { simd.store(last.as_mut_ptr(), chain) };
            black_box(&last);
        }
        CHAINS * STEPS * S::LANES
    }
}

/// Multiply-adds of float32 a second on this thread: the best of a few runs of some milliseconds.
pub fn fma_peak(isa: Isa) -> f64 {
    let once = || {
        let start = Instant::now();
        let steps = dispatch(isa, RegisterOnly);
        steps as f64 / start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| once()).fold(0.0, f64::max)
}
