//! How the elements of a window become one value.

use crate::array::{Element, Plain, RANK, View, ViewMut};
use crate::error::Error;
use crate::shape::PoolShape;
use crate::simd::Isa;

use super::planes::Planes;
use super::rows;
use super::slide::Slide;

/// How the elements of a window become one value.
pub trait Reduction<E: Element>: Copy + Send + Sync {
    /// What is reduced.
    type Value: Plain;
    /// Whether sliding windows have code for every instruction set. Each such code adds about 20 kB to the wheel; the others make
    /// do with what all processors have.
    const EVERY_SET: bool = false;
    /// Whether elements are floats that become wider ones. Whole numbers, whose sums have no vectors, would gain nothing.
    const WIDENS: bool = !E::DTYPE.is_integer() && size_of::<Self::Value>() > size_of::<E>();
    /// Whether a window may be combined in any order, and an element more than once.
    const IDEMPOTENT: bool = false;
    /// Whether tall windows are made run by run (see [`super::runs`]), for which they must be idempotent. Left to the dtypes of images:
    /// the code of all others would not fit the wheel.
    const RUNS: bool = false;
    /// The value of a window without elements.
    fn empty(self) -> Self::Value;
    /// An element as a value.
    fn lift(self, element: E) -> Self::Value;
    /// A run as values without a copy, if they are the same.
    #[inline(always)]
    fn lifted(self, _run: &[E]) -> Option<&[Self::Value]> {
        None
    }
    /// `value` joined to what came before it.
    fn combine(self, before: Self::Value, value: Self::Value) -> Self::Value;
    /// The output; `divisor` counts the window's elements.
    fn finish(self, value: Self::Value, divisor: i64) -> E;
    /// Whether the divisor is of importance.
    #[inline(always)]
    fn divides(self) -> bool {
        false
    }
    /// Whether `divisor` counts padding elements.
    #[inline(always)]
    fn counts_padding(self) -> bool {
        false
    }
}

/// Fills a run with elements of an input that is converted on the way: those from an index on, along the width, a step apart.
pub type Converted<'a, E> = &'a (dyn Fn([usize; RANK], usize, &mut [E]) + Sync);

/// Where the elements of a pool come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a, E> {
    Array(&'a View<'a, E>),
    Converted(Converted<'a, E>),
}

/// Pools `input` into `output` as `shape` says.
pub fn run<E: Element, R: Reduction<E>>(
    isa: Isa,
    shape: &PoolShape,
    reduction: R,
    input: &View<'_, E>,
    output: &mut ViewMut<'_, E>,
) -> Result<(), Error> {
    assert_eq!(input.shape(), [shape.batch, shape.channels, shape.input[0], shape.input[1], shape.input[2]]);
    run_from(isa, shape, reduction, Source::Array(input), output)
}

/// As [`run`], with an input that is converted on the way and never held as a whole.
pub fn run_converted<E: Element, R: Reduction<E>>(
    isa: Isa,
    shape: &PoolShape,
    reduction: R,
    input: Converted<'_, E>,
    output: &mut ViewMut<'_, E>,
) -> Result<(), Error> {
    run_from(isa, shape, reduction, Source::Converted(input), output)
}

fn run_from<E: Element, R: Reduction<E>>(
    isa: Isa,
    shape: &PoolShape,
    reduction: R,
    input: Source<'_, E>,
    output: &mut ViewMut<'_, E>,
) -> Result<(), Error> {
    assert_eq!(output.shape(), shape.output_shape());
    if shape.output_shape().contains(&0) {
        return Ok(());
    }
    if let Some(slide) = Slide::new::<E, R>(shape) {
        return slide.run(isa, reduction, input, output);
    }
    match Planes::new(shape, reduction, input) {
        Some(planes) => planes.run(isa, output),
        None => rows::run(shape, reduction, input, output),
    }
}
