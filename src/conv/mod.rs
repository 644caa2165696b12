//! Convolution. [`plan`] chooses, `passes` cuts into tasks, `run` walks them: `patch` brings in the input with its halo, `pack`
//! lays out the weights, `direct` and `depthwise` multiply, `write` turns sums into outputs with the `epilogue`.

mod buffers;
mod chunks;
mod depthwise;
mod direct;
mod epilogue;
mod layer;
mod pack;
mod passes;
mod patch;
mod plan;
mod rows;
mod run;
mod weights;
mod write;

pub use epilogue::Epilogue;
pub use layer::{Kind, Layer};
pub use plan::{Algorithm, Plan, plan};
pub use run::{Operands, run};
