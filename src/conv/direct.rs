//! Micro-kernel with output channels in the vectors: one pointer per output pixel, one table of offsets for all taps.

use crate::simd::{Operation, Simd};

/// A run of pixels of one tile against one packed panel.
pub(super) struct Pixels<'a, T> {
    /// Start of the patch.
    pub patch: *const T,
    /// Offset of every pixel.
    pub pixels: &'a [u32],
    /// Offset of every tap.
    pub taps: &'a [u32],
    /// `[tap][vectors * LANES]`.
    pub panel: &'a [T],
    /// `[pixel][vectors * LANES]`, read first unless `fresh`.
    pub sums: &'a mut [T],
    /// Distance of pixels in the sums: the vectors of one, or more where pixels of other passes lie between them.
    pub step: usize,
    /// Vectors of output channels, 1 or 2.
    pub vectors: usize,
    /// Start from zero.
    pub fresh: bool,
}

impl<T> Operation<T> for Pixels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        let lanes = self.vectors * S::LANES;
        let last = self.pixels.len().saturating_sub(1) * self.step;
        assert!(self.panel.len() >= self.taps.len() * lanes && self.step >= lanes && self.sums.len() >= last + lanes);
        // Pixels are spread evenly over the calls: 11 are 6 + 5 and not 10 + 1.
        let calls = self.pixels.len().div_ceil(S::PIXELS);
        let mut first = 0;
        for call in 0..calls {
            let count = (self.pixels.len() - first).div_ceil(calls - call);
            let pixels = &self.pixels[first..first + count];
            let sums = (self.sums[first * self.step..].as_mut_ptr(), self.step);
            macro_rules! tiles {
                ($($count:literal)*) => {
                    match count {
                        // SAFETY: the caller of `Pixels` keeps every pixel plus tap inside the patch; the lengths of panel
                        // and sums are asserted above.
                        $($count => if const { $count <= S::PIXELS } { unsafe {
                            if self.vectors == 2 {
                                tile::<S, $count, 2>(simd, self.patch, pixels, self.taps, self.panel.as_ptr(), sums, self.fresh)
                            } else {
                                tile::<S, $count, 1>(simd, self.patch, pixels, self.taps, self.panel.as_ptr(), sums, self.fresh)
                            }
                        } },)*
                        _ => unreachable!("more pixels than registers"),
                    }
                };
            }
            tiles!(1 2 3 4 5 6 7 8 9 10);
            first += count;
        }
    }
}

/// # Safety
/// `patch` plus any pixel plus any tap can be read; `panel` holds `taps * V * LANES` elements, `sums` `V * LANES` at each of
/// `P` multiples of their distance.
#[inline(always)]
unsafe fn tile<S: Simd, const P: usize, const V: usize>(
    simd: S,
    patch: *const S::Scalar,
    pixels: &[u32],
    taps: &[u32],
    mut panel: *const S::Scalar,
    (sums, step): (*mut S::Scalar, usize),
    fresh: bool,
) {
    // SAFETY: by the contract of this function.
    unsafe {
        let mut pointers = [patch; P];
        let mut accumulators = [[simd.zero(); V]; P];
        for pixel in 0..P {
            pointers[pixel] = patch.add(*pixels.get_unchecked(pixel) as usize);
            if !fresh {
                for vector in 0..V {
                    accumulators[pixel][vector] = simd.load(sums.add(pixel * step + vector * S::LANES));
                }
            }
        }
        for &tap in taps {
            let mut weights = [simd.zero(); V];
            for (vector, weight) in weights.iter_mut().enumerate() {
                *weight = simd.load(panel.add(vector * S::LANES));
            }
            for pixel in 0..P {
                let x = simd.splat(*pointers[pixel].add(tap as usize));
                for vector in 0..V {
                    accumulators[pixel][vector] = simd.multiply_add(x, weights[vector], accumulators[pixel][vector]);
                }
            }
            panel = panel.add(V * S::LANES);
        }
        for pixel in 0..P {
            for vector in 0..V {
                simd.store(sums.add(pixel * step + vector * S::LANES), accumulators[pixel][vector]);
            }
        }
    }
}
