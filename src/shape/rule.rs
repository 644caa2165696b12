//! Dialects: how implementations of one pool differ, as facts. Everything that follows from a dialect comes out of here as
//! plain numbers, so that no kernel knows one.

use super::conv::Padding;
use crate::error::Error;

/// A dialect of pooling.
///
/// | | last window in ceil mode | divisor of a mean | window without elements | maximum of a NaN | index |
/// |---|---|---|---|---|---|
/// | torch | begins before the padding that follows the input | what lies in input and padding | -inf, 0 | NaN | in its plane |
/// | onnx | the same | the same | -inf, 0 | NaN | in the whole array |
/// | onnxruntime-legacy | any | the whole kernel | the least number, NaN | NaN | in the whole array |
/// | coreml | as torch's, any without padding | the whole kernel | -inf, 0 | NaN | none |
/// | tensorflow-same, -valid | no ceil mode | what lies in the input | there is none | without it | in its image, channels last |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `torch.nn.functional`.
    Torch,
    /// The ONNX standard, opset 22, and its node tests.
    Onnx,
    /// ONNX Runtime's CPU kernels for opsets 7 to 18, before their ceil mode was mended (onnxruntime#16203).
    OnnxruntimeLegacy,
    /// Core ML's model intermediate language (coremltools, `mil/ops/defs`).
    CoreMl,
    /// TensorFlow with `padding="SAME"`.
    TensorflowSame,
    /// TensorFlow with `padding="VALID"`.
    TensorflowValid,
}

/// What the index of a maximum counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexBase {
    /// The elements of its plane, row by row.
    Plane,
    /// The elements of the whole array, row by row.
    Array,
    /// The elements of its image, channels being the fastest axis.
    ChannelsLast,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 6] =
        [Rule::Torch, Rule::Onnx, Rule::OnnxruntimeLegacy, Rule::CoreMl, Rule::TensorflowSame, Rule::TensorflowValid];

    /// Its name in Python.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Torch => "torch",
            Rule::Onnx => "onnx",
            Rule::OnnxruntimeLegacy => "onnxruntime-legacy",
            Rule::CoreMl => "coreml",
            Rule::TensorflowSame => "tensorflow-same",
            Rule::TensorflowValid => "tensorflow-valid",
        }
    }

    /// Whether it is one of TensorFlow's.
    pub fn is_tensorflows(self) -> bool {
        matches!(self, Rule::TensorflowSame | Rule::TensorflowValid)
    }

    /// The padding that an argument stands for.
    pub(super) fn padding(self, given: &Padding) -> Result<Padding, Error> {
        if !self.is_tensorflows() {
            return Ok(given.clone());
        }
        if !given.is_none() {
            let rule = format!("rule=\"{}\" says what the padding is; leave it 0", self.name());
            return Err(Error::Value { argument: "padding", got: given.to_string(), rule });
        }
        Ok(if self == Rule::TensorflowSame { Padding::Same } else { Padding::Valid })
    }

    /// The most padding on one side of a kernel, if there is a limit.
    pub(super) fn most_padding(self, kernel: i64) -> Option<i64> {
        // Torch counts the kernel's taps here, whatever the dilation, though its message speaks of the effective size.
        (self == Rule::Torch).then_some(kernel / 2)
    }

    /// Refuses ceil mode where the dialect has none.
    pub(super) fn check_ceil_mode(self, spatial: usize, padding: &[(i64, i64)]) -> Result<(), Error> {
        let refused = |rule: &str| {
            let rule = format!("rule=\"{}\" {rule}; leave it False", self.name());
            Err(Error::Value { argument: "ceil_mode", got: "True".to_string(), rule })
        };
        match self {
            Rule::CoreMl if spatial == 3 => refused("has it for 1-D and 2-D pools alone"),
            Rule::CoreMl if padding.iter().any(|(before, after)| before != after) => {
                refused("has it only where the padding is the same on both sides")
            }
            _ if self.is_tensorflows() => refused("has none"),
            _ => Ok(()),
        }
    }

    /// Whether a last window in ceil mode is left out that would begin after the input and the padding before it.
    pub(super) fn drops_window_in_padding(self, padding: (i64, i64)) -> bool {
        match self {
            Rule::OnnxruntimeLegacy => false,
            Rule::CoreMl => padding != (0, 0),
            _ => true,
        }
    }

    /// Whether a mean that counts the padding also counts what a window has beyond it.
    pub(super) fn counts_overhang(self) -> bool {
        matches!(self, Rule::OnnxruntimeLegacy | Rule::CoreMl)
    }

    /// Whether means count the padding, if the caller asks for it.
    pub fn counts_padding(self, asked: bool) -> bool {
        asked && !self.is_tensorflows()
    }

    /// Whether a window without elements has no meaningful mean, and the least finite number for a maximum.
    pub fn has_empty_windows(self) -> bool {
        self == Rule::OnnxruntimeLegacy
    }

    /// Whether a maximum begins at the least finite number, which only a larger number replaces: neither NaN nor -inf.
    pub fn ignores_nan(self) -> bool {
        self.is_tensorflows()
    }

    /// Whether a power mean is torch's: of x, not of |x|, and with a short window counted as if it were full.
    pub fn powers_as_torch(self) -> bool {
        self == Rule::Torch
    }

    /// What indices of maxima count; `None` where there are no indices.
    pub fn index_base(self) -> Option<IndexBase> {
        match self {
            Rule::Torch => Some(IndexBase::Plane),
            Rule::Onnx | Rule::OnnxruntimeLegacy => Some(IndexBase::Array),
            Rule::CoreMl => None,
            Rule::TensorflowSame | Rule::TensorflowValid => Some(IndexBase::ChannelsLast),
        }
    }
}
