//! What happens to a sum before it is written: bias, residual, activation.

use std::ops::Range;

use crate::array::{Accumulator, Activation, Element, View};
use crate::shape::RANK;
use crate::simd::{Isa, Lanes, Operation, Simd, dispatch};

/// The steps, in this order; each may be absent.
pub struct Epilogue<'a, E: Element> {
    /// Whose vectors compute the activation.
    pub isa: Isa,
    /// One element an output channel, along the last axis.
    pub bias: Option<View<'a, E>>,
    /// Of the output's shape.
    pub residual: Option<View<'a, E>>,
    /// The last step.
    pub activation: &'a Activation,
}

impl<'a, E: Element<Accumulator: Lanes>> Epilogue<'a, E> {
    /// A bias, or nothing.
    pub fn bias(isa: Isa, bias: Option<View<'a, E>>) -> Self {
        Epilogue { isa, bias, residual: None, activation: &Activation::Identity }
    }

    /// The bias of some neighbouring output channels; `to` may be longer, and none is left as it is.
    pub(super) fn bias_of<'b>(&self, channels: Range<usize>, to: &'b mut [E::Accumulator]) -> Option<&'b [E::Accumulator]> {
        let bias = self.bias.as_ref()?;
        for (channel, to) in channels.zip(to.iter_mut()) {
            *to = bias.get([0, 0, 0, 0, channel]).widen();
        }
        Some(to)
    }

    /// What follows the bias if it is no more than bounds: the least value and the largest.
    pub(super) fn bounds(&self) -> Option<[E::Accumulator; 2]> {
        self.bounds_of_activation().filter(|_| self.residual.is_none())
    }

    /// The activation if it is no more than bounds.
    pub(super) fn bounds_of_activation(&self) -> Option<[E::Accumulator; 2]> {
        let bounds = match *self.activation {
            Activation::Relu => [0.0, f64::INFINITY],
            Activation::Clamp { min, max } => [min, max],
            _ => return None,
        };
        Some(bounds.map(E::Accumulator::from_f64))
    }

    /// Whether bias and bounds are all.
    pub(super) fn ends_with_bounds(&self) -> bool {
        self.bounds().is_some() || (self.residual.is_none() && *self.activation == Activation::Identity)
    }

    /// Turns a row of sums into values: those of the outputs from `index` on, `step` columns apart.
    #[inline(always)]
    pub(super) fn apply(&self, index: [usize; RANK], step: usize, sums: &mut [E::Accumulator]) {
        if let Some(bias) = &self.bias {
            let bias = bias.get([0, 0, 0, 0, index[1]]).widen();
            for sum in sums.iter_mut() {
                *sum = sum.plus(bias);
            }
        }
        self.apply_behind_bias(index, step, sums);
    }

    /// The same for sums to which the bias has been added.
    #[inline(always)]
    pub(super) fn apply_behind_bias(&self, index: [usize; RANK], step: usize, sums: &mut [E::Accumulator]) {
        if let Some(residual) = &self.residual {
            let row = residual.run(index, sums.len().saturating_sub(1) * step + 1);
            match row.as_slice() {
                Some(row) if step == 1 => {
                    for (sum, value) in sums.iter_mut().zip(row) {
                        *sum = sum.plus(value.widen());
                    }
                }
                _ => {
                    for (position, sum) in sums.iter_mut().enumerate() {
                        *sum = sum.plus(row.at(position * step).widen());
                    }
                }
            }
        }
        self.activate(index[1], sums);
    }

    /// Adds elements of a channel of the residual, if there is one: from `place` on, counted from the channel's first, `step` apart.
    #[inline(always)]
    pub(super) fn add_residual(&self, [image, channel]: [usize; 2], place: isize, step: isize, sums: &mut [E::Accumulator]) {
        let Some(residual) = &self.residual else { return };
        // SAFETY: image and channel are inside the residual, which has the output's shape and an element at each place.
        unsafe {
            let from = residual.pointer().offset(residual.offset([image, channel, 0, 0, 0]) + place);
            for (at, sum) in sums.iter_mut().enumerate() {
                let value = if step == 1 { from.add(at) } else { from.offset(at as isize * step) };
                *sum = sum.plus((*value).widen());
            }
        }
    }

    /// The last step. A function of its own: the code of all activations would be part of every kernel.
    #[inline(always)]
    pub(super) fn activate(&self, channel: usize, sums: &mut [E::Accumulator]) {
        if *self.activation != Activation::Identity {
            dispatch(self.isa, Activate { activation: self.activation, channel, sums });
        }
    }
}

struct Activate<'a, T> {
    activation: &'a Activation,
    channel: usize,
    sums: &'a mut [T],
}

impl<T: Accumulator> Operation<T> for Activate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, _: S) {
        T::activate(self.activation, self.channel, self.sums);
    }
}
