//! Element types, strided views, the shared output of a parallel loop, and scratch memory.

mod activation;
mod element;
mod float16;
mod numbers;
mod scratch;
mod smooth;
mod tiles;
mod view;

pub use crate::shape::RANK;
pub use activation::Activation;
pub use element::{Accumulator, Bool, DType, Element, Ordered, Plain, Sum};
pub use half::{bf16, f16};
pub use num_complex::{Complex32, Complex64};
pub use scratch::{Aligned, CALL_BYTES, SCRATCH_BYTES, Scratch, with_call_scratch, with_scratch};
pub use tiles::SharedOutput;
pub use view::{Run, View, ViewMut, contiguous_strides};
