//! Arrays in memory in any order, direction and distance.

use convrs::array::{View, ViewMut};
use convrs::reference::{Array, indices};

use super::Random;

/// An array whose elements lie in `buffer` at any strides.
pub struct Laid<E> {
    buffer: Vec<E>,
    shape: [usize; 5],
    strides: [isize; 5],
    start: usize,
}

impl<E: Copy + PartialEq + std::fmt::Debug> Laid<E> {
    /// Room for an array of `shape`, filled with `between`: axes in a random order from the fastest on, some of them backwards,
    /// some with gaps.
    pub fn random(random: &mut Random, shape: [usize; 5], between: E) -> Self {
        let mut order = [0, 1, 2, 3, 4];
        for last in (1..5).rev() {
            order.swap(last, random.below(last as u64 + 1) as usize);
        }
        let mut strides = [0; 5];
        let mut length = 1;
        let mut start = 0;
        for axis in order {
            let step = length * [1, 1, 2, 3][random.below(4) as usize];
            let backwards = random.below(3) == 0;
            let reach = shape[axis].saturating_sub(1) * step;
            strides[axis] = if backwards { -(step as isize) } else { step as isize };
            start += if backwards { reach } else { 0 };
            length = reach + step;
        }
        Laid { buffer: vec![between; length], shape, strides, start }
    }

    /// `array` laid out like that.
    pub fn copy(random: &mut Random, array: &Array<E>, between: E) -> Self {
        let mut laid = Laid::random(random, array.shape, between);
        for (index, &value) in indices(array.shape).zip(&array.data) {
            let place = laid.place(index);
            laid.buffer[place] = value;
        }
        laid
    }

    pub fn view(&self) -> View<'_, E> {
        // SAFETY: `random` made the buffer long enough for every index, and it is borrowed.
        unsafe { View::from_raw(self.buffer.as_ptr().add(self.start), self.shape, self.strides) }
    }

    pub fn view_mut(&mut self) -> ViewMut<'_, E> {
        // SAFETY: as above; every index has a place of its own, and the buffer is borrowed mutably.
        unsafe { ViewMut::from_raw(self.buffer.as_mut_ptr().add(self.start), self.shape, self.strides) }
    }

    /// The array, once it is sure that nothing between its elements was written.
    pub fn read(mut self, between: E) -> Array<E> {
        let array = Array::from_fn(self.shape, |index| self.buffer[self.place(index)]);
        for index in indices(self.shape) {
            let place = self.place(index);
            self.buffer[place] = between;
        }
        assert!(self.buffer.iter().all(|&value| value == between), "an element between those of the output was written");
        array
    }

    fn place(&self, index: [i64; 5]) -> usize {
        let offset: isize = (0..5).map(|axis| index[axis] as isize * self.strides[axis]).sum();
        self.start.checked_add_signed(offset).expect("inside the buffer")
    }
}
