//! Micro-kernel with output channels in the vectors: one pointer per output pixel, one table of offsets for all taps.

use super::regions::{Run, Runs};
use crate::simd::{Operation, Simd, prefetch};

/// How far ahead of its use the panel is asked for: the first pixels to meet it find it beyond the L2 cache.
const AHEAD_BYTES: usize = 2 << 10;
const LINE_BYTES: usize = 64;

/// A run of pixels of one tile against one packed panel.
pub(super) struct Pixels<'a, T> {
    /// Start of the patch.
    pub patch: *const T,
    /// Offset of every pixel.
    pub pixels: &'a [u32],
    /// Offset of every tap.
    pub taps: &'a [u32],
    /// The taps that take part, if not all do.
    pub runs: Option<&'a Runs>,
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
    /// Added at last, one element a lane.
    pub bias: Option<&'a [T]>,
    /// Then the least value and the largest.
    pub bounds: Option<[T; 2]>,
}

impl<T> Operation<T> for Pixels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        let lanes = self.vectors * S::LANES;
        let last = self.pixels.len().saturating_sub(1) * self.step;
        assert!(self.panel.len() >= self.taps.len() * lanes && self.step >= lanes && self.sums.len() >= last + lanes);
        assert!(self.bias.is_none_or(|bias| bias.len() >= lanes));
        let all = [Run { skipped: 0, taps: self.taps.len() }];
        let (channels, runs) = self.runs.map_or((1, all.as_slice()), |runs| (runs.channels, &runs.list));
        assert!(channels * runs.iter().map(|run| run.skipped + run.taps).sum::<usize>() <= self.taps.len());
        // Pixels are spread evenly over the calls: 11 are 6 + 5 and not 10 + 1.
        let calls = self.pixels.len().div_ceil(S::PIXELS);
        let mut first = 0;
        for call in 0..calls {
            let count = (self.pixels.len() - first).div_ceil(calls - call);
            let pixels = &self.pixels[first..first + count];
            let sums = self.sums[first * self.step..].as_mut_ptr();
            macro_rules! tiles {
                ($($count:literal)*) => {
                    match count {
                        // SAFETY: the caller of `Pixels` keeps every pixel plus tap inside the patch; the lengths of taps,
                        // panel and sums are asserted above.
                        $($count => if const { $count <= S::PIXELS } { unsafe {
                            if self.vectors == 2 {
                                tile::<S, $count, 2>(simd, &self, (channels, runs), pixels, sums)
                            } else {
                                tile::<S, $count, 1>(simd, &self, (channels, runs), pixels, sums)
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
/// The patch can be read at any pixel plus any tap that takes part; the panel holds `V * LANES` elements a tap, the bias as many, `sums` as many
/// at each of `P` multiples of their distance; the runs stay within the taps.
#[inline(always)]
unsafe fn tile<S: Simd, const P: usize, const V: usize>(
    simd: S,
    with: &Pixels<'_, S::Scalar>,
    (channels, runs): (usize, &[Run]),
    pixels: &[u32],
    sums: *mut S::Scalar,
) {
    // SAFETY: by the contract of this function.
    unsafe {
        let mut pointers = [with.patch; P];
        let mut accumulators = [[simd.zero(); V]; P];
        for pixel in 0..P {
            // Alone, a pixel may lie outside the patch.
            pointers[pixel] = with.patch.wrapping_add(*pixels.get_unchecked(pixel) as usize);
            if !with.fresh {
                for vector in 0..V {
                    accumulators[pixel][vector] = simd.load(sums.add(pixel * with.step + vector * S::LANES));
                }
            }
        }
        let (mut tap, mut panel) = (with.taps.as_ptr(), with.panel.as_ptr());
        for _ in 0..channels {
            for run in runs {
                (tap, panel) = (tap.add(run.skipped), panel.add(run.skipped * V * S::LANES));
                let end = tap.add(run.taps);
                while tap < end {
                    let mut weights = [simd.zero(); V];
                    for (vector, weight) in weights.iter_mut().enumerate() {
                        *weight = simd.load(panel.add(vector * S::LANES));
                    }
                    for bytes in (0..V * size_of::<S::Vector>()).step_by(LINE_BYTES) {
                        prefetch(panel.wrapping_byte_add(AHEAD_BYTES + bytes));
                    }
                    for pixel in 0..P {
                        let x = simd.splat(*pointers[pixel].wrapping_add(*tap as usize));
                        for vector in 0..V {
                            accumulators[pixel][vector] = simd.multiply_add(x, weights[vector], accumulators[pixel][vector]);
                        }
                    }
                    (tap, panel) = (tap.add(1), panel.add(V * S::LANES));
                }
            }
        }
        if let Some(bias) = with.bias {
            for vector in 0..V {
                let bias = simd.load(bias.as_ptr().add(vector * S::LANES));
                for pixel in 0..P {
                    accumulators[pixel][vector] = simd.add(accumulators[pixel][vector], bias);
                }
            }
        }
        if let Some(bounds) = with.bounds {
            let [least, most] = [simd.splat(bounds[0]), simd.splat(bounds[1])];
            for pixel in 0..P {
                for vector in 0..V {
                    accumulators[pixel][vector] = simd.clamp(accumulators[pixel][vector], least, most);
                }
            }
        }
        for pixel in 0..P {
            for vector in 0..V {
                simd.store(sums.add(pixel * with.step + vector * S::LANES), accumulators[pixel][vector]);
            }
        }
    }
}
