//! Convolution. [`plan`] chooses, `passes` cuts into tasks, `run` walks them: `patch` brings in the input with its halo, `pack`
//! lays out the weights, `regions` leaves out taps in the padding, `direct`, `straight` and `depthwise` multiply, `write` turns
//! sums into outputs with the `epilogue`. `winograd` is another way for 3 x 3 kernels and `fft` one for long kernels, each with its
//! own plan and tasks.

mod buffers;
mod chunks;
mod depthwise;
mod direct;
mod epilogue;
mod fft;
mod job;
mod latest;
mod layer;
mod pack;
mod pack_phases;
mod passes;
mod patch;
mod patch_axis;
mod plan;
mod regions;
mod rows;
mod run;
mod stage;
mod straight;
mod task;
mod weights;
mod winograd;
mod write;

pub use epilogue::Epilogue;
pub use fft::FftPlan;
pub use layer::{Choice, Kind, Layer, Summary};
pub use plan::{Algorithm, Plan, plan};
pub use run::{Operands, run};
pub use winograd::WinogradPlan;
