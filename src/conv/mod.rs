//! Convolution: [`plan`] chooses, [`patch`] brings in the input with its halo, [`pack`] lays out the weights,
//! [`direct`] and [`depthwise`] are the kernels, and `run` walks the tiles.

mod buffers;
mod depthwise;
mod direct;
mod pack;
mod patch;
mod plan;
mod run;

pub use plan::{Algorithm, Plan, plan};
pub use run::{Operands, run};
