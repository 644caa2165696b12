//! NumPy arrays as views, new arrays for results, and the checks of `out`.

use std::ops::Range;

use numpy::npyffi::{NPY_ARRAY_ALIGNED, NPY_ARRAY_WRITEABLE, NpyTypes, PY_ARRAY_API, PyArrayObject, get_type_object};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PySlice, PyTuple};

use super::kinds;
use crate::array::{DType, Element, RANK, View, ViewMut};
use crate::error::Error;
use crate::simd::Isa;

/// Elements that are copied without asking for Ctrl-C: a few milliseconds.
const COPIED_AT_ONCE: usize = 1 << 21;

/// The instruction set in use; the module's import has checked that there is one.
pub(super) fn isa() -> Isa {
    Isa::chosen().expect("checked at import")
}

/// An input array: native byte order, aligned, strides in whole elements; copied only if it was not.
pub(super) struct Input<'py> {
    array: Bound<'py, PyUntypedArray>,
    /// The argument itself.
    given: Bound<'py, PyUntypedArray>,
    /// Its dtype.
    pub dtype: DType,
    argument: &'static str,
}

impl<'py> Input<'py> {
    /// The argument's array, or a TypeError.
    pub fn new(argument: &'static str, value: &Bound<'py, PyAny>) -> PyResult<Self> {
        let array = value.cast::<PyUntypedArray>().map_err(|_| super::arguments::wrong_kind(argument, value, "a NumPy array"))?;
        let descriptor = array.dtype();
        let Some(dtype) = kinds::of(&descriptor) else {
            let rule = format!(
                "convrs takes float16, bfloat16, float32, float64, the integers, bool, complex64 and complex128; write \
                 {argument}.astype(\"float32\")"
            );
            return Err(Error::Kind { argument, got: kinds::name(&descriptor), rule }.into());
        };
        let given = array.clone();
        let array = if directly_usable(array, &descriptor) { given.clone() } else { copied(array, &descriptor)? };
        Ok(Input { array, given, dtype, argument })
    }

    /// The interpreter.
    pub fn py(&self) -> Python<'py> {
        self.array.py()
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.array.ndim()
    }

    /// Sizes.
    pub fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// Refuses another dtype than `other`'s, as torch does.
    pub fn same_dtype(&self, other: &Input<'_>) -> PyResult<()> {
        if self.dtype == other.dtype {
            return Ok(());
        }
        let wanted = other.dtype_name();
        // Whole numbers made of weights would be zeros.
        let (changed, into) = match (self.dtype.is_integer(), other.dtype.is_integer()) {
            (false, true) => (other.argument, self.dtype_name()),
            _ => (self.argument, wanted.clone()),
        };
        let rule = format!("it must have the dtype of {}, {wanted}; write {changed}.astype(\"{into}\")", other.argument);
        Err(Error::Kind { argument: self.argument, got: self.dtype_name(), rule }.into())
    }

    /// The array as (batch, channels, depth, height, width): its last `spatial` axes at the back, a missing batch axis 1.
    pub fn view<E: Element>(&self, spatial: usize) -> View<'py, E> {
        let (shape, strides) = five_axes(&self.array, spatial, size_of::<E>());
        // SAFETY: NumPy promises the memory behind shape and strides while `array` is held; it is aligned and initialised.
        unsafe { View::from_raw((*self.array.as_array_ptr()).fields.data.cast(), shape, strides) }
    }

    /// The dtype as NumPy has it.
    pub fn descriptor(&self) -> Bound<'py, PyArrayDescr> {
        self.array.dtype()
    }

    /// The dtype's name in Python.
    pub fn dtype_name(&self) -> String {
        kinds::name(&self.array.dtype())
    }

    /// The TypeError for a dtype that the operator has no meaning for.
    pub fn refused(&self) -> PyErr {
        let rule = format!("the operator is not defined for it; write {}.astype(\"float32\")", self.argument);
        Error::Kind { argument: self.argument, got: self.dtype_name(), rule }.into()
    }

    /// Refuses an array that is not (batch, channels, `spatial` axes), with or without the batch.
    pub fn check_rank(&self, spatial: usize) -> PyResult<()> {
        let rank = spatial + 2;
        if self.rank() == rank || self.rank() == rank - 1 {
            return Ok(());
        }
        let rule = format!("it must have {rank} axes (batch, channels, {spatial} spatial), or {} without the batch", rank - 1);
        Err(Error::Shape { argument: self.argument, got: format!("{:?}", self.shape()), rule }.into())
    }

    /// Sizes as (batch, channels, depth, height, width).
    pub fn five(&self, spatial: usize) -> [usize; RANK] {
        five_axes(&self.array, spatial, 1).0
    }

    /// The sizes in `five` of the axes that this array has.
    pub fn without_neutral_axes(&self, spatial: usize, five: [usize; RANK]) -> Vec<usize> {
        let mut shape = Vec::with_capacity(RANK);
        shape.extend_from_slice(&five[usize::from(self.rank() == spatial + 1)..2]);
        shape.extend_from_slice(&five[RANK - spatial..]);
        shape
    }

    fn memory(&self) -> Range<usize> {
        memory(&self.given)
    }
}

