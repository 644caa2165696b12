//! Sizes: every question about an output size or a window is answered here, once.

mod axis;
mod conv;
mod pool;
mod unfold;
mod window;

pub use axis::{AxisPass, PaddingMode};
pub use conv::{ConvParams, ConvShape, Padding, TransposedParams};
pub use pool::{PoolParams, PoolShape, Samples};
pub use unfold::{UnfoldParams, UnfoldShape};
pub use window::{Window, Windows};

/// Every array is seen as (batch, channel, depth, height, width); missing axes have size 1.
pub const RANK: usize = 5;
