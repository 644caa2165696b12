//! Rows of maxima with where they stand, and the steps by which windows are made of them. What is joined always lies in the
//! order of the plane, so that torch's rule holds from step to step: the first of equals, the last NaN.

use super::pick::every;
use crate::array::Ordered;
use crate::simd::{opaque, prefetch};

/// Pairs that are joined at once; rows are read in whole chunks.
pub(super) const LANES: usize = 16;

/// How far ahead of a row memory is asked for, in bytes.
const AHEAD: usize = 4096;

/// Maxima side by side, and how far from where their windows begin they stand in the plane: then rows of them are alike, and many
/// are one long row.
#[derive(Clone, Copy)]
pub(super) struct Pairs<E: Ordered> {
    pub keys: *mut E::Key,
    pub places: *mut i32,
}

impl<E: Ordered> Pairs<E> {
    /// Those so many further on, which need not be there.
    #[inline(always)]
    pub fn after(self, count: usize) -> Self {
        Pairs { keys: self.keys.wrapping_add(count), places: self.places.wrapping_add(count) }
    }

    /// # Safety
    /// `LANES` pairs can be read.
    #[inline(always)]
    unsafe fn load(self) -> Chunk<E> {
        // SAFETY: by the contract of this function.
        unsafe {
            Chunk {
                keys: opaque(self.keys).cast::<[E::Key; LANES]>().read_unaligned(),
                places: opaque(self.places).cast::<[i32; LANES]>().read_unaligned(),
            }
        }
    }

    /// # Safety
    /// `LANES` pairs can be written.
    #[inline(always)]
    unsafe fn store(self, chunk: Chunk<E>) {
        // SAFETY: by the contract of this function.
        unsafe {
            self.keys.cast::<[E::Key; LANES]>().write_unaligned(chunk.keys);
            self.places.cast::<[i32; LANES]>().write_unaligned(chunk.places);
        }
    }
}

#[derive(Clone, Copy)]
struct Chunk<E: Ordered> {
    keys: [E::Key; LANES],
    places: [i32; LANES],
}

impl<E: Ordered> Chunk<E> {
    /// Joined with what comes later in the plane, whose windows begin so much further on.
    #[inline(always)]
    fn join(&mut self, mut later: Chunk<E>, distance: i32) {
        // Where it is not needed too, or the compiler would branch.
        for lane in 0..LANES {
            later.places[lane] = later.places[lane].wrapping_add(distance);
        }
        for lane in 0..LANES {
            let wins = E::replaces(later.keys[lane], self.keys[lane]);
            self.keys[lane] = if wins { later.keys[lane] } else { self.keys[lane] };
            self.places[lane] = if wins { later.places[lane] } else { self.places[lane] };
        }
    }
}

/// Windows along the width, of one row of the input or of several that follow each other.
#[derive(Clone, Copy)]
pub(super) struct Across {
    /// Elements of a window, and how far apart they are.
    pub taps: usize,
    pub step: usize,
    /// From a window to the next.
    pub stride: usize,
    pub count: usize,
}

impl Across {
    /// Elements from the first on that are read.
    #[inline(always)]
    pub fn reach(&self) -> usize {
        self.count.next_multiple_of(LANES) * self.stride + (self.taps - 1) * self.step
    }

    /// Writes the maximum of every window, and of more up to a whole chunk.
    ///
    /// # Safety
    /// [`Across::reach`] elements can be read at `from`, and `to` has room for whole chunks.
    #[inline(always)]
    pub unsafe fn run<E: Ordered>(self, from: *const E::Key, to: Pairs<E>) {
        // SAFETY: by the contract of this function.
        unsafe {
            match self.stride {
                1 => self.strided::<E, 1>(from, to),
                2 => self.strided::<E, 2>(from, to),
                3 => self.strided::<E, 3>(from, to),
                4 => self.strided::<E, 4>(from, to),
                _ => self.strided::<E, 0>(from, to),
            }
        }
    }

    /// The same, for a stride that the compiler knows unless it is 0.
    ///
    /// # Safety
    /// As for [`Across::run`].
    #[inline(always)]
    pub unsafe fn strided<E: Ordered, const STRIDE: usize>(self, from: *const E::Key, to: Pairs<E>) {
        let stride = if STRIDE == 0 { self.stride } else { STRIDE };
        for at in (0..self.count).step_by(LANES) {
            // SAFETY: a chunk reads as far as `reach` says.
            unsafe {
                let from = from.add(at * stride);
                let mut chunk = Chunk::<E> { keys: every::<E::Key, LANES, STRIDE>(from, stride), places: [0; LANES] };
                for tap in 1..self.taps {
                    let distance = tap * self.step;
                    let keys = every::<E::Key, LANES, STRIDE>(opaque(from.add(distance)), stride);
                    chunk.join(Chunk { keys, places: [0; LANES] }, distance as i32);
                }
                to.after(at).store(chunk);
            }
        }
    }
}

