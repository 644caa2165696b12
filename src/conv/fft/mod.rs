//! Plain convolution by the fast Fourier transform, for long kernels: the input is cut into overlapping blocks, whose spectra are
//! multiplied with those of the kernels (overlap-save; Oppenheim and Schafer, *Discrete-Time Signal Processing*, section 8.7).
//!
//! Everything between the input and the output is float64, so that a float32 result is as good as a direct one wherever the
//! elements of a block are of like size.

mod plan;
mod run;
mod spectra;
mod transform;

pub use plan::FftPlan;
pub(super) use plan::refusal;
pub(super) use run::{Problem, effort};
pub(super) use spectra::Spectra;