/// The array a result goes to: fresh, or `out` after its checks. Nobody else writes it while it is held.
pub(super) struct Output<'py> {
    array: Bound<'py, PyUntypedArray>,
}

impl<'py> Output<'py> {
    /// `out` if given and right, else a new array. `inputs` must not overlap it.
    pub fn new(
        out: Option<&Bound<'py, PyAny>>,
        shape: &[usize],
        dtype: &Bound<'py, PyArrayDescr>,
        inputs: &[&Input<'py>],
    ) -> PyResult<Self> {
        let Some(out) = out else { return Ok(Output { array: new_array(dtype.py(), kinds::native(dtype)?, shape)? }) };
        let array = out.cast::<PyUntypedArray>().map_err(|_| super::arguments::wrong_kind("out", out, "a NumPy array"))?;
        if array.shape() != shape {
            let dtype = kinds::name(dtype);
            let rule = format!("the result has shape {shape:?}; write out=numpy.empty({shape:?}, \"{dtype}\")");
            return Err(Error::Shape { argument: "out", got: format!("{:?}", array.shape()), rule }.into());
        }
        let descriptor = array.dtype();
        if kinds::of(&descriptor) != kinds::of(dtype) {
            let dtype = kinds::name(dtype);
            let rule = format!("the result has dtype {dtype}; write out=numpy.empty({shape:?}, \"{dtype}\")");
            return Err(Error::Kind { argument: "out", got: kinds::name(&descriptor), rule }.into());
        }
        // SAFETY: reading the flags of a live array.
        let flags = unsafe { (*array.as_array_ptr()).fields.flags };
        if flags & NPY_ARRAY_WRITEABLE == 0 || !directly_usable(array, &descriptor) {
            let rule = "it must be writable, aligned and in the machine's byte order".to_string();
            return Err(
                Error::Value { argument: "out", got: "an array that cannot be written in place".to_string(), rule }.into()
            );
        }
        if repeats_elements(array) {
            let rule = "every element must have its own place in memory; write numpy.empty".to_string();
            return Err(Error::Shape { argument: "out", got: format!("strides {:?}", array.strides()), rule }.into());
        }
        let written = memory(array);
        for input in inputs {
            let read = input.memory();
            if written.start < read.end && read.start < written.end {
                let rule = format!("it must not overlap {} in memory; write out=numpy.empty(...) or .copy()", input.argument);
                return Err(Error::Value { argument: "out", got: "an overlapping array".to_string(), rule }.into());
            }
        }
        Ok(Output { array: array.clone() })
    }

    /// A new array for indices.
    pub fn indices(py: Python<'py>, shape: &[usize]) -> PyResult<Self> {
        Ok(Output { array: new_array(py, numpy::dtype::<i64>(py).into_dtype_ptr(), shape)? })
    }

    /// The array as (batch, channels, depth, height, width).
    pub fn view<E: Element>(&mut self, spatial: usize) -> ViewMut<'_, E> {
        let (shape, strides) = five_axes(&self.array, spatial, size_of::<E>());
        // SAFETY: NumPy promises the memory behind shape and strides; the array is fresh, or `new` has checked that every
        // element has its own place, aligned, that no input shares.
        unsafe { ViewMut::from_raw((*self.array.as_array_ptr()).fields.data.cast(), shape, strides) }
    }

    /// The result for Python.
    pub fn into_any(self) -> Bound<'py, PyAny> {
        self.array.into_any()
    }
}

/// Shape and strides (in elements of `size` bytes) as (batch, channels, depth, height, width).
fn five_axes(array: &Bound<'_, PyUntypedArray>, spatial: usize, size: usize) -> ([usize; RANK], [isize; RANK]) {
    let rank = array.ndim();
    let (mut shape, mut strides) = ([1; RANK], [0; RANK]);
    let batched = usize::from(rank == spatial + 2);
    for axis in 0..rank {
        let target = if axis + spatial >= rank { axis + RANK - rank } else { axis + 1 - batched };
        shape[target] = array.shape()[axis];
        strides[target] = array.strides()[axis] / size as isize;
    }
    (shape, strides)
}