/// Asks memory for what follows `count` elements that are read now.
#[inline(always)]
pub(super) fn ask_ahead<T>(from: *const T, count: usize) {
    for byte in (0..count * size_of::<T>()).step_by(64) {
        prefetch(from.wrapping_byte_add(AHEAD + byte));
    }
}

/// Joins each of `count` pairs with the one `distance` further on, whose window begins `places` later. Reads and writes whole
/// chunks; `to` may be `from`.
///
/// # Safety
/// The pairs can be read and written.
#[inline(always)]
pub(super) unsafe fn merge<E: Ordered>(from: Pairs<E>, distance: usize, places: usize, count: usize, to: Pairs<E>) {
    for at in (0..count).step_by(LANES) {
        // SAFETY: by the contract of this function; what a chunk reads is not written before.
        unsafe {
            let mut chunk = from.after(at).load();
            chunk.join(from.after(at + distance).load(), places as i32);
            to.after(at).store(chunk);
        }
    }
}

/// Pairs that make outputs, and how much later than the outputs' their windows begin in the plane; those of the first do not.
pub(super) type Term<E> = (Pairs<E>, i32);

/// A row of outputs.
#[derive(Clone, Copy)]
pub(super) struct Outputs<E: Ordered> {
    pub count: usize,
    /// Where the window of the first begins in the plane, and how much further on that of the next.
    pub place: i32,
    pub stride: usize,
    pub values: *mut E,
    pub indices: *mut i64,
    /// Room for what becomes indices.
    pub places: *mut [i32; LANES],
}

impl<E: Ordered> Outputs<E> {
    /// Writes what the terms come to, and where it stands.
    ///
    /// # Safety
    /// There is one term; each can be read in whole chunks; there is room for the outputs, and nothing overlaps.
    #[inline(always)]
    pub unsafe fn write(self, terms: &[Term<E>]) {
        let count = self.count;
        // SAFETY: a chunk that is not whole ends up elsewhere first.
        unsafe {
            let whole = count - count % LANES;
            for at in (0..whole).step_by(LANES) {
                self.write_chunk(terms, at);
            }
            if whole == count {
                return;
            }
            if whole > 0 {
                // Once more what precedes them.
                return self.write_chunk(terms, count - LANES);
            }
            let (mut few_values, mut few_indices) = ([E::from_key(E::LOWEST); LANES], [0; LANES]);
            let few = Outputs { values: few_values.as_mut_ptr(), indices: few_indices.as_mut_ptr(), ..self };
            few.write_chunk(terms, 0);
            self.values.copy_from_nonoverlapping(few_values.as_ptr(), count);
            self.indices.copy_from_nonoverlapping(few_indices.as_ptr(), count);
        }
    }

    /// # Safety
    /// As for [`Outputs::write`], with room for a whole chunk.
    #[inline(always)]
    unsafe fn write_chunk(self, terms: &[Term<E>], at: usize) {
        // SAFETY: by the contract of this function.
        unsafe {
            let mut chunk = terms.get_unchecked(0).0.after(at).load();
            for &(later, distance) in terms.get_unchecked(1..) {
                chunk.join(later.after(at).load(), distance);
            }
            // By way of memory, or the compiler would cut all vectors before as short as those of the indices.
            self.places.write_unaligned(chunk.places);
            let places = opaque(self.places).read_unaligned();
            // Calls of `map` would not be inlined. What follows the last output may be anything.
            let (mut elements, mut wide) = ([E::from_key(chunk.keys[0]); LANES], [0; LANES]);
            for lane in 0..LANES {
                elements[lane] = E::from_key(chunk.keys[lane]);
                let begin = self.place.wrapping_add(((at + lane) * self.stride) as i32);
                wide[lane] = i64::from(places[lane].wrapping_add(begin));
            }
            self.values.add(at).cast::<[E; LANES]>().write_unaligned(elements);
            self.indices.add(at).cast::<[i64; LANES]>().write_unaligned(wide);
        }
    }
}
