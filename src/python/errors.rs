//! The one map from our errors to Python's.

use pyo3::exceptions::{PyMemoryError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::error::Error;

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        match error {
            // The handler that saw the signal has set the exception (KeyboardInterrupt, or what the user's handler raised).
            Error::Interrupted => {
                Python::attach(|py| PyErr::take(py).unwrap_or_else(|| pyo3::exceptions::PyKeyboardInterrupt::new_err(())))
            }
            Error::Kind { .. } => PyTypeError::new_err(error.to_string()),
            Error::Overflow { .. } => PyMemoryError::new_err(error.to_string()),
            _ => PyValueError::new_err(error.to_string()),
        }
    }
}

/// Whether Ctrl-C was pressed; asked on the calling thread while the GIL is released.
pub(super) fn interrupt_pending() -> bool {
    Python::attach(|py| match py.check_signals() {
        Ok(()) => false,
        Err(error) => {
            error.restore(py);
            true
        }
    })
}
