//! How each number type fulfils the traits of its dtype.

use half::{bf16, f16};
use num_complex::{Complex32, Complex64};

use super::activation::{Activation, activate_f32, activate_f64};
use super::element::{Accumulator, Bool, DType, Element, Ordered, Plain, Sum};
use super::float16::{narrowed, widened};

macro_rules! float {
    ($type:ty, $bits:ty, $dtype:ident, $activate:path) => {
        impl Accumulator for $type {
            const ACTIVATES: bool = true;
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn clamped(self, least: Self, most: Self) -> Self {
                let value = if self < least { least } else { self };
                if value > most { most } else { value }
            }
            #[inline(always)]
            fn activate(activation: &Activation, channel: usize, sums: &mut [Self]) {
                $activate(activation, channel, sums);
            }
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                <$type>::is_finite(self)
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
            #[inline(always)]
            fn as_sums(run: &[$type]) -> Option<&[$type]> {
                Some(run)
            }
        }
        impl Ordered for $type {
            type Key = $type;
            const LOWEST: Self = <$type>::NEG_INFINITY;
            const LEAST: Self = <$type>::MIN;
            #[inline(always)]
            fn reversed(self) -> Self {
                -self
            }
            #[inline(always)]
            fn key(self) -> $type {
                self
            }
            #[inline(always)]
            fn from_key(key: $type) -> Self {
                key
            }
            #[inline(always)]
            fn replaces(value: $type, best: $type) -> bool {
                value > best || value.is_nan()
            }
            #[inline(always)]
            fn larger(best: $type, value: $type) -> $type {
                // With all bits set whatever is larger becomes a NaN: `value` itself would have the compiler join the conditions, and
                // miss the instruction for the maximum.
                let larger = if value > best { value } else { best };
                <$type>::from_bits(larger.to_bits() | if value.is_nan() { <$bits>::MAX } else { 0 })
            }
            #[inline(always)]
            fn as_keys(run: &[$type]) -> Option<&[$type]> {
                Some(run)
            }
        }
    };
}
float!(f32, u32, F32, activate_f32);
float!(f64, u64, F64, activate_f64);

macro_rules! half_float {
    ($type:ty, $dtype:ident, $to_sum:expr, $from_sum:expr) => {
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
                $to_sum(self)
            }
            #[inline(always)]
            fn from_sum(value: f32) -> Self {
                $from_sum(value)
            }
        }
        impl Ordered for $type {
            type Key = i16;
            const LOWEST: i16 = <$type>::NEG_INFINITY.to_bits() as i16 ^ 0x7fff;
            const LEAST: Self = <$type>::MIN;
            #[inline(always)]
            fn reversed(self) -> Self {
                -self
            }
            #[inline(always)]
            fn key(self) -> i16 {
                let bits = self.to_bits() as i16;
                let nan = (bits & 0x7fff) > <$type>::INFINITY.to_bits() as i16;
                if nan { i16::MAX } else { bits ^ ((bits >> 15) & 0x7fff) }
            }
            #[inline(always)]
            fn from_key(key: i16) -> Self {
                <$type>::from_bits((key ^ ((key >> 15) & 0x7fff)) as u16)
            }
            #[inline(always)]
            fn replaces(value: i16, best: i16) -> bool {
                // 0 and -1 are the two zeros, which are equal.
                (value > best && !(value == 0 && best == -1)) || value == i16::MAX
            }
            #[inline(always)]
            fn larger(best: i16, value: i16) -> i16 {
                // A zero as -1 does not replace the other zero, but what is less; there is one NaN, and nothing above it.
                if value - i16::from(value == 0) > best { value } else { best }
            }
        }
    };
}
half_float!(f16, F16, |number: f16| widened(number.to_bits()), |sum: f32| f16::from_bits(narrowed(sum)));
// A signalling NaN is quiet after the first addition.
half_float!(bf16, BF16, |number: bf16| f32::from_bits(u32::from(number.to_bits()) << 16), bf16::from_f32);

macro_rules! wrapping {
    ($($type:ty)*) => { $(
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
    )* };
}
wrapping!(i16 i32 i64);

// Sums that wrap around are the same with and without a sign, and those of 8 bits are the lower half of those of 16.
macro_rules! integer {
    ($type:ty, $dtype:ident, $accumulator:ty, $sum:ty) => {
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            const IN_PLACE: bool = size_of::<$type>() == size_of::<$accumulator>();
            type Accumulator = $accumulator;
            type Sum = $sum;
            #[inline(always)]
            fn widen(self) -> $accumulator {
                self as $accumulator
            }
            #[inline(always)]
            fn narrow(value: $accumulator) -> Self {
                value as $type
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
            type Key = $type;
            const LOWEST: Self = <$type>::MIN;
            const LEAST: Self = <$type>::MIN;
            #[inline(always)]
            fn reversed(self) -> Self {
                !self
            }
            #[inline(always)]
            fn key(self) -> $type {
                self
            }
            #[inline(always)]
            fn from_key(key: $type) -> Self {
                key
            }
            #[inline(always)]
            fn replaces(value: $type, best: $type) -> bool {
                value > best
            }
            #[inline(always)]
            fn as_keys(run: &[$type]) -> Option<&[$type]> {
                Some(run)
            }
        }
    };
}
integer!(i8, I8, i16, i64);
integer!(i16, I16, i16, i64);
integer!(i32, I32, i32, i64);
integer!(i64, I64, i64, i64);
integer!(u8, U8, i16, i64);
integer!(u16, U16, i16, i64);
integer!(u32, U32, i32, i64);
integer!(u64, U64, i64, u64);

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
    type Key = Bool;
    const LOWEST: Bool = Bool(0);
    const LEAST: Bool = Bool(0);
    #[inline(always)]
    fn reversed(self) -> Bool {
        Bool(u8::from(self.0 == 0))
    }
    #[inline(always)]
    fn key(self) -> Bool {
        self
    }
    #[inline(always)]
    fn from_key(key: Bool) -> Self {
        key
    }
    #[inline(always)]
    fn replaces(value: Bool, best: Bool) -> bool {
        value.0 > best.0
    }
    #[inline(always)]
    fn as_keys(run: &[Bool]) -> Option<&[Bool]> {
        Some(run)
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
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.re.is_finite() && self.im.is_finite()
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
            #[inline(always)]
            fn as_sums(run: &[$type]) -> Option<&[$type]> {
                Some(run)
            }
        }
    };
}
complex!(Complex32, f32, C64);
complex!(Complex64, f64, C128);

macro_rules! plain {
    ($($type:ty)*) => { $(
        // SAFETY: numbers (and `Bool`, a plain byte) take every bit pattern.
        unsafe impl Plain for $type {}
    )* };
}
plain!(isize f16 bf16 f32 f64 i8 i16 i32 i64 u8 u16 u32 u64 Bool Complex32 Complex64);
