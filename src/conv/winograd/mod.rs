//! Winograd's minimal filtering F(4 x 4, 3 x 3): sixteen outputs of a 3 x 3 kernel from 36 products instead of 144 (Lavin and
//! Gray 2015, arXiv:1509.09308).
//!
//! The output is cut into tiles of 4 x 4 from output 0 on. `input` transforms the 6 x 6 inputs of every tile, `products` adds up
//! over the input channels (and the taps along depth) with the micro-kernel of the direct algorithm, once for each of the 36
//! positions of the transformed plane, and `output` transforms the sums back. `transform` has the matrices.

mod buffers;
mod division;
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

/// Outputs of a tile along height and width.
pub(super) const OUTPUTS: usize = 4;
/// Inputs of a tile along height and width, and points of the transform.
const POINTS: usize = 6;
/// Positions of a transformed tile.
const POSITIONS: usize = POINTS * POINTS;
