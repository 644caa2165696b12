//! Strided arrays of rank 5: (batch, channel, depth, height, width).

use std::marker::PhantomData;

use crate::error::{Error, checked_product};
use crate::shape::RANK;

/// Strides, in elements, of a C-ordered array.
pub fn contiguous_strides(shape: [usize; RANK]) -> [isize; RANK] {
    let mut strides = [1isize; RANK];
    for axis in (0..RANK - 1).rev() {
        strides[axis] = strides[axis + 1].wrapping_mul(shape[axis + 1].max(1) as isize);
    }
    strides
}

/// A readable strided array. Strides count elements and may be zero or negative.
#[derive(Clone, Copy)]
pub struct View<'a, T> {
    pointer: *const T,
    shape: [usize; RANK],
    strides: [isize; RANK],
    lifetime: PhantomData<&'a [T]>,
}

// SAFETY: a view is a shared borrow of `T`s, and those are `Sync`.
unsafe impl<T: Sync> Send for View<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for View<'_, T> {}

impl<'a, T> View<'a, T> {
    /// A C-ordered view of `data`, which must hold exactly the elements of `shape`.
    pub fn new(data: &'a [T], shape: [usize; RANK]) -> Result<Self, Error> {
        let needed = checked_product("the array", &shape)?;
        if data.len() != needed {
            return Err(Error::Shape {
                argument: "data",
                got: format!("{} elements", data.len()),
                rule: format!("shape {shape:?} needs {needed} elements"),
            });
        }
        Ok(View { pointer: data.as_ptr(), shape, strides: contiguous_strides(shape), lifetime: PhantomData })
    }

    /// A view of memory that is not ours.
    ///
    /// # Safety
    /// For `'a`, every element that `shape` and `strides` reach from `pointer` is aligned, initialised and not written.
    pub unsafe fn from_raw(pointer: *const T, shape: [usize; RANK], strides: [isize; RANK]) -> Self {
        View { pointer, shape, strides, lifetime: PhantomData }
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

    /// The element at index (0, 0, 0, 0, 0).
    #[inline(always)]
    pub fn pointer(&self) -> *const T {
        self.pointer
    }

    /// Offset, in elements, of an index; inside the array if the index is.
    #[inline(always)]
    pub fn offset(&self, index: [usize; RANK]) -> isize {
        let mut offset = 0;
        for axis in 0..RANK {
            offset += index[axis] as isize * self.strides[axis];
        }
        offset
    }

    /// One element.
    #[inline(always)]
    pub fn get(&self, index: [usize; RANK]) -> &'a T {
        for axis in 0..RANK {
            assert!(index[axis] < self.shape[axis], "index {index:?} outside {:?}", self.shape);
        }
        // SAFETY: the index is inside the shape, and the constructors promise those elements.
        unsafe { &*self.pointer.offset(self.offset(index)) }
    }

    /// `count` elements along the width from `index` on.
    #[inline(always)]
    pub fn run(&self, index: [usize; RANK], count: usize) -> Run<'a, T> {
        for axis in 0..RANK - 1 {
            assert!(index[axis] < self.shape[axis], "index {index:?} outside {:?}", self.shape);
        }
        assert!(index[RANK - 1] + count <= self.shape[RANK - 1]);
        // SAFETY: the first element is inside the shape, or one past its end if `count` is 0.
        let pointer = unsafe { self.pointer.offset(self.offset(index)) };
        Run { pointer, stride: self.strides[RANK - 1], count, lifetime: PhantomData }
    }

    /// The same elements; a spatial axis and the width have changed places.
    #[must_use]
    pub fn with_width(mut self, axis: usize) -> Self {
        self.shape.swap(RANK - 3 + axis, RANK - 1);
        self.strides.swap(RANK - 3 + axis, RANK - 1);
        self
    }

    /// All elements, if they lie side by side in C order.
    pub fn as_slice(&self) -> Option<&'a [T]> {
        if self.shape.contains(&0) {
            return Some(&[]);
        }
        let contiguous = contiguous_strides(self.shape);
        if (0..RANK).any(|axis| self.shape[axis] > 1 && self.strides[axis] != contiguous[axis]) {
            return None;
        }
        // SAFETY: the strides reach every element from the first on, each once, and the constructors promise them.
        Some(unsafe { std::slice::from_raw_parts(self.pointer, self.shape.iter().product()) })
    }

    /// The largest offset that the view reaches, in elements from its pointer; 0 for an empty one.
    pub fn last_offset(&self) -> isize {
        (0..RANK).map(|axis| (self.shape[axis].max(1) as isize - 1) * self.strides[axis].max(0)).sum()
    }
}

/// Neighbours along the width.
#[derive(Clone, Copy)]
pub struct Run<'a, T> {
    pointer: *const T,
    stride: isize,
    count: usize,
    lifetime: PhantomData<&'a [T]>,
}

impl<'a, T: Copy> Run<'a, T> {
    /// The element at `position`.
    #[inline(always)]
    pub fn at(&self, position: usize) -> T {
        assert!(position < self.count);
        // SAFETY: the run's elements are inside the view it was taken from.
        unsafe { *self.pointer.offset(position as isize * self.stride) }
    }

    /// The elements as a slice, if they lie side by side.
    #[inline(always)]
    pub fn as_slice(&self) -> Option<&'a [T]> {
        if self.stride != 1 && self.count > 1 {
            return None;
        }
        // SAFETY: the run's elements are inside the view it was taken from, and adjacent.
        Some(unsafe { std::slice::from_raw_parts(self.pointer, self.count) })
    }
}

/// A writable strided array with no two indices at one place.
pub struct ViewMut<'a, T> {
    pointer: *mut T,
    shape: [usize; RANK],
    strides: [isize; RANK],
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: a unique borrow of `T`s, which may move to another thread.
unsafe impl<T: Send> Send for ViewMut<'_, T> {}

impl<'a, T> ViewMut<'a, T> {
    /// A C-ordered view of `data`, which must hold exactly the elements of `shape`.
    pub fn new(data: &'a mut [T], shape: [usize; RANK]) -> Result<Self, Error> {
        let View { shape, strides, .. } = View::new(data, shape)?;
        Ok(ViewMut { pointer: data.as_mut_ptr(), shape, strides, lifetime: PhantomData })
    }

    /// A view of memory that is not ours.
    ///
    /// # Safety
    /// For `'a`, every element that `shape` and `strides` reach is aligned, valid to write, reached by one index only,
    /// and touched by nobody else.
    pub unsafe fn from_raw(pointer: *mut T, shape: [usize; RANK], strides: [isize; RANK]) -> Self {
        ViewMut { pointer, shape, strides, lifetime: PhantomData }
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

    /// The same elements; a spatial axis and the width have changed places.
    pub fn with_width(&mut self, axis: usize) -> ViewMut<'_, T> {
        let (mut shape, mut strides) = (self.shape, self.strides);
        shape.swap(RANK - 3 + axis, RANK - 1);
        strides.swap(RANK - 3 + axis, RANK - 1);
        ViewMut { pointer: self.pointer, shape, strides, lifetime: PhantomData }
    }

    pub(super) fn pointer(&mut self) -> *mut T {
        self.pointer
    }
}
