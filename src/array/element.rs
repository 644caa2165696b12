//! The dtypes, what they accumulate in, and how they are ordered.

use half::{bf16, f16};
use num_complex::{Complex32, Complex64};

/// The dtypes of NumPy (and bfloat16) that the operators take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum DType {
    F16,
    BF16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
    C64,
    C128,
}

/// One byte, NumPy's bool. Sum is "or", product is "and".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd)]
#[repr(transparent)]
pub struct Bool(pub u8);

/// What products are added up in: a ring with its own rounding or wrap-around.
pub trait Accumulator: Copy + Send + Sync + Default + PartialEq + std::fmt::Debug + 'static {
    /// `self + other`.
    fn plus(self, other: Self) -> Self;
    /// `self * other`.
    fn times(self, other: Self) -> Self;
}

/// What a sum of many elements is held in, and how it is divided by a count.
pub trait Sum: Copy + Send + Sync + Default + 'static {
    /// `self + other`.
    fn plus(self, other: Self) -> Self;
    /// `self / count`; integers round toward zero. `count` is not 0.
    fn divide(self, count: i64) -> Self;
}

/// A dtype: how it is stored, widened for products and for sums, and narrowed again.
pub trait Element: Copy + Send + Sync + Default + PartialEq + std::fmt::Debug + 'static {
    /// The dtype's name.
    const DTYPE: DType;
    /// True where `Accumulator` is the very same type, so that kernels may read arrays in place.
    const IN_PLACE: bool;
    /// What products are added up in.
    type Accumulator: Accumulator;
    /// What averages are added up in.
    type Sum: Sum;
    /// To the accumulator, exactly.
    fn widen(self) -> Self::Accumulator;
    /// Back, with one rounding.
    fn narrow(value: Self::Accumulator) -> Self;
    /// To the sum, exactly.
    fn to_sum(self) -> Self::Sum;
    /// Back, with one rounding or wrap-around.
    fn from_sum(value: Self::Sum) -> Self;
    /// Widens a contiguous run; 16-bit floats use the CPU's conversion where it has one.
    fn widen_run(from: &[Self], to: &mut [Self::Accumulator]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from.widen();
        }
    }
}

/// A dtype whose elements can be compared as torch's max pools do.
pub trait Ordered: Element {
    /// Where a maximum starts: -inf, or the least integer.
    const LOWEST: Self;
    /// Torch's rule `value > best || isnan(value)`: the first of equals stays, the last NaN wins.
    fn replaces(self, best: Self) -> bool;
}

macro_rules! float {
    ($type:ty, $dtype:ident) => {
        impl Accumulator for $type {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
        }
        impl Sum for $type {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn divide(self, count: i64) -> Self {
                self / count as $type
            }
        }
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            const IN_PLACE: bool = true;
            type Accumulator = $type;
            type Sum = $type;
            #[inline(always)]
            fn widen(self) -> $type {
                self
            }
            #[inline(always)]
            fn narrow(value: $type) -> Self {
                value
            }
            #[inline(always)]
            fn to_sum(self) -> $type {
                self
            }
            #[inline(always)]
            fn from_sum(value: $type) -> Self {
                value
            }
        }
        impl Ordered for $type {
            const LOWEST: Self = <$type>::NEG_INFINITY;
            #[inline(always)]
            fn replaces(self, best: Self) -> bool {
                self > best || self.is_nan()
            }
        }
    };
}
float!(f32, F32);
float!(f64, F64);

macro_rules! half_float {
    ($type:ty, $dtype:ident) => {
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            const IN_PLACE: bool = false;
            type Accumulator = f32;
            type Sum = f32;
            #[inline(always)]
            fn widen(self) -> f32 {
                self.to_f32()
            }
            #[inline(always)]
            fn narrow(value: f32) -> Self {
                <$type>::from_f32(value)
            }
            #[inline(always)]
            fn to_sum(self) -> f32 {
                self.to_f32()
            }
            #[inline(always)]
            fn from_sum(value: f32) -> Self {
                <$type>::from_f32(value)
            }
            fn widen_run(from: &[Self], to: &mut [f32]) {
                half::slice::HalfFloatSliceExt::convert_to_f32_slice(from, &mut to[..from.len()]);
            }
        }
        impl Ordered for $type {
            const LOWEST: Self = <$type>::NEG_INFINITY;
            #[inline(always)]
            fn replaces(self, best: Self) -> bool {
                self > best || self.is_nan()
            }
        }
    };
}
half_float!(f16, F16);
half_float!(bf16, BF16);

macro_rules! integer {
    ($type:ty, $dtype:ident, $sum:ty) => {
        impl Accumulator for $type {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
        }
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            const IN_PLACE: bool = true;
            type Accumulator = $type;
            type Sum = $sum;
            #[inline(always)]
            fn widen(self) -> $type {
                self
            }
            #[inline(always)]
            fn narrow(value: $type) -> Self {
                value
            }
            #[inline(always)]
            fn to_sum(self) -> $sum {
                self as $sum
            }
            #[inline(always)]
            fn from_sum(value: $sum) -> Self {
                value as $type
            }
        }
        impl Ordered for $type {
            const LOWEST: Self = <$type>::MIN;
            #[inline(always)]
            fn replaces(self, best: Self) -> bool {
                self > best
            }
        }
    };
}
integer!(i8, I8, i64);
integer!(i16, I16, i64);
integer!(i32, I32, i64);
integer!(i64, I64, i64);
integer!(u8, U8, i64);
integer!(u16, U16, i64);
integer!(u32, U32, i64);
integer!(u64, U64, u64);

impl Sum for i64 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn divide(self, count: i64) -> Self {
        self.wrapping_div(count)
    }
}

impl Sum for u64 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn divide(self, count: i64) -> Self {
        let quotient = self / count.unsigned_abs();
        if count < 0 { quotient.wrapping_neg() } else { quotient }
    }
}

impl Accumulator for Bool {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Bool(self.0 | other.0)
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        Bool(self.0 & other.0)
    }
}

impl Element for Bool {
    const DTYPE: DType = DType::Bool;
    const IN_PLACE: bool = true;
    type Accumulator = Bool;
    type Sum = i64;
    #[inline(always)]
    fn widen(self) -> Bool {
        self
    }
    #[inline(always)]
    fn narrow(value: Bool) -> Self {
        value
    }
    #[inline(always)]
    fn to_sum(self) -> i64 {
        i64::from(self.0 != 0)
    }
    #[inline(always)]
    fn from_sum(value: i64) -> Self {
        Bool(u8::from(value != 0))
    }
}

impl Ordered for Bool {
    const LOWEST: Self = Bool(0);
    #[inline(always)]
    fn replaces(self, best: Self) -> bool {
        self.0 > best.0
    }
}

macro_rules! complex {
    ($type:ty, $part:ty, $dtype:ident) => {
        impl Accumulator for $type {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
        }
        impl Sum for $type {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn divide(self, count: i64) -> Self {
                self / count as $part
            }
        }
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            const IN_PLACE: bool = true;
            type Accumulator = $type;
            type Sum = $type;
            #[inline(always)]
            fn widen(self) -> $type {
                self
            }
            #[inline(always)]
            fn narrow(value: $type) -> Self {
                value
            }
            #[inline(always)]
            fn to_sum(self) -> $type {
                self
            }
            #[inline(always)]
            fn from_sum(value: $type) -> Self {
                value
            }
        }
    };
}
complex!(Complex32, f32, C64);
complex!(Complex64, f64, C128);
