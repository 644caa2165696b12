//! Whether a layer can be computed this way, whether that pays, and how many tiles a task takes.

use super::OUTPUTS;
use crate::conv::pack::Block;
use crate::conv::patch::PatchAxis;
use crate::conv::plan::{Algorithm, Plan, plan};
use crate::error::Error;
use crate::shape::{ConvParams, ConvShape, RANK};

/// Transformed inputs of a task: with their products and a block's weights they stay in the L2 cache.
const TRANSFORMED_BYTES: usize = 512 << 10;
/// Taps along depth times input channels of one tile, in bytes: beyond, a task does not fit the scratch memory.
const MOST_TAPS_BYTES: usize = 64 << 10;

/// How a layer is cut into tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WinogradPlan {
    /// Lanes of a vector.
    pub lanes: usize,
    /// Output channels of a block.
    pub block: usize,
    /// Most tiles of a task along depth (where a tile is one output), height, width.
    pub tiles: [usize; 3],
}

/// Why a layer cannot be computed this way, if it cannot; accumulators have `size` bytes.
pub(in crate::conv) fn refusal(params: &ConvParams, weight: [usize; RANK], size: usize) -> Option<Error> {
    let refused = |got: String, rule: &str| {
        let rule = format!("winograd needs {rule}; use \"auto\" or \"direct\"");
        Some(Error::Kind { argument: "algorithm", got: format!("\"winograd\" with {got}"), rule })
    };
    if weight[3..] != [3, 3] {
        return refused(format!("a kernel of {} x {}", weight[3], weight[4]), "a kernel of 3 x 3 along height and width");
    }
    for (name, values) in [("stride", params.stride), ("dilation", params.dilation)] {
        if values[1..] != [1, 1] {
            return refused(format!("{name} {} x {}", values[1], values[2]), &format!("{name} 1 along height and width"));
        }
    }
    let (taps, most) = (weight[1].saturating_mul(weight[2]), MOST_TAPS_BYTES / size);
    if taps > most {
        return refused(
            format!("{} input channels a group and {} taps along depth", weight[1], weight[2]),
            &format!("at most {most} of them together"),
        );
    }
    None
}

impl WinogradPlan {
    /// The plan of a layer that is not refused, for vectors of `lanes` elements of `size` bytes.
    pub fn new(shape: &ConvShape, lanes: usize, size: usize) -> Self {
        let block = if shape.out_channels > lanes { 2 * lanes } else { lanes };
        let grid = grid(shape);
        let room = TRANSFORMED_BYTES / size / super::POSITIONS / shape.in_channels.next_multiple_of(lanes).max(1);
        let slices = |depth| PatchAxis::new(&shape.axis_pass(0, 0), depth, shape.kernel[0]).length;
        let even = |count: usize, most: usize| count.div_ceil(count.div_ceil(most.max(1)).max(1));
        let mut depth = 1;
        if shape.kernel[0] > 1 {
            depth = grid[0].min(4);
        }
        let plane = room / slices(depth).max(1);
        let width = even(grid[2], plane);
        let height = even(grid[1], plane / width.max(1));
        WinogradPlan { lanes, block, tiles: [depth, height, width] }
    }

    /// Whether it is faster than the direct algorithm.
    pub fn pays(&self, _shape: &ConvShape, _size: usize) -> bool {
        true
    }

    /// The plan of the direct algorithm in the same blocks.
    pub(in crate::conv) fn direct(&self, shape: &ConvShape, size: usize) -> Plan {
        let pass = std::array::from_fn(|axis| shape.axis_pass(axis, 0));
        Plan { algorithm: Algorithm::Direct, block: self.block, ..plan(shape, &pass, self.lanes, size) }
    }

    /// The block that begins at output channel `first` of a group: as many vectors as its channels need.
    pub(super) fn block(&self, shape: &ConvShape, group: usize, first: usize) -> Block {
        let lanes = self.block.min(shape.out_channels - first).next_multiple_of(self.lanes);
        Block { group, first, lanes }
    }
}

/// Tiles along depth, height and width.
pub(super) fn grid(shape: &ConvShape) -> [usize; 3] {
    let [depth, height, width] = shape.output;
    [depth, height.div_ceil(OUTPUTS), width.div_ceil(OUTPUTS)]
}
