//! Micro-kernel for several output channels of the same input channels: every vector of the input serves all of them.

use super::ending::Ending;
use crate::simd::{Operation, Simd};

/// Output channels whose sums are held at once.
pub(in crate::conv) const CHANNELS: usize = 4;

/// Some output rows of some output channels.
///
/// Who makes one promises that whole vectors can be read wherever a tap reads, and that the outputs are this thread's own.
pub(super) struct Channels<'a, T> {
    /// What the first tap of the first output reads.
    pub input: *const T,
    /// Offset of every tap of every input channel.
    pub taps: &'a [u32],
    /// First weight, and distance of the weights of neighbouring output channels.
    pub weights: *const T,
    pub weight_pitch: isize,
    /// Output channels, at most [`CHANNELS`], rows of each, and outputs of a row.
    pub count: usize,
    pub rows: usize,
    pub width: usize,
    /// Distance of what neighbouring rows read.
    pub pitch: usize,
    /// Where the outputs go, and distances of neighbouring channels and rows.
    pub to: *mut T,
    pub to_channel: isize,
    pub to_row: isize,
    /// Whether `to` has room for whole vectors.
    pub whole: bool,
    /// Added at last, if not null.
    pub bias: *const T,
    pub bias_pitch: isize,
    /// The least value and the largest.
    pub bounds: Option<[T; 2]>,
}

impl<T: Copy> Operation<T> for &Channels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        // SAFETY: whoever makes a `Channels` keeps its promises.
        unsafe {
            match self.count {
                1 => self.blocks::<S, 1>(simd),
                2 => self.blocks::<S, 2>(simd),
                3 => self.blocks::<S, 3>(simd),
                4 => self.blocks::<S, 4>(simd),
                _ => unreachable!("more channels than are held at once"),
            }
        }
    }
}

/// Where a vector of outputs begins.
#[derive(Clone, Copy)]
struct At {
    row: usize,
    column: usize,
}

impl At {
    /// This place; then it is the next, in rows of `width`.
    #[inline(always)]
    fn take(&mut self, lanes: usize, width: usize) -> At {
        let place = *self;
        self.column += lanes;
        if self.column >= width {
            *self = At { row: self.row + 1, column: 0 };
        }
        place
    }
}

impl<T: Copy> Channels<'_, T> {
    /// All outputs of `C` channels.
    ///
    /// # Safety
    /// The promises of [`Channels`] hold.
    #[inline(always)]
    unsafe fn blocks<S: Simd<Scalar = T>, const C: usize>(&self, simd: S) {
        let mut left = self.rows * self.width.div_ceil(S::LANES);
        let mut next = At { row: 0, column: 0 };
        while left > 0 {
            macro_rules! blocks {
                ($($count:literal)*) => {
                    // Sums and inputs fit the registers, beside a weight.
                    $(if const { $count == 1 || (C + 1) * $count <= 2 * (S::PIXELS + 1) } && left >= $count {
                        let places = std::array::from_fn(|_| next.take(S::LANES, self.width));
                        // SAFETY: by the contract of this function.
                        unsafe { self.block::<S, C, $count>(simd, places) };
                        left -= $count;
                        continue;
                    })*
                };
            }
            blocks!(8 4 2 1);
        }
    }

    /// `V` vectors of `C` channels, each output adding its taps in their order.
    ///
    /// # Safety
    /// The promises of [`Channels`] hold.
    #[inline(always)]
    unsafe fn block<S: Simd<Scalar = T>, const C: usize, const V: usize>(&self, simd: S, places: [At; V]) {
        let inputs = places.map(|place| self.input.wrapping_add(place.row * self.pitch + place.column));
        let weights: [_; C] = std::array::from_fn(|channel| self.weights.wrapping_offset(channel as isize * self.weight_pitch));
        let mut sums = [[simd.zero(); V]; C];
        // SAFETY: by the contract of this function.
        unsafe {
            for (index, &tap) in self.taps.iter().enumerate() {
                let mut x = [simd.zero(); V];
                for vector in 0..V {
                    x[vector] = simd.load(inputs[vector].add(tap as usize));
                }
                for channel in 0..C {
                    let weight = simd.splat(*weights[channel].add(index));
                    for vector in 0..V {
                        sums[channel][vector] = simd.multiply_add(x[vector], weight, sums[channel][vector]);
                    }
                }
            }
            for channel in 0..C {
                let at = channel as isize;
                let bias = if self.bias.is_null() { None } else { Some(*self.bias.offset(at * self.bias_pitch)) };
                let ending = Ending { bias, bounds: self.bounds }.vectors(simd);
                for vector in 0..V {
                    let At { row, column } = places[vector];
                    let to = self.to.offset(at * self.to_channel + row as isize * self.to_row).add(column);
                    let room = if self.whole { S::LANES } else { self.width - column };
                    ending.write(simd, to, room, sums[channel][vector]);
                }
            }
        }
    }
}
