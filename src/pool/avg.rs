//! The mean of a window.

use super::reduction::Reduction;
use crate::array::{DType, Element, Sum};

/// Sum of the window, then one division.
#[derive(Clone, Copy)]
pub struct Average {
    /// Whether padding elements count in the divisor.
    pub count_include_pad: bool,
    /// Divides instead of the count.
    pub divisor: Option<i64>,
}

impl<E: Element> Reduction<E> for Average {
    type Value = E::Sum;
    const EVERY_SET: bool = matches!(E::DTYPE, DType::F32 | DType::F64);

    #[inline(always)]
    fn empty(self) -> E::Sum {
        E::Sum::default()
    }
    #[inline(always)]
    fn lift(self, element: E) -> E::Sum {
        element.to_sum()
    }
    #[inline(always)]
    fn lifted(self, run: &[E]) -> Option<&[E::Sum]> {
        E::as_sums(run)
    }
    #[inline(always)]
    fn combine(self, sum: E::Sum, value: E::Sum) -> E::Sum {
        sum.plus(value)
    }
    #[inline(always)]
    fn finish(self, sum: E::Sum, divisor: i64) -> E {
        // From zero on, so that negative zeros sum up to a positive one, as in torch.
        let sum = E::Sum::default().plus(sum);
        E::from_sum(sum.divide(self.divisor.unwrap_or(divisor)))
    }
    #[inline(always)]
    fn divides(self) -> bool {
        self.divisor.is_none()
    }
    #[inline(always)]
    fn counts_padding(self) -> bool {
        self.count_include_pad
    }
}
