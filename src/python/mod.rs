//! The extension module `convrs._convrs`: Python objects in, views and plain numbers to the core, arrays out.

mod arguments;
mod arrays;
mod conv;
mod errors;
mod fractional;
mod kinds;
mod layers;
mod pool;
mod unfold;
mod unpooled;
mod windows;

use pyo3::prelude::*;

/// Kernels of convrs; the documented functions are in `convrs.functional`.
#[pymodule(gil_used = false)]
mod _convrs {
    use pyo3::exceptions::PyImportError;
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::conv::{conv, conv_transpose};
    #[pymodule_export]
    use super::layers::Layer;
    #[pymodule_export]
    use super::pool::{adaptive_avg_pool, adaptive_max_pool, avg_pool, fractional_max_pool, lp_pool, max_pool, max_unpool};
    #[pymodule_export]
    use super::unfold::{fold, unfold};
    #[pymodule_export]
    use super::windows::{adaptive_windows, fractional_windows, sliding_windows};
    #[pymodule_export]
    use super::{fma_peak, get_num_threads, instruction_set, multiply_add, set_num_threads};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::simd::Isa::chosen().map_err(PyImportError::new_err)?;
        crate::parallel::threads_from_environment().map_err(PyImportError::new_err)?;
        crate::parallel::set_interrupt(super::errors::interrupt_pending);
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// Set the number of threads that later calls may use.
#[pyfunction]
#[pyo3(signature = (num_threads, /))]
fn set_num_threads(num_threads: &Bound<'_, PyAny>) -> PyResult<()> {
    Ok(crate::parallel::set_num_threads(arguments::integer("num_threads", num_threads)?)?)
}

/// The number of threads that calls may use.
#[pyfunction]
fn get_num_threads() -> usize {
    crate::parallel::num_threads()
}

/// The instruction set in use: "avx512", "avx2" or "portable".
#[pyfunction]
fn instruction_set() -> &'static str {
    arrays::isa().name()
}

/// Multiply-adds a second that one thread reaches in float32 with nothing but registers: what a kernel can be measured against.
#[pyfunction]
fn fma_peak(py: Python<'_>) -> f64 {
    py.detach(|| crate::simd::fma_peak(arrays::isa()))
}

/// One step of the kernels' accumulation, `x * w + accumulator`, in float32 or float64: fused where the instruction set is.
#[pyfunction]
#[pyo3(signature = (x, w, accumulator, single, /))]
fn multiply_add(x: f64, w: f64, accumulator: f64, single: bool) -> f64 {
    let fused = arrays::isa() != crate::simd::Isa::Portable;
    match (single, fused) {
        (true, true) => f64::from((x as f32).mul_add(w as f32, accumulator as f32)),
        (true, false) => f64::from(x as f32 * w as f32 + accumulator as f32),
        (false, true) => x.mul_add(w, accumulator),
        (false, false) => x * w + accumulator,
    }
}
