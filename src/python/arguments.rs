//! Numbers and sequences of numbers from Python.

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use crate::error::Error;
use crate::shape::{Padding, PaddingMode};

/// A whole number.
pub(super) fn integer(argument: &'static str, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    if value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyBool>() {
        return Err(wrong_kind(argument, value, "a whole number"));
    }
    value.extract::<i64>().map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            Error::Overflow { what: argument }.into()
        } else {
            wrong_kind(argument, value, "a whole number")
        }
    })
}

/// A number for every spatial axis, or one for all (torch takes a sequence of one as well). Missing axes get `fill`.
pub(super) fn per_axis(argument: &'static str, value: &Bound<'_, PyAny>, spatial: usize, fill: i64) -> PyResult<[i64; 3]> {
    let first = 3 - spatial;
    let mut axes = [fill; 3];
    if value.is_exact_instance_of::<PyInt>() || value.is_instance_of::<PyString>() || value.try_iter().is_err() {
        axes[first..].fill(integer(argument, value)?);
        return Ok(axes);
    }
    let items: Vec<Bound<'_, PyAny>> = value.try_iter()?.collect::<PyResult<_>>()?;
    match items.len() {
        1 => axes[first..].fill(integer(argument, &items[0])?),
        length if length == spatial => {
            for (axis, item) in items.iter().enumerate() {
                axes[first + axis] = integer(argument, item)?;
            }
        }
        length => {
            return Err(Error::Shape {
                argument,
                got: format!("{length} numbers"),
                rule: format!("it must be one number, or one for each of the {spatial} spatial axes"),
            }
            .into());
        }
    }
    Ok(axes)
}

/// As [`per_axis`], without the sequence of one for several axes: torch has both rules.
pub(super) fn exactly_per_axis(
    argument: &'static str,
    value: &Bound<'_, PyAny>,
    spatial: usize,
    fill: i64,
) -> PyResult<[i64; 3]> {
    if spatial > 1 && value.len().is_ok_and(|length| length == 1) && !value.is_instance_of::<PyString>() {
        let rule = format!("it must be one number, or one for each of the {spatial} spatial axes");
        return Err(Error::Shape { argument, got: "1 number in a sequence".to_string(), rule }.into());
    }
    per_axis(argument, value, spatial, fill)
}

/// As [`exactly_per_axis`], where `None` for an axis keeps what the input has.
pub(super) fn optional_per_axis(argument: &'static str, value: &Bound<'_, PyAny>, spatial: usize) -> PyResult<[Option<i64>; 3]> {
    let Ok(items) = value.extract::<Vec<Option<Bound<'_, PyAny>>>>() else {
        return Ok(exactly_per_axis(argument, value, spatial, 1)?.map(Some));
    };
    if items.len() != spatial || spatial == 1 || items.iter().all(Option::is_some) {
        return Ok(exactly_per_axis(argument, value, spatial, 1)?.map(Some));
    }
    let mut axes = [None; 3];
    for (axis, item) in items.iter().enumerate() {
        axes[3 - spatial + axis] = item.as_ref().map(|item| integer(argument, item)).transpose()?;
    }
    Ok(axes)
}

/// Whether it is `[]` or `()`, which torch takes for "not given".
pub(super) fn is_empty_sequence(value: &Bound<'_, PyAny>) -> bool {
    value.len().is_ok_and(|length| length == 0)
}

/// The `padding` of a convolution: a number, a sequence, "valid", "same", or a (before, after) pair for each axis.
pub(super) fn padding(value: &Bound<'_, PyAny>, spatial: usize) -> PyResult<Padding> {
    if let Ok(text) = value.cast::<PyString>() {
        return match text.to_string_lossy().as_ref() {
            "valid" => Ok(Padding::Valid),
            "same" => Ok(Padding::Same),
            other => Err(Error::Shape {
                argument: "padding",
                got: format!("{other:?}"),
                rule: "as a text it must be \"valid\" or \"same\"".to_string(),
            }
            .into()),
        };
    }
    if let Ok(number) = integer("padding", value) {
        let mut pairs = [(0, 0); 3];
        pairs[3 - spatial..].fill((number, number));
        return Ok(Padding::Explicit(pairs));
    }
    if let Ok(pairs) = value.extract::<Vec<[i64; 2]>>() {
        if pairs.len() != spatial {
            let rule = format!("it must have one (before, after) pair for each of the {spatial} spatial axes");
            return Err(Error::Shape { argument: "padding", got: format!("{} pairs", pairs.len()), rule }.into());
        }
        let mut axes = [(0, 0); 3];
        for (axis, [before, after]) in axes[3 - spatial..].iter_mut().zip(pairs) {
            *axis = (before, after);
        }
        return Ok(Padding::Explicit(axes));
    }
    Ok(Padding::Explicit(per_axis("padding", value, spatial, 0)?.map(|side| (side, side))))
}

/// The `padding_mode` of a convolution.
pub(super) fn padding_mode(value: &str) -> PyResult<PaddingMode> {
    Ok(match value {
        "zeros" => PaddingMode::Zeros,
        "reflect" => PaddingMode::Reflect,
        "replicate" => PaddingMode::Replicate,
        "circular" => PaddingMode::Circular,
        other => {
            return Err(Error::Shape {
                argument: "padding_mode",
                got: format!("{other:?}"),
                rule: "it must be \"zeros\", \"reflect\", \"replicate\" or \"circular\"".to_string(),
            }
            .into());
        }
    })
}

/// A TypeError that names what was given.
pub(super) fn wrong_kind(argument: &str, value: &Bound<'_, PyAny>, needed: &str) -> PyErr {
    let kind = value.get_type().name().map_or_else(|_| "?".to_string(), |name| name.to_string());
    PyTypeError::new_err(format!("{argument} must be {needed}, got {kind}: {value}"))
}
