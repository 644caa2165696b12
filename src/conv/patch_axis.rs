//! One axis of the box of input elements that a tile reads.

use crate::shape::AxisPass;

/// One axis of the box that a tile reads: as in the input, or without the gaps that no pixel reads, between taps (a large
/// dilation) or between pixels (a stride larger than the kernel).
#[derive(Debug, Clone, Copy)]
pub(super) struct PatchAxis {
    /// Elements along the axis.
    pub length: usize,
    /// Distance of neighbouring pixels.
    pub pixel_step: usize,
    /// Distance of neighbouring taps.
    pub tap_step: usize,
    /// `run` neighbours of the input are kept, `jump` apart.
    pub run: usize,
    pub jump: usize,
}

/// From run to run at most so many times the columns of a run: copying the gap between them then costs less than another run.
const MOST_APART: usize = 8;

impl PatchAxis {
    /// Depth, height and width of a tile of `size` pixels with `taps` taps. Rows are copied one by one, and gaps between them
    /// left out; columns in vectors, and small gaps with them.
    pub fn all(pass: &[AxisPass; 3], size: [usize; 3], taps: [usize; 3]) -> [Self; 3] {
        let mut axes = std::array::from_fn(|axis| PatchAxis::new(&pass[axis], size[axis], taps[axis]));
        let width: &mut PatchAxis = &mut axes[2];
        if width.run > 1 && width.jump <= MOST_APART * width.run {
            *width = PatchAxis::natural(&pass[2], size[2], taps[2]);
        }
        axes
    }

    /// The axis of a tile of `outputs` pixels with `taps` taps.
    pub fn new(pass: &AxisPass, outputs: usize, taps: usize) -> Self {
        let length = pass.extent(outputs, taps);
        let (pixels, reach) = (pass.extent(outputs, 1), pass.extent(1, taps));
        let (pixel_step, tap_step) = (pass.input_step, pass.tap_step);
        if outputs > 0 && taps > 1 && tap_step > pixels {
            PatchAxis { length: taps.saturating_mul(pixels), pixel_step, tap_step: pixels, run: pixels, jump: tap_step }
        } else if taps > 0 && outputs > 1 && pixel_step > reach {
            PatchAxis { length: outputs.saturating_mul(reach), pixel_step: reach, tap_step, run: reach, jump: pixel_step }
        } else {
            PatchAxis { length, pixel_step, tap_step, run: length.max(1), jump: 1 }
        }
    }

    /// The axis as it lies in the input.
    pub fn natural(pass: &AxisPass, outputs: usize, taps: usize) -> Self {
        let length = pass.extent(outputs, taps);
        PatchAxis { length, pixel_step: pass.input_step, tap_step: pass.tap_step, run: length.max(1), jump: 1 }
    }

    /// Whether no gap is left out.
    pub fn is_natural(&self) -> bool {
        self.run >= self.length
    }

    /// Where an element lies in the input, counted from the first.
    #[inline(always)]
    pub fn source(&self, position: usize) -> usize {
        if position < self.run {
            return position;
        }
        position / self.run * self.jump + position % self.run
    }
}

/// Elements of one row of a patch whose pixels lie in vectors: for each residue of the stride, its columns and the overrun of
/// the last vector.
pub(super) fn row_length(axis: &AxisPass, outputs: usize, taps: usize, lanes: usize) -> usize {
    let phase = axis.extent(outputs, taps).div_ceil(axis.input_step).saturating_add(lanes);
    phase.saturating_mul(axis.input_step.min(axis.extent(outputs, taps).max(1)))
}
