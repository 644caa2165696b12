//! Whether a layer can be computed this way, whether that pays, and how many tiles a task takes.

use super::{OUTPUTS, POSITIONS};
use crate::conv::pack::Block;
use crate::conv::patch_axis::PatchAxis;
use crate::conv::plan::{Algorithm, Plan, plan};
use crate::error::Error;
use crate::shape::{ConvParams, ConvShape, RANK};

/// Transformed inputs of a task: with their products and a block's weights they stay in the L2 cache.
const TRANSFORMED_BYTES: usize = 600 << 10;
/// Outputs along depth of a task, where the kernel has more than one tap there.
const DEPTH: usize = 4;
/// Transformed weights beyond this leave the L3 cache, and every task reads them all: at 37 MB, 512 x 512 channels, the direct
/// algorithm wins where a core has AVX-512.
const WEIGHT_BYTES: usize = 20 << 20;
/// Of them that a cycle brings in from the L3 cache.
const WEIGHT_BYTES_PER_CYCLE: f64 = 16.0;
/// Cycles for one vector of channels of one tile: staging and transforming its input, transforming and writing its output.
const INPUT_CYCLES: f64 = 290.0;
const OUTPUT_CYCLES: f64 = 260.0;
/// Cycles from one multiply-add to the next that needs its sum.
const LATENCY: f64 = 4.0;
/// With fewer products in a sum the error of the transforms shows: it exceeds 2.5 times the direct algorithm's.
const LEAST_TAPS: usize = 24;
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
        Some(Error::Value { argument: "algorithm", got: format!("\"winograd\" with {got}"), rule })
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
        let room = TRANSFORMED_BYTES / size / POSITIONS / shape.in_channels.next_multiple_of(lanes).max(1);
        let even = |count: usize, most: usize| count.div_ceil(count.div_ceil(most.max(1)).max(1));
        // Neighbours along depth share transformed inputs.
        let depth = if shape.kernel[0] > 1 { grid[0].min(DEPTH) } else { 1 };
        let plane = room / slices(shape, depth);
        // Long rows: the more of the input and output lies side by side.
        let width = even(grid[2], plane);
        let height = even(grid[1], plane / width.max(1));
        WinogradPlan { lanes, block, tiles: [depth, height, width] }
    }

    /// Whether it is faster than the direct algorithm, and as exact as promised.
    pub fn pays(&self, shape: &ConvShape, size: usize) -> bool {
        let grid = grid(shape);
        let taps = shape.kernel[0] * shape.in_channels;
        let input_vectors = shape.in_channels.div_ceil(self.lanes);
        let output_vectors = shape.out_channels.div_ceil(self.lanes);
        let weights = POSITIONS * taps * output_vectors * self.lanes * size;
        if taps < LEAST_TAPS || weights > WEIGHT_BYTES || grid.contains(&0) {
            return false;
        }
        let tasks: usize = (0..3).map(|axis| grid[axis].div_ceil(self.tiles[axis])).product();
        let tiles = grid.iter().product::<usize>() as f64 / tasks as f64;
        let inputs = tiles / self.tiles[0] as f64 * slices(shape, self.tiles[0]) as f64;
        let step = (tiles / 2.0).max(LATENCY * (self.lanes as f64 / self.block as f64));
        let products = ((POSITIONS * taps * output_vectors) as f64 * step).max(weights as f64 / WEIGHT_BYTES_PER_CYCLE);
        let transforms = inputs * input_vectors as f64 * INPUT_CYCLES + tiles * output_vectors as f64 * OUTPUT_CYCLES;
        let outputs: usize = shape.output.iter().product();
        // Of the direct kernels the better, with output channels or with pixels in the vectors.
        let vectors = (outputs * output_vectors).min(outputs.div_ceil(self.lanes) * shape.out_channels);
        let direct = (vectors * taps * 9) as f64 / 2.0;
        tasks as f64 * (products + transforms) < 0.85 * direct
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

/// Slices of the input along depth that `depth` outputs read.
pub(super) fn slices(shape: &ConvShape, depth: usize) -> usize {
    PatchAxis::new(&shape.axis_pass(0, 0), depth, shape.kernel[0]).length.max(1)
}

/// Tiles along depth, height and width.
pub(super) fn grid(shape: &ConvShape) -> [usize; 3] {
    let [depth, height, width] = shape.output;
    [depth, height.div_ceil(OUTPUTS), width.div_ceil(OUTPUTS)]
}
