//! Winograd's minimal filtering F(4 x 4, 3 x 3): sixteen outputs of a 3 x 3 kernel from 36 products instead of 144 (Lavin and
//! Gray 2015, arXiv:1509.09308); and F(4, 3), four outputs of a 1 x 3 kernel from 6 products instead of 12.
//!
//! The output is cut into tiles of 4 x 4, or of 4, from output 0 on (`form`). `input` transforms the 6 x 6, or 6, inputs of every
//! tile, `products` adds up over the input channels (and the taps along depth) with the micro-kernel of the direct algorithm,
//! once for each position of the transformed tile, and `output` transforms the sums back. `transform` has the matrices.

mod buffers;
mod division;
mod form;
mod input;
mod output;
mod plan;
mod products;
mod repair;
mod run;
mod transform;
mod weights;

pub use plan::WinogradPlan;
pub(super) use plan::refusal;
pub(super) use run::{Problem, effort};
pub(super) use weights::Transformed;

/// Outputs of a tile along an axis that is transformed.
const OUTPUTS: usize = 4;
/// Inputs of a tile along such an axis, and points of the transform.
const POINTS: usize = 6;
