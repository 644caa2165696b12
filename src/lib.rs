//! Convolution and pooling of `torch.nn.functional` on strided arrays.
//!
//! The rooms, from the ground up: [`error`] <- [`shape`] <- [`array`] <- [`simd`] <- [`conv`], [`pool`] <- `python`.
//! [`parallel`] serves `conv` and `pool`; [`reference`] is the oracle of the tests and shares no arithmetic with the rest.

pub mod array;
pub mod conv;
pub mod error;
pub mod parallel;
pub mod pool;
#[cfg(feature = "python")]
mod python;
pub mod reference;
pub mod shape;
pub mod simd;

pub use error::Error;
