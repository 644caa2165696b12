//! The maximum of a window.

use super::reduction::Reduction;
use crate::array::{DType, Ordered};

/// Torch's maximum: a NaN wins, a window without elements is -inf (or the least integer).
#[derive(Clone, Copy)]
pub struct Max;

impl<E: Ordered> Reduction<E> for Max {
    type Value = E::Key;
    const EVERY_SET: bool = !E::DTYPE.is_integer() || matches!(E::DTYPE, DType::I8 | DType::U8);
    const IDEMPOTENT: bool = true;
    const RUNS: bool = matches!(E::DTYPE, DType::F32 | DType::F64 | DType::U8);

    #[inline(always)]
    fn empty(self) -> E::Key {
        E::LOWEST
    }
    #[inline(always)]
    fn lift(self, element: E) -> E::Key {
        element.key()
    }
    #[inline(always)]
    fn lifted(self, run: &[E]) -> Option<&[E::Key]> {
        E::as_keys(run)
    }
    #[inline(always)]
    fn combine(self, best: E::Key, value: E::Key) -> E::Key {
        E::larger(best, value)
    }
    #[inline(always)]
    fn finish(self, best: E::Key, _divisor: i64) -> E {
        E::from_key(best)
    }
}
