//! Which NumPy dtype is which of ours.

use numpy::npyffi::{NPY_TYPES, PyArray_Descr};
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pyo3::prelude::*;

use crate::array::DType;

/// The dtype of a NumPy descriptor, or `None` if no operator takes it. bfloat16 is either ml_dtypes' or, for torch's tensors,
/// a one-field record named "bfloat16".
pub(super) fn of(descriptor: &Bound<'_, PyArrayDescr>) -> Option<DType> {
    use NPY_TYPES::*;
    let number = descriptor.num();
    let size = descriptor.itemsize();
    let is = |kind: NPY_TYPES| number == kind as i32;
    // NumPy has several C integers of one size; the size decides.
    if is(NPY_FLOAT) {
        return Some(DType::F32);
    }
    if is(NPY_DOUBLE) || (is(NPY_LONGDOUBLE) && size == 8) {
        return Some(DType::F64);
    }
    if is(NPY_BOOL) {
        return Some(DType::Bool);
    }
    if [NPY_BYTE, NPY_SHORT, NPY_INT, NPY_LONG, NPY_LONGLONG].into_iter().any(is) {
        return match size {
            1 => Some(DType::I8),
            2 => Some(DType::I16),
            4 => Some(DType::I32),
            8 => Some(DType::I64),
            _ => None,
        };
    }
    if [NPY_UBYTE, NPY_USHORT, NPY_UINT, NPY_ULONG, NPY_ULONGLONG].into_iter().any(is) {
        return match size {
            1 => Some(DType::U8),
            2 => Some(DType::U16),
            4 => Some(DType::U32),
            8 => Some(DType::U64),
            _ => None,
        };
    }
    match number {
        n if n == NPY_HALF as i32 => Some(DType::F16),
        n if n == NPY_CFLOAT as i32 => Some(DType::C64),
        n if n == NPY_CDOUBLE as i32 => Some(DType::C128),
        _ if size == 2 && is_bfloat16(descriptor) => Some(DType::BF16),
        _ => None,
    }
}

fn is_bfloat16(descriptor: &Bound<'_, PyArrayDescr>) -> bool {
    let named = descriptor.getattr("name").and_then(|name| name.extract::<String>()).is_ok_and(|name| name == "bfloat16");
    let record =
        descriptor.getattr("names").and_then(|names| names.extract::<(String,)>()).is_ok_and(|(name,)| name == "bfloat16");
    named || record
}

/// What a dtype is called in Python.
pub(super) fn name(descriptor: &Bound<'_, PyArrayDescr>) -> String {
    if of(descriptor) == Some(DType::BF16) { "bfloat16".to_string() } else { descriptor.to_string() }
}

/// The descriptor in the machine's byte order, as a new reference for a new array.
pub(super) fn native(descriptor: &Bound<'_, PyArrayDescr>) -> PyResult<*mut PyArray_Descr> {
    if descriptor.is_native_byteorder() != Some(false) {
        return Ok(descriptor.clone().into_dtype_ptr());
    }
    Ok(descriptor.call_method1("newbyteorder", ("=",))?.cast_into::<PyArrayDescr>()?.into_dtype_ptr())
}

/// Runs `$body` with `$element` as the element type of `$input`, which must be one of the listed dtypes.
macro_rules! element {
    ($input:expr, $element:ident => $body:expr, $($dtype:ident $type:ty),+) => {
        match $input.dtype {
            $(crate::array::DType::$dtype => { type $element = $type; $body })+
            #[allow(unreachable_patterns)]
            _ => return Err($input.refused()),
        }
    };
}

/// Every dtype.
macro_rules! any_element {
    ($input:expr, $element:ident => $body:expr) => {
        crate::python::kinds::element!($input, $element => $body,
            F16 crate::array::f16, BF16 crate::array::bf16, F32 f32, F64 f64, I8 i8, I16 i16, I32 i32, I64 i64,
            U8 u8, U16 u16, U32 u32, U64 u64, Bool crate::array::Bool,
            C64 crate::array::Complex32, C128 crate::array::Complex64)
    };
}

/// Every dtype with an order.
macro_rules! ordered_element {
    ($input:expr, $element:ident => $body:expr) => {
        crate::python::kinds::element!($input, $element => $body,
            F16 crate::array::f16, BF16 crate::array::bf16, F32 f32, F64 f64, I8 i8, I16 i16, I32 i32, I64 i64,
            U8 u8, U16 u16, U32 u32, U64 u64, Bool crate::array::Bool)
    };
}

/// The floating-point dtypes.
macro_rules! float_element {
    ($input:expr, $element:ident => $body:expr) => {
        crate::python::kinds::element!($input, $element => $body,
            F16 crate::array::f16, BF16 crate::array::bf16, F32 f32, F64 f64)
    };
}

/// The integers.
macro_rules! number_element {
    ($input:expr, $element:ident => $body:expr) => {
        crate::python::kinds::element!($input, $element => $body,
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64)
    };
}

/// The integers and bool.
macro_rules! integer_element {
    ($input:expr, $element:ident => $body:expr) => {
        crate::python::kinds::element!($input, $element => $body,
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, Bool crate::array::Bool)
    };
}

/// Every dtype, as an element of its size: for operators that only move elements and write zeros.
macro_rules! stored_element {
    ($input:expr, $element:ident => $body:expr) => {
        crate::python::kinds::element!($input, $element => $body,
            F16 u16, BF16 u16, F32 u32, F64 u64, I8 u8, I16 u16, I32 u32, I64 u64,
            U8 u8, U16 u16, U32 u32, U64 u64, Bool u8, C64 u64, C128 crate::array::Complex64)
    };
}

pub(super) use {any_element, element, float_element, integer_element, number_element, ordered_element, stored_element};
