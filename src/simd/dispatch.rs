//! Which instruction set runs, and the shims that switch it on.

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};
use super::{Portable, Simd};
use crate::array::{Accumulator, Bool, Complex32, Complex64};

/// An instruction set that kernels are compiled for, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// The architecture's baseline.
    Portable,
    /// AVX2, FMA, F16C.
    Avx2,
    /// AVX-512 F, BW, DQ, VL.
    Avx512,
}

impl Isa {
    /// Every instruction set, worst first.
    pub const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// The name that `CONVRS_ISA` takes.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    /// Whether this CPU has it.
    pub fn available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => has_avx2() && has_avx512(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The one in use: `CONVRS_ISA` if set, else the best this CPU has. Chosen once a process.
    pub fn chosen() -> Result<Isa, String> {
        static CHOSEN: OnceLock<Result<Isa, String>> = OnceLock::new();
        CHOSEN.get_or_init(|| Isa::parse(std::env::var("CONVRS_ISA").ok().as_deref().filter(|name| !name.is_empty()))).clone()
    }

    /// The instruction set of that name, or the best available one; an error if this CPU lacks it.
    pub fn parse(name: Option<&str>) -> Result<Isa, String> {
        let available: Vec<Isa> = Isa::ALL.into_iter().filter(|isa| isa.available()).collect();
        let Some(name) = name else { return Ok(available[available.len() - 1]) };
        available.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            format!("CONVRS_ISA is {name:?}: this CPU has {}", names.join(", "))
        })
    }
}

/// Plain loops to be compiled once for each instruction set. `run` must be `#[inline(always)]`.
pub trait Body {
    /// What it gives back.
    type Output;
    /// The loops.
    fn run(self) -> Self::Output;
}

/// A kernel, generic over the token. `run` must be `#[inline(always)]`.
pub trait Operation<T> {
    /// What it gives back.
    type Output;
    /// The kernel.
    fn run<S: Simd<Scalar = T>>(self, simd: S) -> Self::Output;
}

/// An accumulator that kernels exist for, with its token on each instruction set.
pub trait Lanes: Accumulator {
    /// Token on AVX-512.
    type Avx512: Simd<Scalar = Self>;
    /// Token on AVX2.
    type Avx2: Simd<Scalar = Self>;
    /// Token everywhere.
    type Portable: Simd<Scalar = Self>;
    /// Whether AVX-512 has vectors that AVX2 has not; otherwise AVX2's kernels serve for both.
    const WIDER_ON_AVX512: bool;
    /// # Safety
    /// The CPU has AVX-512.
    unsafe fn avx512() -> Self::Avx512;
    /// # Safety
    /// The CPU has AVX2, FMA and F16C.
    unsafe fn avx2() -> Self::Avx2;
    /// The portable token.
    fn portable() -> Self::Portable;
}

macro_rules! lanes {
    ($($scalar:ty: $avx512:ty, $avx2:ty, $lanes:literal);* $(;)?) => { $(
        impl Lanes for $scalar {
            type Avx512 = $avx512;
            type Avx2 = $avx2;
            type Portable = Portable<$scalar, $lanes>;
            const WIDER_ON_AVX512: bool = <$avx512 as Simd>::LANES > <$avx2 as Simd>::LANES;
            #[inline(always)]
            unsafe fn avx512() -> Self::Avx512 {
                // SAFETY: the caller promises the instruction set.
                unsafe { <$avx512>::new() }
            }
            #[inline(always)]
            unsafe fn avx2() -> Self::Avx2 {
                // SAFETY: the caller promises the instruction set.
                unsafe { <$avx2>::new() }
            }
            #[inline(always)]
            fn portable() -> Self::Portable {
                // SAFETY: plain arrays need no instruction set.
                unsafe { Portable::new() }
            }
        }
    )* };
}

#[cfg(target_arch = "x86_64")]
lanes! {
    f32: Avx512<f32>, Avx2<f32>, 4;
    f64: Avx512<f64>, Avx2<f64>, 2;
    i16: Avx512<i16>, Avx2<i16>, 8;
    i32: Avx512<i32>, Avx2<i32>, 4;
    i64: Avx512<i64>, Portable<i64, 4>, 2;
    Bool: Portable<Bool, 16>, Portable<Bool, 16>, 16;
    Complex32: Avx2<Complex32>, Avx2<Complex32>, 4;
    Complex64: Avx2<Complex64>, Avx2<Complex64>, 2;
}
#[cfg(not(target_arch = "x86_64"))]
lanes! {
    f32: Portable<f32, 4>, Portable<f32, 4>, 4;
    f64: Portable<f64, 2>, Portable<f64, 2>, 2;
    i16: Portable<i16, 8>, Portable<i16, 8>, 8;
    i32: Portable<i32, 4>, Portable<i32, 4>, 4;
    i64: Portable<i64, 2>, Portable<i64, 2>, 2;
    Bool: Portable<Bool, 16>, Portable<Bool, 16>, 16;
    Complex32: Portable<Complex32, 4>, Portable<Complex32, 4>, 4;
    Complex64: Portable<Complex64, 2>, Portable<Complex64, 2>, 2;
}

pub(super) struct Held<S, O> {
    pub simd: S,
    pub operation: O,
}

impl<S: Simd, O: Operation<S::Scalar>> Body for Held<S, O> {
    type Output = O::Output;
    #[inline(always)]
    fn run(self) -> O::Output {
        self.operation.run(self.simd)
    }
}

/// Runs a kernel with the token of `isa`.
pub fn dispatch<T: Lanes, O: Operation<T>>(isa: Isa, operation: O) -> O::Output {
    assert!(isa.available());
    let isa = if const { T::WIDER_ON_AVX512 } { isa } else { isa.min(Isa::Avx2) };
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: availability was asserted.
        Isa::Avx512 if const { T::WIDER_ON_AVX512 } => unsafe { with_avx512(Held { simd: T::avx512(), operation }) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: availability was asserted.
        Isa::Avx2 => unsafe { with_avx2(Held { simd: T::avx2(), operation }) },
        _ => Held { simd: T::portable(), operation }.run(),
    }
}

/// One list of features feeds both the detection and the shim, so that they cannot drift apart.
#[cfg(target_arch = "x86_64")]
macro_rules! shim {
    ($shim:ident, $detect:ident, $($feature:tt),+) => {
        fn $detect() -> bool {
            $( std::is_x86_feature_detected!($feature) )&&+
        }

        /// # Safety
        /// The CPU has the features.
        #[inline(never)]
        #[target_feature($(enable = $feature),+)]
        pub(super) unsafe fn $shim<B: Body>(body: B) -> B::Output {
            body.run()
        }
    };
}

#[cfg(target_arch = "x86_64")]
shim!(with_avx2, has_avx2, "avx2", "fma", "f16c", "bmi1", "bmi2", "popcnt", "lzcnt");
#[cfg(target_arch = "x86_64")]
shim!(
    with_avx512,
    has_avx512,
    "avx2",
    "fma",
    "f16c",
    "bmi1",
    "bmi2",
    "popcnt",
    "lzcnt",
    "avx512f",
    "avx512bw",
    "avx512dq",
    "avx512vl"
);

/// Runs loops compiled for `isa`.
pub fn vectorised<B: Body>(isa: Isa, body: B) -> B::Output {
    assert!(isa.available());
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: availability was asserted.
        Isa::Avx512 => unsafe { with_avx512(body) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: availability was asserted.
        Isa::Avx2 => unsafe { with_avx2(body) },
        _ => body.run(),
    }
}
