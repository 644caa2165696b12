//! Micro-kernel for several output channels of one input channel: every vector of the input serves all of them.

use super::slide::write;
use crate::simd::{Operation, Simd};

/// Output channels whose sums are held at once.
pub(in crate::conv) const CHANNELS: usize = 4;

/// Some output rows of some output channels.
///
/// Who makes one promises that whole vectors can be read wherever a tap reads, and that the outputs are this thread's own.
pub(super) struct Channels<'a, T> {
    /// What the first tap of the first output reads.
    pub input: *const T,
    /// Distance of what neighbouring taps along depth and height read, and offset of every tap along the width.
    pub steps: [usize; 2],
    pub columns: &'a [u32],
    pub taps: [usize; 3],
    /// First weight, and distance of the weights of neighbouring channels.
    pub weights: *const T,
    pub weight_pitch: isize,
    /// Channels, at most [`CHANNELS`], rows of each, and outputs of a row.
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
}

impl<T: Copy> Operation<T> for &Channels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        let vectors = self.width.div_ceil(S::LANES);
        let (mut row, mut first) = (0, 0);
        while row < self.rows {
            macro_rules! blocks {
                ($($count:literal)*) => {
                    $(if const { 2 * $count <= S::PIXELS } && vectors - first >= $count {
                        // SAFETY: whoever makes a `Channels` keeps its promises.
                        unsafe {
                            if self.count == CHANNELS {
                                self.block::<S, CHANNELS, $count>(simd, 0, row, first * S::LANES);
                            } else {
                                for channel in 0..self.count {
                                    self.block::<S, 1, $count>(simd, channel, row, first * S::LANES);
                                }
                            }
                        }
                        first += $count;
                        continue;
                    })*
                };
            }
            blocks!(4 2 1);
            (row, first) = (row + 1, 0);
        }
    }
}

impl<T: Copy> Channels<'_, T> {
    /// `V` vectors of `C` channels, each output adding its taps in their order.
    ///
    /// # Safety
    /// The promises of [`Channels`] hold.
    #[inline(always)]
    unsafe fn block<S: Simd<Scalar = T>, const C: usize, const V: usize>(
        &self,
        simd: S,
        first: usize,
        output_row: usize,
        column: usize,
    ) {
        let [depth, height, _] = self.taps;
        let mut sums = [[simd.zero(); V]; C];
        // SAFETY: by the contract of this function.
        unsafe {
            let mut weights = self.weights.offset(first as isize * self.weight_pitch);
            let input = self.input.add(output_row * self.pitch + column);
            for row in 0..depth * height {
                let row = row / height * self.steps[0] + row % height * self.steps[1];
                for &tap in self.columns {
                    let from = input.add(row + tap as usize);
                    let mut x = [simd.zero(); V];
                    for vector in 0..V {
                        x[vector] = simd.load(from.add(vector * S::LANES));
                    }
                    for channel in 0..C {
                        let weight = simd.splat(*weights.offset(channel as isize * self.weight_pitch));
                        for vector in 0..V {
                            sums[channel][vector] = simd.multiply_add(x[vector], weight, sums[channel][vector]);
                        }
                    }
                    weights = weights.wrapping_add(1);
                }
            }
            let last = if self.whole { S::LANES } else { (self.width - column - (V - 1) * S::LANES).min(S::LANES) };
            for channel in 0..C {
                let at = (first + channel) as isize;
                let to = self.to.offset(at * self.to_channel + output_row as isize * self.to_row).add(column);
                let bias = if self.bias.is_null() { None } else { Some(simd.splat(*self.bias.offset(at * self.bias_pitch))) };
                for vector in 0..V {
                    let lanes = if vector + 1 == V { last } else { S::LANES };
                    write(simd, bias, to.add(vector * S::LANES), lanes, sums[channel][vector]);
                }
            }
        }
    }
}
