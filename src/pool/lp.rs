//! The power mean of a window, as `torch.nn.functional.lp_pool2d`: (mean of x^p * kernel elements)^(1/p). In ceil mode the mean
//! of the last window is taken over the elements it has, so a short window counts as if it were full.

use num_traits::WrappingNeg;

use super::reduction::Reduction;
use crate::array::{DType, Element, Ordered, Sum};

/// The power mean with exponent `norm`.
#[derive(Clone, Copy)]
pub struct Power {
    /// The exponent.
    pub norm: f64,
    /// Elements of a full window, for torch's mean; without them the sum of |x|^p is taken as it is, as ONNX has it.
    pub taps: Option<i64>,
}

/// Sums that have powers.
pub trait PowerSum: Sum + Ordered<Key = Self> {
    /// `self` to the power of `exponent`, which is rounded to the precision of `self` first.
    fn power(self, exponent: f64) -> Self;
    /// `self * count`.
    fn scale(self, count: i64) -> Self;
    /// |self|, with the sign of `sign`.
    fn magnitude(self, sign: f64) -> Self;
}

macro_rules! power {
    ($($type:ty)*) => { $(
        impl PowerSum for $type {
            #[inline(always)]
            fn power(self, exponent: f64) -> Self {
                // The exact cases are what torch takes for them, and they vectorise.
                if exponent == 2.0 {
                    self * self
                } else if exponent == 1.0 {
                    self
                } else if exponent == 0.5 {
                    self.sqrt()
                } else if exponent == 3.0 {
                    self * self * self
                } else {
                    self.powf(exponent as $type)
                }
            }
            #[inline(always)]
            fn scale(self, count: i64) -> Self {
                self * count as $type
            }
            #[inline(always)]
            fn magnitude(self, sign: f64) -> Self {
                self.abs().copysign(sign as $type)
            }
        }
    )* };
}
power!(f32 f64);

impl<E: Element<Sum: PowerSum>> Reduction<E> for Power {
    type Value = E::Sum;
    const EVERY_SET: bool = matches!(E::DTYPE, DType::F32);

    #[inline(always)]
    fn empty(self) -> E::Sum {
        E::Sum::default()
    }
    #[inline(always)]
    fn lift(self, element: E) -> E::Sum {
        let value = element.to_sum();
        (if self.taps.is_some() { value } else { value.magnitude(1.0) }).power(self.norm)
    }
    #[inline(always)]
    fn combine(self, sum: E::Sum, value: E::Sum) -> E::Sum {
        sum.plus(value)
    }
    #[inline(always)]
    fn finish(self, sum: E::Sum, divisor: i64) -> E {
        let sum = self.taps.map_or(sum, |taps| sum.divide(divisor).scale(taps));
        E::from_sum(sum.power(1.0 / self.norm))
    }
    #[inline(always)]
    fn divides(self) -> bool {
        true
    }
}

/// The limits of the power mean: exponent inf is the largest |x|, -inf the smallest, computed as the largest -|x|.
#[derive(Clone, Copy)]
pub struct Extreme {
    /// 1 for inf, -1 for -inf.
    pub sign: f64,
}

impl<E: Element<Sum: PowerSum>> Reduction<E> for Extreme {
    type Value = E::Sum;

    #[inline(always)]
    fn empty(self) -> E::Sum {
        // No magnitude is below zero, which is the norm of nothing.
        if self.sign > 0.0 { E::Sum::default() } else { <E::Sum as Ordered>::LOWEST }
    }
    #[inline(always)]
    fn lift(self, element: E) -> E::Sum {
        element.to_sum().magnitude(self.sign)
    }
    #[inline(always)]
    fn combine(self, best: E::Sum, value: E::Sum) -> E::Sum {
        <E::Sum as Ordered>::larger(best, value)
    }
    #[inline(always)]
    fn finish(self, best: E::Sum, _divisor: i64) -> E {
        E::from_sum(best.magnitude(1.0))
    }
}

/// |element|; the least integer wraps around to itself, so that a largest magnitude may be below zero.
pub fn magnitude<E: Element + PartialOrd + WrappingNeg>(element: E) -> E {
    if element < E::default() { element.wrapping_neg() } else { element }
}
