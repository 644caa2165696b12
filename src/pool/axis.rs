//! One axis of a pool whose windows are equal, at equal distances.

use std::ops::Range;

use crate::shape::Windows;

/// A sliding axis.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub input: usize,
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    pub before: usize,
}

impl Axis {
    pub fn new(windows: &Windows) -> Option<Self> {
        let Windows::Sliding { input, outputs, kernel, stride, dilation, before, .. } = *windows else { return None };
        Some(Axis { input, outputs, kernel, stride, dilation, before })
    }

    /// Elements from the first to the last that a window covers.
    #[inline(always)]
    pub fn span(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    /// Elements that neighbouring windows cover together.
    #[inline(always)]
    pub fn covered(&self, outputs: usize) -> usize {
        (outputs - 1) * self.stride + self.span()
    }

    /// Outputs that together cover about as many elements, one at least.
    #[inline(always)]
    pub fn fitting(&self, elements: usize) -> usize {
        (elements.saturating_sub(self.span()) / self.stride + 1).min(self.outputs)
    }

    /// Of the elements that outputs from `first` on cover, those in the input, and where they are there.
    #[inline(always)]
    pub fn inside(&self, first: usize, outputs: usize) -> (Range<usize>, usize) {
        let (start, covered) = (first * self.stride, self.covered(outputs));
        let low = self.before.saturating_sub(start).min(covered);
        let high = (self.input + self.before).saturating_sub(start).clamp(low, covered);
        (low..high, (start + low).saturating_sub(self.before))
    }
}
