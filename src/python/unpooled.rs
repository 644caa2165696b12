//! The `output_size` of an unpool.

use pyo3::prelude::*;

use super::arguments::{integer, sequence, wrong_kind};
use crate::error::Error;

/// Sizes of the spatial axes; a sequence may carry batch and channels in front, which torch ignores.
pub(super) fn wanted(value: &Bound<'_, PyAny>, spatial: usize) -> PyResult<[i64; 3]> {
    let items = sequence(value).ok_or_else(|| wrong_kind("output_size", value, "a list or tuple of whole numbers"))?;
    if items.len() != spatial && items.len() != spatial + 2 {
        let rule =
            format!("it must have one number for each of the {spatial} spatial axes, or batch and channels in front of them");
        return Err(Error::Shape { argument: "output_size", got: format!("{} numbers", items.len()), rule }.into());
    }
    let mut sizes = [1; 3];
    for (axis, item) in items[items.len() - spatial..].iter().enumerate() {
        sizes[3 - spatial + axis] = integer("output_size", item)?;
    }
    Ok(sizes)
}
