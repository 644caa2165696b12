//! Long one-dimensional kernels: a row is cut into as many segments as two vectors have lanes, and turned so that a vector
//! holds one element of each. Every load is then aligned and serves several outputs.

use crate::shape::AxisPass;
use crate::simd::Simd;

/// Fewer taps, or fewer outputs of a segment, do not pay for turning the row.
const LEAST_TAPS: usize = 16;
const LEAST_SEGMENT: usize = 8;
/// The most taps: what they read beyond a segment must fit in scratch memory.
const MOST_TAPS: usize = 8 << 10;
/// Outputs of a tile, where its kernel is not much longer.
const TILE: usize = 4 << 10;
/// Taps between which sums are stored, so that what they read stays in the L1 cache.
const TAPS: usize = 256;
/// Outputs whose sums are held at once.
const OUTPUTS: usize = 8;
const FEWER_OUTPUTS: usize = 4;
/// Vectors side by side.
const VECTORS: usize = 2;

/// How a row is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segments {
    /// Outputs of a segment.
    pub length: usize,
    /// Inputs that they read.
    inputs: usize,
    lanes: usize,
}

impl Segments {
    /// Segments for `outputs` outputs of a pass.
    pub fn new(axes: &[AxisPass; 3], outputs: usize, lanes: usize) -> Option<Self> {
        let [depth, height, width] = axes;
        let long = (LEAST_TAPS..=MOST_TAPS).contains(&width.taps);
        let dense = width.input_step == 1 && width.tap_step == 1;
        if depth.taps != 1 || height.taps != 1 || !long || !dense || outputs < LEAST_SEGMENT * VECTORS * lanes {
            return None;
        }
        // At least a vector, so that one that overruns its segment ends in the next.
        let length = outputs.div_ceil(VECTORS * lanes).next_multiple_of(OUTPUTS).max(lanes);
        Some(Segments { length, inputs: (length + width.taps - 1).next_multiple_of(lanes), lanes })
    }

    /// The largest tile.
    pub fn tile(axes: &[AxisPass; 3], lanes: usize) -> Option<[usize; 3]> {
        let outputs = axes[2].outputs;
        let tile = outputs.div_ceil(outputs.div_ceil(TILE.max(lanes * axes[2].taps)).max(1));
        Segments::new(axes, tile, lanes).map(|_| [1, 1, tile])
    }

    /// Elements of the row, its overrun included.
    pub fn row(&self) -> usize {
        (VECTORS * self.lanes - 1) * self.length + self.inputs + self.lanes
    }

    /// Elements of the turned input, and of the turned sums.
    pub fn turned(&self) -> [usize; 2] {
        [self.inputs, self.length.next_multiple_of(self.lanes)].map(|rows| rows * VECTORS * self.lanes)
    }
}

/// One row.
pub(super) struct Long<'a, T> {
    pub segments: Segments,
    /// [`Segments::row`] elements.
    pub row: &'a [T],
    pub weights: &'a [T],
    /// [`Segments::turned`] elements.
    pub input: &'a mut [T],
    pub sums: &'a mut [T],
    /// [`Segments::row`] elements; the first outputs are the result.
    pub output: &'a mut [T],
}

impl<T> Long<'_, T> {
    #[inline(always)]
    pub fn run<S: Simd<Scalar = T>>(self, simd: S) {
        let Long { segments: Segments { length, inputs, lanes }, row, input, sums, output, weights } = self;
        let pitch = VECTORS * S::LANES;
        let [input_size, sums_size] = self.segments.turned();
        assert!(lanes == S::LANES && input.len() >= input_size && sums.len() >= sums_size);
        assert!(row.len() >= self.segments.row() && output.len() >= self.segments.row() && inputs >= length + weights.len() - 1);
        // SAFETY: by the lengths asserted.
        unsafe {
            for first in (0..inputs).step_by(S::LANES) {
                for lane in (0..pitch).step_by(S::LANES) {
                    let from = row.as_ptr().add(lane * length + first);
                    simd.transpose(from, length, input.as_mut_ptr().add(first * pitch + lane), pitch);
                }
            }
            let chunk = weights.len().div_ceil(weights.len().div_ceil(TAPS));
            for first in (0..weights.len()).step_by(chunk) {
                let weights = &weights[first..weights.len().min(first + chunk)];
                let input = input.as_ptr().add(first * pitch);
                if const { S::PIXELS > 6 } {
                    multiply::<S, OUTPUTS>(simd, input, weights, sums.as_mut_ptr(), length, first == 0);
                } else {
                    multiply::<S, FEWER_OUTPUTS>(simd, input, weights, sums.as_mut_ptr(), length, first == 0);
                }
            }
            // A block that overruns its segments writes what the next block to the right, or the one before, overwrites.
            for lane in (0..pitch).step_by(S::LANES) {
                for first in (0..length).step_by(S::LANES).rev() {
                    let to = output.as_mut_ptr().add(lane * length + first);
                    simd.transpose(sums.as_ptr().add(first * pitch + lane), pitch, to, length);
                }
            }
        }
    }
}

/// All outputs of the segments, `R` at a time; each adds its taps in their order.
///
/// # Safety
/// `rows` is a multiple of `R`; sums have that many rows of two vectors, the input as many and one for each further weight.
#[inline(always)]
unsafe fn multiply<S: Simd, const R: usize>(
    simd: S,
    input: *const S::Scalar,
    weights: &[S::Scalar],
    sums: *mut S::Scalar,
    rows: usize,
    fresh: bool,
) {
    let pitch = VECTORS * S::LANES;
    let taps = weights.len();
    for first in (0..rows).step_by(R) {
        // SAFETY: by the contract of this function.
        unsafe {
            let (input, sums) = (input.add(first * pitch), sums.add(first * pitch));
            let mut totals = [[simd.zero(); VECTORS]; R];
            if !fresh {
                for output in 0..R {
                    for vector in 0..VECTORS {
                        totals[output][vector] = simd.load(sums.add(output * pitch + vector * S::LANES));
                    }
                }
            }
            macro_rules! rows {
                ($range:expr, $reads:expr) => {
                    for position in $range {
                        let from = input.add(position * pitch);
                        let x: [S::Vector; VECTORS] = [simd.load(from), simd.load(from.add(S::LANES))];
                        for output in 0..R {
                            if $reads(position, output) {
                                let weight = simd.splat(*weights.as_ptr().wrapping_add(position).wrapping_sub(output));
                                for vector in 0..VECTORS {
                                    totals[output][vector] = simd.multiply_add(x[vector], weight, totals[output][vector]);
                                }
                            }
                        }
                    }
                };
            }
            // The first inputs are read by the first outputs only, the last ones by the last.
            let full = (R - 1).min(taps)..taps;
            rows!(0..full.start, |position, output| output <= position);
            rows!(full, |_, _| true);
            rows!(taps..taps + R - 1, |position: usize, output| output <= position && position - output < taps);
            for output in 0..R {
                for vector in 0..VECTORS {
                    simd.store(sums.add(output * pitch + vector * S::LANES), totals[output][vector]);
                }
            }
        }
    }
}
