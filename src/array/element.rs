//! The dtypes, what they accumulate in, and how they are ordered.

use super::activation::Activation;

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

impl DType {
    /// Whole numbers, bool among them.
    pub const fn is_integer(self) -> bool {
        use DType::*;
        matches!(self, I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64 | Bool)
    }
}

/// One byte, NumPy's bool. Sum is "or", product is "and".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd)]
#[repr(transparent)]
pub struct Bool(pub u8);

/// Plain numbers, which scratch memory may hold.
///
/// # Safety
/// Every bit pattern is a valid value, and the alignment is at most that of a cache line.
pub unsafe trait Plain: Copy + Send + Sync + Default + 'static {}

/// What products are added up in: a ring with its own rounding or wrap-around.
pub trait Accumulator: Plain + PartialEq + std::fmt::Debug {
    /// `self + other`.
    fn plus(self, other: Self) -> Self;
    /// `self * other`.
    fn times(self, other: Self) -> Self;
    /// Neither infinite nor NaN.
    #[inline(always)]
    fn is_finite(self) -> bool {
        true
    }
    /// Whether these are real floats: [`Accumulator::activate`], `clamped`, `from_f64` and `to_f64` are defined.
    const ACTIVATES: bool = false;
    /// The nearest of these numbers.
    #[inline(always)]
    fn from_f64(_value: f64) -> Self {
        unreachable!("asked of real floats only")
    }
    /// The number, exactly.
    #[inline(always)]
    fn to_f64(self) -> f64 {
        unreachable!("asked of real floats only")
    }
    /// No less than `least` and no more than `most`; NaN stays.
    #[inline(always)]
    fn clamped(self, _least: Self, _most: Self) -> Self {
        unreachable!("asked of real floats only")
    }
    /// Applies an activation function to sums of one output channel.
    #[inline(always)]
    fn activate(_activation: &Activation, _channel: usize, _sums: &mut [Self]) {
        unreachable!("a layer of this dtype is made without activation")
    }
}

/// What a sum of many elements is held in, and how it is divided by a count.
pub trait Sum: Plain {
    /// `self + other`.
    fn plus(self, other: Self) -> Self;
    /// `self / count`; integers round toward zero. `count` is not 0.
    fn divide(self, count: i64) -> Self;
}

/// A dtype: how it is stored, widened for products and for sums, and narrowed again.
pub trait Element: Plain + PartialEq + std::fmt::Debug {
    /// The dtype's name.
    const DTYPE: DType;
    /// True where `Accumulator` has the same bits, so that kernels may read arrays in place.
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
    /// A run as sums without a copy, where `Sum` is the very same type.
    #[inline(always)]
    fn as_sums(_run: &[Self]) -> Option<&[Self::Sum]> {
        None
    }
}

/// A dtype whose elements can be compared as torch's max pools do.
pub trait Ordered: Element {
    /// What is compared: the element itself, or for 16-bit floats an integer in the same order.
    type Key: Plain;
    /// Where a maximum starts: -inf, or the least integer.
    const LOWEST: Self::Key;
    /// The least finite element.
    const LEAST: Self;
    /// The element in the opposite order.
    fn reversed(self) -> Self;
    /// The key of an element.
    fn key(self) -> Self::Key;
    /// The element of a key; a NaN may change its payload.
    fn from_key(key: Self::Key) -> Self;
    /// Torch's rule `value > best || isnan(value)`: the first of equals stays, the last NaN wins.
    fn replaces(value: Self::Key, best: Self::Key) -> bool;
    /// What of the two a maximum keeps.
    #[inline(always)]
    fn larger(best: Self::Key, value: Self::Key) -> Self::Key {
        if Self::replaces(value, best) { value } else { best }
    }
    /// A run as keys without a copy, where `Key` is the very same type.
    #[inline(always)]
    fn as_keys(_run: &[Self]) -> Option<&[Self::Key]> {
        None
    }
}
