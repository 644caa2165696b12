//! Micro-kernel with neighbouring output pixels in the vectors: for depthwise layers and few output channels.

use crate::simd::{Operation, Simd};

/// Runs of `LANES` pixels of one tile against the weights of one to four output channels.
pub(super) struct PixelVectors<'a, T> {
    /// Start of the patch.
    pub patch: *const T,
    /// Offset of the first pixel of every vector.
    pub vectors: &'a [u32],
    /// Offset of every tap.
    pub taps: &'a [u32],
    /// `[tap][channels]`.
    pub panel: &'a [T],
    /// `[channel][vector * LANES]`, read first unless `fresh`.
    pub sums: &'a mut [T],
    /// Output channels, 1 to 4.
    pub channels: usize,
    /// Start from zero.
    pub fresh: bool,
    /// Added at last, one element a channel.
    pub bias: Option<&'a [T]>,
    /// Then the least value and the largest.
    pub bounds: Option<[T; 2]>,
}

impl<T> Operation<T> for PixelVectors<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        assert!(self.panel.len() >= self.taps.len() * self.channels);
        assert!(self.sums.len() >= self.channels * self.vectors.len() * S::LANES);
        assert!(self.bias.is_none_or(|bias| bias.len() >= self.channels));
        let sums = self.sums.as_mut_ptr();
        let mut first = 0;
        while first < self.vectors.len() {
            let left = self.vectors.len() - first;
            macro_rules! rows {
                ($channels:literal: $($count:literal)*) => {
                    $(if left >= $count {
                        // SAFETY: the caller of `PixelVectors` keeps every vector plus tap inside the patch; the lengths
                        // of panel, bias and sums are asserted above.
                        unsafe { rows::<S, $channels, $count>(simd, &self, sums, first) };
                        first += $count;
                        continue;
                    })*
                };
            }
            match self.channels {
                1 => {
                    rows!(1: 8 4 2 1);
                }
                2 => {
                    rows!(2: 4 2 1);
                }
                3 => {
                    rows!(3: 4 2 1);
                }
                4 => {
                    rows!(4: 2 1);
                }
                _ => unreachable!("more channels than the plan allows"),
            }
        }
    }
}

/// # Safety
/// `LANES` elements can be read at every vector plus every tap of the patch; panel, bias and sums are as long as their docs say.
#[inline(always)]
unsafe fn rows<S: Simd, const C: usize, const V: usize>(
    simd: S,
    job: &PixelVectors<'_, S::Scalar>,
    sums: *mut S::Scalar,
    first: usize,
) {
    let channel_stride = job.vectors.len() * S::LANES;
    // SAFETY: by the contract of this function.
    unsafe {
        let sums = sums.add(first * S::LANES);
        let mut pointers = [job.patch; V];
        let mut accumulators = [[simd.zero(); V]; C];
        for vector in 0..V {
            pointers[vector] = job.patch.add(*job.vectors.get_unchecked(first + vector) as usize);
            if !job.fresh {
                for channel in 0..C {
                    accumulators[channel][vector] = simd.load(sums.add(channel * channel_stride + vector * S::LANES));
                }
            }
        }
        let mut panel = job.panel.as_ptr();
        for &tap in job.taps {
            let mut weights = [simd.zero(); C];
            for (channel, weight) in weights.iter_mut().enumerate() {
                *weight = simd.splat(*panel.add(channel));
            }
            for vector in 0..V {
                let x = simd.load(pointers[vector].add(tap as usize));
                for channel in 0..C {
                    accumulators[channel][vector] = simd.multiply_add(x, weights[channel], accumulators[channel][vector]);
                }
            }
            panel = panel.add(C);
        }
        for channel in 0..C {
            if let Some(bias) = job.bias {
                let bias = simd.splat(*bias.get_unchecked(channel));
                for vector in 0..V {
                    accumulators[channel][vector] = simd.add(accumulators[channel][vector], bias);
                }
            }
            if let Some(bounds) = job.bounds {
                let [least, most] = [simd.splat(bounds[0]), simd.splat(bounds[1])];
                for vector in 0..V {
                    accumulators[channel][vector] = simd.clamp(accumulators[channel][vector], least, most);
                }
            }
            for vector in 0..V {
                simd.store(sums.add(channel * channel_stride + vector * S::LANES), accumulators[channel][vector]);
            }
        }
    }
}
