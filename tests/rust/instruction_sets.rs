//! The choice of the instruction set, and what its vectors compute.

use convrs::array::{Bool, Complex32, Complex64};
use convrs::simd::{Isa, Lanes, Operation, Simd, dispatch};

use crate::common::{Draw, Random, Tested, instruction_sets};

#[test]
fn a_name_is_an_instruction_set_of_this_cpu_or_an_error() {
    for isa in Isa::ALL {
        let parsed = Isa::parse(Some(isa.name()));
        if isa.available() {
            assert_eq!(parsed, Ok(isa));
        } else {
            let error = parsed.unwrap_err();
            assert!(error.contains(isa.name()) && error.contains("portable"), "{error}");
        }
    }
    assert!(Isa::Portable.available());
    assert_eq!(Isa::parse(None).ok(), instruction_sets().last());
}

#[test]
fn a_forced_instruction_set_that_is_missing_is_an_error_naming_the_ones_there_are() {
    let here: Vec<_> = instruction_sets().map(Isa::name).collect();
    for name in ["nonsense", "", "AVX2", "neon"] {
        let expected = format!("CONVRS_ISA is {name:?}: this CPU has {}", here.join(", "));
        assert_eq!(Isa::parse(Some(name)), Err(expected));
    }
}

#[test]
fn the_environment_forces_the_choice() {
    let isa = Isa::chosen().expect("CONVRS_ISA names an instruction set that is missing here");
    let forced = std::env::var("CONVRS_ISA").ok().filter(|name| !name.is_empty());
    assert_eq!(Ok(isa), Isa::parse(forced.as_deref()));
}

/// Loads three vectors, adds the product of two to the third, stores it; tells the lanes and whether the step is fused.
struct MultiplyAdd<'a, T>(&'a [T], &'a [T], &'a mut [T]);

impl<T: Copy> Operation<T> for MultiplyAdd<'_, T> {
    type Output = (usize, bool);

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) -> (usize, bool) {
        assert!(self.0.len() >= S::LANES && self.1.len() >= S::LANES && self.2.len() >= 2 * S::LANES);
        // SAFETY: the lengths were asserted.
        unsafe {
            let (x, w, accumulator) = (simd.load(self.0.as_ptr()), simd.load(self.1.as_ptr()), simd.load(self.2.as_ptr()));
            simd.store(self.2.as_mut_ptr(), simd.multiply_add(x, w, accumulator));
            let sum = simd.multiply_add(simd.splat(self.0[0]), simd.splat(self.1[0]), simd.zero());
            simd.store(self.2.as_mut_ptr().add(S::LANES), sum);
        }
        (S::LANES, S::FUSED)
    }
}

fn multiply_add<T: Lanes + Tested<Accumulator = T>>(fused: impl Fn(T, T, T) -> T) {
    let mut random = Random(1);
    for isa in instruction_sets() {
        for _ in 0..50 {
            let mut draw = || std::array::from_fn::<T, 96, _>(|_| T::draw(&mut random, Draw::Rounded));
            let (x, w, before) = (draw(), draw(), draw());
            let mut after = before;
            let (lanes, is_fused) = dispatch(isa, MultiplyAdd(&x, &w, &mut after));
            let step = |x: T, w: T, sum: T| if is_fused { fused(x, w, sum) } else { sum.plus(x.times(w)) };
            for lane in 0..lanes {
                assert_eq!(after[lane].bits(), step(x[lane], w[lane], before[lane]).bits(), "{isa:?}");
                assert_eq!(after[lanes + lane].bits(), step(x[0], w[0], T::default()).bits(), "{isa:?}");
            }
            assert_eq!(after[2 * lanes..], before[2 * lanes..], "{isa:?} wrote beyond its lanes");
        }
    }
}

fn never<T>(_: T, _: T, _: T) -> T {
    unreachable!("only floats have a fused step")
}

#[test]
fn vectors_multiply_and_add_lane_by_lane() {
    multiply_add::<f32>(f32::mul_add);
    multiply_add::<f64>(f64::mul_add);
    multiply_add::<i16>(never);
    multiply_add::<i32>(never);
    multiply_add::<i64>(never);
    multiply_add::<Bool>(never);
    multiply_add::<Complex32>(never);
    multiply_add::<Complex64>(never);
}
