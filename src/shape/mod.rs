//! Sizes: every question about an output size or a window is answered here, once.

mod axis;
mod conv;

pub use axis::{AxisPass, PaddingMode};
pub use conv::{ConvParams, ConvShape, Padding, TransposedParams};
