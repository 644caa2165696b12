//! The one place where several threads write one array.

use std::marker::PhantomData;

use super::view::ViewMut;
use crate::shape::RANK;

/// An output that many threads write at once, each its own elements.
#[derive(Clone, Copy)]
pub struct SharedOutput<'a, T> {
    pointer: *mut T,
    shape: [usize; RANK],
    strides: [isize; RANK],
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: it is written through `write_row`, `channel` and `at` alone, whose callers promise disjoint elements.
unsafe impl<T: Send> Send for SharedOutput<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedOutput<'_, T> {}

impl<'a, T: Copy> SharedOutput<'a, T> {
    /// Borrows the whole output for a parallel loop.
    pub fn new(view: &'a mut ViewMut<'_, T>) -> Self {
        SharedOutput { shape: view.shape(), strides: view.strides(), pointer: view.pointer(), lifetime: PhantomData }
    }

    /// Sizes of the five axes.
    #[inline(always)]
    pub fn shape(&self) -> [usize; RANK] {
        self.shape
    }

    /// Strides in elements.
    #[inline(always)]
    pub fn strides(&self) -> [isize; RANK] {
        self.strides
    }

    /// The first element of a channel. Writing through it is for the caller to defend: inside the channel, and no element that
    /// another thread writes or reads during the loop.
    #[inline(always)]
    pub fn channel(&self, image: usize, channel: usize) -> *mut T {
        assert!(image < self.shape[0] && channel < self.shape[1]);
        // SAFETY: the index is inside the shape, as no axis of an output in work is empty.
        unsafe { self.pointer.offset(image as isize * self.strides[0] + channel as isize * self.strides[1]) }
    }

    /// The element at an index. What holds for [`SharedOutput::channel`] holds here.
    #[inline(always)]
    pub fn at(&self, index: [usize; RANK]) -> *mut T {
        assert!((0..RANK).all(|axis| index[axis] < self.shape[axis]));
        let offset: isize = (0..RANK).map(|axis| index[axis] as isize * self.strides[axis]).sum();
        // SAFETY: the index is inside the shape.
        unsafe { self.pointer.offset(offset) }
    }

    /// Writes `count` elements along the width, `step` apart, from `index` on.
    ///
    /// # Safety
    /// No other thread writes or reads these elements during the loop.
    #[inline(always)]
    pub unsafe fn write_row(&self, index: [usize; RANK], step: usize, count: usize, mut value: impl FnMut(usize) -> T) {
        if count == 0 {
            return;
        }
        assert!(index[RANK - 1] + (count - 1) * step < self.shape[RANK - 1]);
        let row = self.at(index);
        let stride = step as isize * self.strides[RANK - 1];
        // SAFETY: first and last element are inside the shape (asserted), so every one between is; the view that was
        // borrowed promises them; the caller promises that nobody else touches them.
        unsafe {
            if stride == 1 {
                for position in 0..count {
                    *row.add(position) = value(position);
                }
            } else {
                for position in 0..count {
                    *row.offset(position as isize * stride) = value(position);
                }
            }
        }
    }
}
