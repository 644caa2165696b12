//! Everything convrs refuses, one variant a reason, one message each.

use std::fmt;

/// Why a call was refused. Axes are counted among the spatial axes of the call, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A size that must be at least `least`.
    TooSmall {
        /// The argument's name in Python.
        argument: &'static str,
        /// What was given.
        got: i64,
        /// The smallest legal value.
        least: i64,
    },
    /// A size that must be at most `most`.
    TooLarge {
        /// The argument's name in Python.
        argument: &'static str,
        /// What was given.
        got: i64,
        /// The largest legal value.
        most: i64,
        /// Where the limit comes from, numbers filled in.
        because: String,
    },
    /// The kernel does not fit into the padded input.
    KernelTooLarge {
        /// The spatial axis.
        axis: usize,
        /// Input size along the axis.
        input: usize,
        /// Padding before and after.
        padding: (usize, usize),
        /// Taps of the kernel.
        kernel: usize,
        /// Distance of two taps.
        dilation: usize,
    },
    /// A value with a rule of its own.
    Value {
        /// The argument's name in Python.
        argument: &'static str,
        /// What was given.
        got: String,
        /// The rule with its numbers filled in, and what would be legal.
        rule: String,
    },
    /// A shape that does not match another one.
    Shape {
        /// The argument's name in Python.
        argument: &'static str,
        /// Its shape, or another of its sizes with what it counts.
        got: String,
        /// The rule with its numbers filled in, and what would be legal.
        rule: String,
    },
    /// A dtype, kind or combination of kinds that is not taken.
    Kind {
        /// The argument's name in Python.
        argument: &'static str,
        /// What was given.
        got: String,
        /// The rule, and what to write instead.
        rule: String,
    },
    /// A size beyond what memory can address.
    Overflow {
        /// What was being sized.
        what: &'static str,
    },
    /// The caller asked to stop (Ctrl-C).
    Interrupted,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::TooSmall { argument, got, least } => {
                write!(f, "{argument} must be at least {least}, got {got}; the nearest legal value is {least}")
            }
            Error::TooLarge { argument, got, most, because } => {
                write!(f, "{argument} must be at most {most} ({because}), got {got}; the nearest legal value is {most}")
            }
            Error::KernelTooLarge { axis, input, padding: (before, after), kernel, dilation } => {
                let effective = (*kernel as u128 - 1) * *dilation as u128 + 1;
                let padded = *input as u128 + *before as u128 + *after as u128;
                let fits = padded.saturating_sub(1) / *dilation as u128 + u128::from(padded > 0);
                write!(
                    f,
                    "kernel size {kernel} is too large on spatial axis {axis}: it covers dilation * (kernel - 1) + 1 = \
                     {dilation} * ({kernel} - 1) + 1 = {effective} elements, but the padded input has {before} + {input} + {after} = \
                     {padded}; the nearest legal kernel size is {fits}, the nearest legal total padding {}",
                    effective.saturating_sub(*input as u128)
                )
            }
            Error::Shape { argument, got, rule } => {
                write!(f, "{argument} has {}{got}: {rule}", if got.starts_with('[') { "shape " } else { "" })
            }
            Error::Value { argument, got, rule } | Error::Kind { argument, got, rule } => {
                write!(f, "{argument} is {got}: {rule}")
            }
            Error::Overflow { what } => write!(f, "{what} would need more memory than can be addressed"),
            Error::Interrupted => write!(f, "interrupted"),
        }
    }
}

impl std::error::Error for Error {}

/// The product of sizes, or an error naming what was being sized.
pub fn checked_product(what: &'static str, sizes: &[usize]) -> Result<usize, Error> {
    let product = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    // A zero anywhere makes the whole empty, however large the other sizes.
    let product = if sizes.contains(&0) { Some(0) } else { product };
    product.filter(|&product| product <= isize::MAX as usize / 16).ok_or(Error::Overflow { what })
}
