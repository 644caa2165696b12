//! What a tile is: 4 x 4 outputs where the kernel is 3 x 3, four outputs of a row where it is 1 x 3.

use std::ops::Range;

use super::{OUTPUTS, POINTS};
use crate::shape::ConvShape;

/// Tiles of one layer. Along the width, the four outputs of a tile lie a dilation apart, and so many tiles interlock: such a
/// bundle covers neighbouring outputs, four times the dilation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// Outputs of a tile along the height: 4, or 1 where that axis is not transformed.
    pub rows: usize,
    /// The same of the transform's points: 6 or 1.
    pub row_points: usize,
    pub dilation: usize,
}

impl Form {
    pub fn of(shape: &ConvShape) -> Self {
        let dilation = shape.axis_pass(2, 0).tap_step;
        if shape.kernel[1] == 1 {
            Form { rows: 1, row_points: 1, dilation }
        } else {
            Form { rows: OUTPUTS, row_points: POINTS, dilation }
        }
    }

    /// Positions of a transformed tile.
    pub fn positions(self) -> usize {
        self.row_points * POINTS
    }

    /// Outputs along height and width of a bundle.
    pub fn bundle(self) -> [usize; 2] {
        [self.rows, OUTPUTS * self.dilation]
    }

    /// Bundles along depth (where one is an output), height and width.
    pub fn grid(self, output: [usize; 3]) -> [usize; 3] {
        let [depth, height, width] = output;
        let [rows, columns] = self.bundle();
        [depth, height.div_ceil(rows), width.div_ceil(columns)]
    }

    /// Rows and columns of the input that so many bundles read.
    pub fn reach(self, bundles: [usize; 2]) -> [usize; 2] {
        let [rows, columns] = self.bundle();
        [bundles[0] * rows + self.row_points - self.rows, bundles[1] * columns + (POINTS - OUTPUTS) * self.dilation]
    }

    /// First column of a tile, of the input and of the output.
    #[inline(always)]
    pub fn column(self, tile: usize) -> usize {
        tile / self.dilation * OUTPUTS * self.dilation + tile % self.dilation
    }

    /// How many of a tile's columns come before `end`.
    #[inline(always)]
    pub fn columns_before(self, tile: usize, end: usize) -> usize {
        OUTPUTS.min(end.saturating_sub(self.column(tile)).div_ceil(self.dilation))
    }

    /// The outputs of some bundles along height and width that exist.
    pub fn outputs(self, bundles: [Range<usize>; 2], size: [usize; 2]) -> [Range<usize>; 2] {
        let outputs = self.bundle();
        std::array::from_fn(|axis| bundles[axis].start * outputs[axis]..size[axis].min(bundles[axis].end * outputs[axis]))
    }
}