/// A new C-ordered array; steals the descriptor.
pub(super) fn new_array<'py>(
    py: Python<'py>,
    descriptor: *mut numpy::npyffi::PyArray_Descr,
    shape: &[usize],
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let mut sizes = shape.iter().map(|&size| size as isize).collect::<Vec<_>>();
    // SAFETY: a valid descriptor, whose reference is given away, and as many sizes as axes; NULL strides mean C order.
    let array = unsafe {
        PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            get_type_object(py, NpyTypes::PyArray_Type),
            descriptor,
            sizes.len() as i32,
            sizes.as_mut_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
        )
    };
    // SAFETY: a new reference, or NULL with the exception set.
    let array = unsafe { Bound::from_owned_ptr_or_err(py, array)? };
    // SAFETY: PyArray_NewFromDescr made an array.
    Ok(unsafe { array.cast_into_unchecked() })
}

fn directly_usable(array: &Bound<'_, PyUntypedArray>, descriptor: &Bound<'_, PyArrayDescr>) -> bool {
    let object: *mut PyArrayObject = array.as_array_ptr();
    // SAFETY: reading the flags of a live array.
    let aligned = unsafe { (*object).fields.flags } & NPY_ARRAY_ALIGNED != 0;
    let size = descriptor.itemsize().max(1) as isize;
    // SAFETY: reading the data pointer of a live array.
    let address = unsafe { (*object).fields.data } as usize;
    // A record (our bfloat16) claims an alignment of 1, so the address is checked as well.
    aligned
        && address.is_multiple_of(descriptor.itemsize().clamp(1, 8))
        && descriptor.is_native_byteorder() != Some(false)
        && array.strides().iter().zip(array.shape()).all(|(stride, &size_of_axis)| size_of_axis <= 1 || stride % size == 0)
}

fn copied<'py>(
    array: &Bound<'py, PyUntypedArray>,
    descriptor: &Bound<'py, PyArrayDescr>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let copy = new_array(array.py(), kinds::native(descriptor)?, array.shape())?;
    copy_pieces(&copy, array)?;
    Ok(copy)
}

/// Copies in pieces, and asks for Ctrl-C between them.
fn copy_pieces<'py>(to: &Bound<'py, PyUntypedArray>, from: &Bound<'py, PyUntypedArray>) -> PyResult<()> {
    if from.len() <= COPIED_AT_ONCE {
        // SAFETY: two live arrays of one shape; NumPy converts the byte order.
        let status = unsafe { PY_ARRAY_API.PyArray_CopyInto(from.py(), to.as_array_ptr(), from.as_array_ptr()) };
        return if status < 0 { Err(PyErr::fetch(from.py())) } else { Ok(()) };
    }
    from.py().check_signals()?;
    let axis = (0..from.ndim()).find(|&axis| from.shape()[axis] > 1).expect("it has several elements");
    let half = from.shape()[axis] / 2;
    for part in [PySlice::new(from.py(), 0, half as isize, 1), PySlice::new(from.py(), half as isize, isize::MAX, 1)] {
        let mut index = vec![PySlice::full(from.py()); axis];
        index.push(part);
        let index = PyTuple::new(from.py(), index)?;
        copy_pieces(to.get_item(&index)?.cast()?, from.get_item(&index)?.cast()?)?;
    }
    Ok(())
}

/// The addresses that an array's elements span.
fn memory(array: &Bound<'_, PyUntypedArray>) -> Range<usize> {
    // SAFETY: reading the data pointer of a live array.
    let start = unsafe { (*array.as_array_ptr()).fields.data } as isize;
    if array.shape().contains(&0) {
        return 0..0;
    }
    let (mut low, mut high) = (start, start);
    for (&size, &stride) in array.shape().iter().zip(array.strides()) {
        let span = (size as isize - 1) * stride;
        low += span.min(0);
        high += span.max(0);
    }
    low as usize..high as usize + array.dtype_size()
}

/// Whether two indices may share a place: strides, sorted, must each step over everything below them.
fn repeats_elements(array: &Bound<'_, PyUntypedArray>) -> bool {
    if array.shape().contains(&0) {
        return false;
    }
    let mut axes: Vec<_> = array.shape().iter().zip(array.strides()).filter(|(size, _)| **size > 1).collect();
    axes.sort_by_key(|(_, stride)| stride.unsigned_abs());
    let mut reach = array.dtype_size();
    axes.into_iter().any(|(&size, &stride)| {
        let overlaps = stride.unsigned_abs() < reach;
        reach += (size - 1) * stride.unsigned_abs();
        overlaps
    })
}

trait ItemSize {
    fn dtype_size(&self) -> usize;
}

impl ItemSize for Bound<'_, PyUntypedArray> {
    fn dtype_size(&self) -> usize {
        self.dtype().itemsize()
    }
}
