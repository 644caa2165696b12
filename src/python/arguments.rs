//! Numbers and sequences of numbers from Python.

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyList, PyString, PyTuple};

use crate::error::Error;
use crate::shape::{Padding, PaddingMode, Rule};

/// Most characters of a value that a message repeats.
const SHOWN: usize = 60;

/// A whole number.
pub(super) fn integer(argument: &'static str, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    integer_or(argument, value, "a whole number")
}

/// A whole number; `needed` says what else would do.
fn integer_or(argument: &'static str, value: &Bound<'_, PyAny>, needed: &str) -> PyResult<i64> {
    if value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyBool>() {
        return Err(wrong_kind(argument, value, needed));
    }
    value.extract::<i64>().map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            let rule = format!("it must lie between -2^63 and 2^63 - 1 = {}", i64::MAX);
            Error::Value { argument, got: shown(value), rule }.into()
        } else {
            wrong_kind(argument, value, needed)
        }
    })
}

/// A number.
pub(super) fn number(argument: &'static str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    value.extract::<f64>().map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            let rule = format!("it must be infinite or lie within float64, {:e} to {:e}", f64::MIN, f64::MAX);
            Error::Value { argument, got: shown(value), rule }.into()
        } else {
            wrong_kind(argument, value, "a number")
        }
    })
}

/// True or False; as torch, no other value counts as one of them.
pub(super) fn flag(argument: &'static str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.extract().map_err(|_| wrong_kind(argument, value, "True or False"))
}

/// The items of a list or tuple, the sequences that torch takes everywhere; `None` for anything else.
pub(super) fn sequence<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return Some(tuple.iter().collect());
    }
    value.cast::<PyList>().ok().map(|list| list.iter().collect())
}

/// A number for every spatial axis, or one for all (torch takes a sequence of one as well). Missing axes get `fill`.
pub(super) fn per_axis(argument: &'static str, value: &Bound<'_, PyAny>, spatial: usize, fill: i64) -> PyResult<[i64; 3]> {
    let first = 3 - spatial;
    let mut axes = [fill; 3];
    let Some(items) = sequence(value) else {
        axes[first..].fill(integer_or(argument, value, "a whole number, or a list or tuple of them")?);
        return Ok(axes);
    };
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
    if spatial > 1 && sequence(value).is_some_and(|items| items.len() == 1) {
        let rule = format!("it must be one number, or one for each of the {spatial} spatial axes");
        return Err(Error::Shape { argument, got: "1 number in a sequence".to_string(), rule }.into());
    }
    per_axis(argument, value, spatial, fill)
}

/// As [`exactly_per_axis`], where `None` for an axis keeps what the input has.
pub(super) fn optional_per_axis(argument: &'static str, value: &Bound<'_, PyAny>, spatial: usize) -> PyResult<[Option<i64>; 3]> {
    let items = sequence(value).unwrap_or_default();
    if items.len() != spatial || spatial == 1 || !items.iter().any(|item| item.is_none()) {
        return Ok(exactly_per_axis(argument, value, spatial, 1)?.map(Some));
    }
    let mut axes = [None; 3];
    for (axis, item) in items.iter().enumerate().filter(|(_, item)| !item.is_none()) {
        axes[3 - spatial + axis] = Some(integer(argument, item)?);
    }
    Ok(axes)
}

/// Whether it is `[]` or `()`, which torch takes for "not given".
pub(super) fn is_empty_sequence(value: &Bound<'_, PyAny>) -> bool {
    sequence(value).is_some_and(|items| items.is_empty())
}

/// A number, a sequence, a (before, after) pair for each axis, or a text: "valid", "same" or "same_lower".
pub(super) fn padding(value: &Bound<'_, PyAny>, spatial: usize) -> PyResult<Padding> {
    if let Ok(text) = value.cast::<PyString>() {
        return match text.to_string_lossy().as_ref() {
            "valid" => Ok(Padding::Valid),
            "same" => Ok(Padding::Same),
            "same_lower" => Ok(Padding::SameLower),
            other => Err(Error::Value {
                argument: "padding",
                got: format!("{other:?}"),
                rule: "as a text it must be \"valid\", \"same\" or \"same_lower\"".to_string(),
            }
            .into()),
        };
    }
    let pairs: Option<Vec<_>> = sequence(value).unwrap_or_default().iter().map(sequence).collect();
    let Some(pairs) = pairs.filter(|pairs| !pairs.is_empty()) else {
        return Ok(Padding::Explicit(per_axis("padding", value, spatial, 0)?.map(|side| (side, side))));
    };
    if pairs.len() != spatial || pairs.iter().any(|pair| pair.len() != 2) {
        let rule = format!("it must have one (before, after) pair for each of the {spatial} spatial axes");
        return Err(Error::Value { argument: "padding", got: shown(value), rule }.into());
    }
    let mut axes = [(0, 0); 3];
    for (axis, pair) in axes[3 - spatial..].iter_mut().zip(pairs) {
        *axis = (integer("padding", &pair[0])?, integer("padding", &pair[1])?);
    }
    Ok(Padding::Explicit(axes))
}

/// The `padding_mode` of a convolution.
pub(super) fn padding_mode(value: &Bound<'_, PyAny>) -> PyResult<PaddingMode> {
    let text = value.cast::<PyString>().map_err(|_| wrong_kind("padding_mode", value, "a text"))?;
    Ok(match text.to_string_lossy().as_ref() {
        "zeros" => PaddingMode::Zeros,
        "reflect" => PaddingMode::Reflect,
        "replicate" => PaddingMode::Replicate,
        "circular" => PaddingMode::Circular,
        other => {
            return Err(Error::Value {
                argument: "padding_mode",
                got: format!("{other:?}"),
                rule: "it must be \"zeros\", \"reflect\", \"replicate\" or \"circular\"".to_string(),
            }
            .into());
        }
    })
}

/// The `rule` of a pool.
pub(super) fn rule(value: &Bound<'_, PyAny>) -> PyResult<Rule> {
    let text = value.cast::<PyString>().map_err(|_| wrong_kind("rule", value, "a text"))?;
    let text = text.to_string_lossy();
    Rule::ALL.into_iter().find(|rule| rule.name() == text).ok_or_else(|| {
        let rule = format!("it must be one of {}", Rule::ALL.map(|rule| format!("{:?}", rule.name())).join(", "));
        Error::Value { argument: "rule", got: format!("{text:?}"), rule }.into()
    })
}

/// A TypeError that names what was given.
pub(super) fn wrong_kind(argument: &str, value: &Bound<'_, PyAny>, needed: &str) -> PyErr {
    let kind = value.get_type().name().map_or_else(|_| "?".to_string(), |name| name.to_string());
    PyTypeError::new_err(format!("{argument} must be {needed}, got {kind}: {}", shown(value)))
}

/// The value as a text of tolerable length.
fn shown(value: &Bound<'_, PyAny>) -> String {
    let text = value.str().map_or_else(|_| "too long to print".to_string(), |text| text.to_string_lossy().into_owned());
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
