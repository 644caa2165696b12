//! Whether a layer can be computed this way, whether that pays, and how many tiles a task takes.

use super::{OUTPUTS, form::Form};
use crate::conv::pack::Block;
use crate::conv::patch_axis::PatchAxis;
use crate::conv::plan::{Algorithm, DIRECT_PIECE, Plan, plan};
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
/// Cycles for one vector of channels of four rows of a tile: staging and transforming its input, transforming and writing its
/// output.
const INPUT_CYCLES: f64 = 290.0;
const OUTPUT_CYCLES: f64 = 260.0;
/// It pays below such a share of the cycles that the direct algorithm would take at its peak, which it misses by more where a
/// kernel has three taps than where it has nine.
const PLANE_SHARE: f64 = 0.85;
const LINE_SHARE: f64 = 1.25;
/// Cycles from one multiply-add to the next that needs its sum.
const LATENCY: f64 = 4.0;
/// With fewer products in a sum the error of the transforms shows: it exceeds 2.5 times the direct algorithm's.
const LEAST_TAPS: usize = 24;
/// Taps along depth times input channels times dilation, in bytes: beyond, a task does not fit the scratch memory.
const MOST_TAPS_BYTES: usize = 64 << 10;

/// The largest dilation along the width: a bundle has so many tiles, whose outputs are written together.
const MOST_DILATION: usize = DIRECT_PIECE / OUTPUTS;

/// How a layer is cut into tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WinogradPlan {
    /// Lanes of a vector.
    pub lanes: usize,
    /// Output channels of a block.
    pub block: usize,
    /// Most bundles of tiles of a task along depth (where one is an output), height, width.
    pub bundles: [usize; 3],
}

/// Why a layer cannot be computed this way, if it cannot; accumulators have `size` bytes.
pub(in crate::conv) fn refusal(params: &ConvParams, weight: [usize; RANK], size: usize) -> Option<Error> {
    let refused = |got: String, rule: &str| {
        let rule = format!("winograd needs {rule}; use \"auto\" or \"direct\"");
        Some(Error::Value { argument: "algorithm", got: format!("\"winograd\" with {got}"), rule })
    };
    let line = weight[3] == 1;
    if weight[4] != 3 || !line && weight[3] != 3 {
        return refused(
            format!("a kernel of {} x {}", weight[3], weight[4]),
            "a kernel of 3 x 3 or 1 x 3 along height and width",
        );
    }
    if params.stride[1..] != [1, 1] {
        let got = format!("stride {} x {}", params.stride[1], params.stride[2]);
        return refused(got, "stride 1 along height and width");
    }
    let [_, height, width] = params.dilation;
    if !line && [height, width] != [1, 1] {
        return refused(format!("dilation {height} x {width}"), "dilation 1 along height and width for a kernel of 3 x 3");
    }
    let dilation = width.max(1) as usize;
    if dilation > MOST_DILATION {
        return refused(format!("dilation {width}"), &format!("a dilation of at most {MOST_DILATION}"));
    }
    let (taps, most) = (weight[1].saturating_mul(weight[2]).saturating_mul(dilation), MOST_TAPS_BYTES / size);
    if taps > most {
        return refused(
            format!("{} input channels a group, {} taps along depth and dilation {dilation}", weight[1], weight[2]),
            &format!("a product of at most {most} of the three"),
        );
    }
    None
}

impl WinogradPlan {
    /// The plan of a layer that is not refused, for vectors of `lanes` elements of `size` bytes.
    pub fn new(shape: &ConvShape, lanes: usize, size: usize) -> Self {
        let block = if shape.out_channels > lanes { 2 * lanes } else { lanes };
        let form = Form::of(shape);
        let grid = form.grid(shape.output);
        let room =
            TRANSFORMED_BYTES / size / (form.positions() * form.dilation) / shape.in_channels.next_multiple_of(lanes).max(1);
        let even = |count: usize, most: usize| count.div_ceil(count.div_ceil(most.max(1)).max(1));
        // Neighbours along depth share transformed inputs.
        let depth = if shape.kernel[0] > 1 { grid[0].min(DEPTH) } else { 1 };
        let plane = room / slices(shape, depth);
        // Long rows: the more of the input and output lies side by side.
        let width = even(grid[2], plane);
        let height = even(grid[1], plane / width.max(1));
        WinogradPlan { lanes, block, bundles: [depth, height, width] }
    }

    /// Whether it is faster than the direct algorithm, and as exact as promised.
    pub fn pays(&self, shape: &ConvShape, size: usize) -> bool {
        let form = Form::of(shape);
        let grid = form.grid(shape.output);
        let taps = shape.kernel[0] * shape.in_channels;
        let input_vectors = shape.in_channels.div_ceil(self.lanes);
        let output_vectors = shape.out_channels.div_ceil(self.lanes);
        let weights = form.positions() * taps * output_vectors * self.lanes * size;
        if taps < LEAST_TAPS || weights > WEIGHT_BYTES || grid.contains(&0) {
            return false;
        }
        let tasks: usize = (0..3).map(|axis| grid[axis].div_ceil(self.bundles[axis])).product();
        let tiles = (grid.iter().product::<usize>() * form.dilation) as f64 / tasks as f64;
        let inputs = tiles / self.bundles[0] as f64 * slices(shape, self.bundles[0]) as f64;
        let step = (tiles / 2.0).max(LATENCY * (self.lanes as f64 / self.block as f64));
        let products = ((form.positions() * taps * output_vectors) as f64 * step).max(weights as f64 / WEIGHT_BYTES_PER_CYCLE);
        let rows = form.rows as f64 / 4.0;
        let transforms = rows * (inputs * input_vectors as f64 * INPUT_CYCLES + tiles * output_vectors as f64 * OUTPUT_CYCLES);
        let outputs: usize = shape.output.iter().product();
        // Of the direct kernels the better, with output channels or with pixels in the vectors.
        let vectors = (outputs * output_vectors).min(outputs.div_ceil(self.lanes) * shape.out_channels);
        let direct = (vectors * taps * shape.kernel[1] * shape.kernel[2]) as f64 / 2.0;
        tasks as f64 * (products + transforms) < if form.rows == 1 { LINE_SHARE } else { PLANE_SHARE } * direct
    }

    /// Most outputs of a task along depth, height and width.
    pub(in crate::conv) fn outputs(&self, shape: &ConvShape) -> [usize; 3] {
        let ([depth, height, width], [rows, columns]) = (self.bundles, Form::of(shape).bundle());
        [depth, height * rows, width * columns]
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
