//! Activation functions, over sums in the accumulator's type.

use super::element::Accumulator;
use super::smooth;

/// The last step of a planned layer, by the names of torch.nn.
#[derive(Debug, Clone, PartialEq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// max(x, 0), NaN kept.
    Relu,
    /// x clipped to [min, max], NaN kept.
    Clamp {
        /// Least value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// x, or slope * x where x is negative.
    LeakyRelu {
        /// The slope.
        slope: f64,
    },
    /// As leaky relu, with one slope for all channels or one each.
    Prelu {
        /// The slopes.
        slopes: Vec<f64>,
    },
    /// x * relu6(x + 3) / 6.
    HardSwish,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// x * sigmoid(x).
    Silu,
    /// The hyperbolic tangent.
    Tanh,
    /// x * Phi(x), with the error function.
    Gelu,
}

impl Activation {
    /// Whether channels differ.
    pub fn knows_channels(&self) -> bool {
        matches!(self, Activation::Prelu { slopes } if slopes.len() > 1)
    }
}

/// Applies an activation to floats. The match is outside the loops, so that the simple ones become vector instructions.
macro_rules! activate {
    ($name:ident, $float:ty, $exp:path, $tanh:path, $erf:path) => {
        /// Applies `activation` to sums of one output channel.
        #[inline(always)]
        pub(super) fn $name(activation: &Activation, channel: usize, sums: &mut [$float]) {
            #[inline(always)]
            fn each(sums: &mut [$float], function: impl Fn($float) -> $float) {
                for sum in sums {
                    *sum = function(*sum);
                }
            }
            let sigmoid = |x: $float| 1.0 / (1.0 + $exp(-x));
            match activation {
                Activation::Identity => {}
                Activation::Relu => each(sums, |x| if x < 0.0 { 0.0 } else { x }),
                Activation::Clamp { min, max } => {
                    let (least, most) = (*min as $float, *max as $float);
                    each(sums, |x| x.clamped(least, most));
                }
                Activation::LeakyRelu { slope } => {
                    let slope = *slope as $float;
                    each(sums, |x| if x < 0.0 { slope * x } else { x });
                }
                Activation::Prelu { slopes } => {
                    let slope = slopes[channel.min(slopes.len() - 1)] as $float;
                    each(sums, |x| if x < 0.0 { slope * x } else { x });
                }
                Activation::HardSwish => each(sums, |x| x * (x + 3.0).clamped(0.0, 6.0) / 6.0),
                Activation::Sigmoid => each(sums, sigmoid),
                Activation::Silu => each(sums, |x| x / (1.0 + $exp(-x))),
                Activation::Tanh => each(sums, $tanh),
                Activation::Gelu => {
                    each(sums, |x| 0.5 * x * (1.0 + $erf(x * std::f64::consts::FRAC_1_SQRT_2 as $float)));
                }
            }
        }
    };
}
activate!(activate_f32, f32, smooth::exp, smooth::tanh, smooth::erf);
activate!(activate_f64, f64, f64::exp, f64::tanh, libm::erf);
