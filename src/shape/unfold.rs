//! The sizes that `unfold` and `fold` share.

use crate::error::{Error, checked_product};

/// The arguments of `unfold` and `fold`; axes are height, width.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct UnfoldParams {
    pub kernel: [i64; 2],
    pub dilation: [i64; 2],
    pub padding: [i64; 2],
    pub stride: [i64; 2],
}

/// An image and its sliding blocks: an array (batch, channels, height, width) beside one of
/// (batch, channels * kernel height * kernel width, blocks).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct UnfoldShape {
    pub batch: usize,
    pub channels: usize,
    pub image: [usize; 2],
    pub kernel: [usize; 2],
    pub dilation: [usize; 2],
    pub padding: [usize; 2],
    pub stride: [usize; 2],
    pub blocks: [usize; 2],
}

impl UnfoldShape {
    /// Checks sliding blocks over images of that batch, channels and size.
    pub fn new(batch: usize, channels: usize, image: [usize; 2], params: &UnfoldParams) -> Result<Self, Error> {
        super::PoolShape::not_empty([batch, channels, 1, image[0], image[1]], 2, false)?;
        let [kernel, dilation, padding, stride] = [
            ("kernel_size", params.kernel, 1),
            ("dilation", params.dilation, 1),
            ("padding", params.padding, 0),
            ("stride", params.stride, 1),
        ]
        .map(|(argument, values, least)| match values.iter().find(|&&value| value < least) {
            Some(&got) => Err(Error::TooSmall { argument, got, least }),
            None => Ok(values.map(|value| value as usize)),
        });
        let (kernel, dilation, padding, stride) = (kernel?, dilation?, padding?, stride?);
        let mut blocks = [0; 2];
        for axis in 0..2 {
            blocks[axis] = super::axis::conv_output(
                axis,
                image[axis],
                kernel[axis],
                stride[axis],
                dilation[axis],
                (padding[axis], padding[axis]),
            )?;
        }
        checked_product("the columns", &[batch, channels, kernel[0], kernel[1], blocks[0], blocks[1]])?;
        checked_product("the image", &[batch, channels, image[0], image[1]])?;
        Ok(UnfoldShape { batch, channels, image, kernel, dilation, padding, stride, blocks })
    }

    /// Checks blocks (batch, `columns`, `blocks`) that are to be folded into images of size `output`.
    pub fn folded(batch: usize, columns: usize, blocks: usize, output: [i64; 2], params: &UnfoldParams) -> Result<Self, Error> {
        if let Some(&got) = output.iter().find(|&&size| size < 1) {
            return Err(Error::TooSmall { argument: "output_size", got, least: 1 });
        }
        let taps = checked_product("the kernel", &params.kernel.map(|size| size.max(0) as usize))?;
        if taps > 0 && !columns.is_multiple_of(taps) {
            return Err(Error::Shape {
                argument: "input",
                got: format!("{columns} columns a block"),
                rule: format!(
                    "they must be a multiple of the kernel's {} * {} = {taps} elements; the nearest is {}",
                    params.kernel[0],
                    params.kernel[1],
                    (columns + taps / 2) / taps * taps
                ),
            });
        }
        let shape = UnfoldShape::new(batch, columns / taps.max(1), output.map(|size| size as usize), params)?;
        let expected = shape.blocks[0] * shape.blocks[1];
        if blocks != expected {
            return Err(Error::Shape {
                argument: "input",
                got: format!("{blocks} blocks"),
                rule: format!(
                    "output_size {output:?}, kernel_size {:?}, dilation {:?}, padding {:?} and stride {:?} make {} * {} = {expected} blocks",
                    params.kernel, params.dilation, params.padding, params.stride, shape.blocks[0], shape.blocks[1]
                ),
            });
        }
        Ok(shape)
    }

    /// Number of blocks.
    pub fn block_count(&self) -> usize {
        self.blocks[0] * self.blocks[1]
    }

    /// Channels times taps.
    pub fn columns(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// Along one axis, the blocks whose tap `tap` lies inside the image, and where it lies for the first of them.
    pub fn inside(&self, axis: usize, tap: usize) -> (std::ops::Range<usize>, usize) {
        let (offset, before, stride) = (tap * self.dilation[axis], self.padding[axis], self.stride[axis]);
        let first = before.saturating_sub(offset).div_ceil(stride);
        let end = (self.image[axis] + before).saturating_sub(offset).div_ceil(stride).min(self.blocks[axis]);
        let first = first.min(end);
        (first..end, (first * stride + offset).saturating_sub(before))
    }
}
