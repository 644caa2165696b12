//! What happens to a sum before it is written: bias, residual, activation.

use crate::array::{Accumulator, Activation, Element, View};

/// The steps, in this order; each may be absent.
pub struct Epilogue<'a, E: Element> {
    /// One element an output channel, along the last axis.
    pub bias: Option<View<'a, E>>,
    /// Of the output's shape.
    pub residual: Option<View<'a, E>>,
    /// The last step.
    pub activation: &'a Activation,
}

impl<'a, E: Element> Epilogue<'a, E> {
    /// A bias, or nothing.
    pub fn bias(bias: Option<View<'a, E>>) -> Self {
        Epilogue { bias, residual: None, activation: &Activation::Identity }
    }

    /// Turns sums of one output channel into values. `residual` gives what is added to a position.
    #[inline(always)]
    pub(super) fn apply(&self, channel: usize, sums: &mut [E::Accumulator], residual: impl Fn(usize) -> E) {
        if let Some(bias) = &self.bias {
            let bias = bias.get([0, 0, 0, 0, channel]).widen();
            for sum in sums.iter_mut() {
                *sum = sum.plus(bias);
            }
        }
        if self.residual.is_some() {
            for (position, sum) in sums.iter_mut().enumerate() {
                *sum = sum.plus(residual(position).widen());
            }
        }
        if *self.activation != Activation::Identity {
            E::Accumulator::activate(self.activation, channel, sums);
        }
    }
}
