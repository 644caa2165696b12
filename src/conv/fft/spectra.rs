//! The spectra of a layer's kernels.

use num_complex::Complex64;

use super::plan::FftPlan;
use super::transform::Transform;
use crate::array::{Accumulator, Element, View};
use crate::shape::ConvShape;

/// The conjugate spectrum of every kernel, `[output channel][input channel of its group][bin]`, divided by the number of elements
/// of a block.
pub(in crate::conv) struct Spectra {
    pub(super) transform: Transform,
    kernels: Vec<Complex64>,
    in_channels: usize,
    bins: usize,
}

impl Spectra {
    pub fn new<E: Element>(shape: &ConvShape, weight: &View<'_, E>, plan: &FftPlan) -> Self {
        let (elements, bins, [_, height, width]) = (plan.elements(), plan.bins(), shape.kernel);
        let [_, down, across] = [0, 1, 2].map(|axis| shape.axis_pass(axis, 0).tap_step);
        let count = shape.groups * shape.out_channels * shape.in_channels;
        let transform = Transform::new(plan.block);
        let mut block = vec![0.0; elements];
        let mut working = vec![Complex64::default(); transform.working()];
        let mut kernels = vec![Complex64::default(); count * bins];
        for (kernel, spectrum) in kernels.chunks_exact_mut(bins).enumerate() {
            let (output, input) = (kernel / shape.in_channels, kernel % shape.in_channels);
            block.fill(0.0);
            for tap in 0..height * width {
                let (y, x) = (tap / width, tap % width);
                let value = weight.get([output, input, 0, y, x]).widen().to_f64();
                block[y * down * plan.block[1] + x * across] = value / elements as f64;
            }
            transform.forward(&mut block, spectrum, &mut working);
            for bin in spectrum {
                *bin = bin.conj();
            }
        }
        Spectra { transform, kernels, in_channels: shape.in_channels, bins }
    }

    /// The spectrum between an output channel of the layer and an input channel of its group.
    pub(super) fn kernel(&self, output: usize, input: usize) -> &[Complex64] {
        &self.kernels[(output * self.in_channels + input) * self.bins..][..self.bins]
    }
}
