//! Sizes: every question about an output size or a window is answered here, once.

mod axis;
mod conv;
mod pool;
mod rule;
mod unfold;
mod window;

pub(crate) use axis::gcd;
pub use axis::{AxisPass, PaddingMode};
pub use conv::{ConvParams, ConvShape, Padding, TransposedParams};
pub use pool::{PoolParams, PoolShape, Samples};
pub use rule::{IndexBase, Rule};
pub use unfold::{UnfoldParams, UnfoldShape};
pub use window::{Window, Windows};

/// Every array is seen as (batch, channel, depth, height, width); missing axes have size 1.
pub const RANK: usize = 5;

/// The sizes of an input for a message: without the batch, which it may lack, and without the neutral axes.
fn without_batch(input: [usize; RANK], spatial: usize) -> String {
    let mut sizes = vec![input[1]];
    sizes.extend_from_slice(&input[RANK - spatial..]);
    format!("{sizes:?} (channels, then the spatial axes)")
}

/// The sizes of a weight for a message, without the neutral axes.
fn shown_weight(weight: [usize; RANK], spatial: usize) -> String {
    let mut sizes = weight[..2].to_vec();
    sizes.extend_from_slice(&weight[RANK - spatial..]);
    format!("{sizes:?}")
}
