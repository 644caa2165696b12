//! Runs of elements as accumulators and back, in vectors.

use super::{MOST_LANES, Simd};
use crate::array::Element;

/// Widens neighbouring elements; `to` is as long as `from`.
#[inline(always)]
pub fn widen_run<S: Simd, E: Element<Accumulator = S::Scalar>>(simd: S, from: &[E], to: &mut [S::Scalar]) {
    assert_eq!(from.len(), to.len());
    let count = from.len();
    let (source, target) = (from.as_ptr(), to.as_mut_ptr());
    let mut done = 0;
    // SAFETY: both have `count` elements, of one type with `IN_PLACE`, and a vector has no more lanes than `MOST_LANES`.
    unsafe {
        while done + S::LANES <= count {
            simd.store(target.add(done), simd.load_widened(source.add(done)));
            done += S::LANES;
        }
        let left = count - done;
        if left == 0 {
            return;
        }
        if E::IN_PLACE {
            simd.store_some(target.add(done), simd.load_some(source.add(done).cast(), left), left);
        } else if done > 0 {
            // Once more what precedes them: cheaper than a part of a vector.
            let last = count - S::LANES;
            simd.store(target.add(last), simd.load_widened(source.add(last)));
        } else {
            let mut few = [E::default(); MOST_LANES];
            few[..left].copy_from_slice(from);
            simd.store_some(target, simd.load_widened(few.as_ptr()), left);
        }
    }
}

/// Narrows neighbouring accumulators; `to` is as long as `from`.
#[inline(always)]
pub fn narrow_run<S: Simd, E: Element<Accumulator = S::Scalar>>(simd: S, from: &[S::Scalar], to: &mut [E]) {
    assert_eq!(from.len(), to.len());
    let count = from.len();
    let (source, target) = (from.as_ptr(), to.as_mut_ptr());
    let mut done = 0;
    // SAFETY: both have `count` elements, of one type with `IN_PLACE`, and a vector has no more lanes than `MOST_LANES`.
    unsafe {
        while done + S::LANES <= count {
            simd.store_narrowed(target.add(done), simd.load(source.add(done)));
            done += S::LANES;
        }
        let left = count - done;
        if left == 0 {
            return;
        }
        if E::IN_PLACE {
            simd.store_some(target.add(done).cast(), simd.load_some(source.add(done), left), left);
        } else if done > 0 {
            let last = count - S::LANES;
            simd.store_narrowed(target.add(last), simd.load(source.add(last)));
        } else {
            let mut few = [E::default(); MOST_LANES];
            simd.store_narrowed(few.as_mut_ptr(), simd.load_some(source, left));
            to.copy_from_slice(&few[..left]);
        }
    }
}

/// Lanes from elements, one by one.
///
/// # Safety
/// A vector of elements can be read from `from`.
#[inline(always)]
pub(super) unsafe fn load_each<S: Simd, E: Element<Accumulator = S::Scalar>>(simd: S, from: *const E) -> S::Vector {
    let mut lanes = [S::Scalar::default(); MOST_LANES];
    // SAFETY: by the contract of this function; no vector has more lanes than `MOST_LANES`.
    unsafe {
        for (lane, value) in lanes[..S::LANES].iter_mut().enumerate() {
            *value = (*from.add(lane)).widen();
        }
        simd.load(lanes.as_ptr())
    }
}

/// Lanes to elements, one by one.
///
/// # Safety
/// A vector of elements can be written from `to`.
#[inline(always)]
pub(super) unsafe fn store_each<S: Simd, E: Element<Accumulator = S::Scalar>>(simd: S, to: *mut E, vector: S::Vector) {
    let mut lanes = [S::Scalar::default(); MOST_LANES];
    // SAFETY: by the contract of this function; no vector has more lanes than `MOST_LANES`.
    unsafe {
        simd.store(lanes.as_mut_ptr(), vector);
        for (lane, value) in lanes[..S::LANES].iter().enumerate() {
            *to.add(lane) = E::narrow(*value);
        }
    }
}
