//! Whether a layer can be computed this way, how large its blocks are, and how they are divided into tasks.

use crate::array::{RANK, SCRATCH_BYTES};
use crate::error::Error;
use crate::parallel::num_threads;
use crate::shape::{AxisPass, ConvParams, ConvShape};

/// Most elements of a block: the arrays of one thread fit the scratch memory.
const MOST_BLOCK: usize = 1 << 16;
/// Most bytes of a layer's spectra.
const MOST_SPECTRA_BYTES: usize = 1 << 30;
/// Spectra of output channels that are kept while the input channels pass by.
const SUMS_BYTES: usize = SCRATCH_BYTES / 8;
/// What a block costs besides its transform, in the transform's steps.
const BLOCK_STEPS: f64 = 4096.0;
/// What an element of a block costs besides its share of the transform.
const ELEMENT_STEPS: f64 = 4.0;
/// Blocks up to this size stay in the L2 cache; each doubling beyond costs a tenth.
const CACHED_BLOCK: usize = 1 << 13;

/// How a layer is cut into blocks: a pure function of the kernel, its dilation and its stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FftPlan {
    /// Elements of a block along height and width.
    pub block: [usize; 2],
    /// Outputs of a tile along depth, height, width.
    pub tile: [usize; 3],
}

/// Elements that a dilated kernel covers along height and width.
fn covered(params: &ConvParams, weight: [usize; RANK]) -> [usize; 2] {
    [1, 2].map(|axis| {
        // What is not positive is refused elsewhere.
        let dilation = params.dilation[axis].max(1) as usize;
        (weight[2 + axis].max(1) - 1).saturating_mul(dilation).saturating_add(1)
    })
}

/// Why a layer cannot be computed this way, if it cannot.
pub(in crate::conv) fn refusal(params: &ConvParams, weight: [usize; RANK]) -> Option<Error> {
    let refused = |got: String, rule: String| {
        let rule = format!("fft needs {rule}; use \"auto\" or \"direct\"");
        Some(Error::Value { argument: "algorithm", got: format!("\"fft\" with {got}"), rule })
    };
    if weight[2] > 1 {
        return refused(format!("a kernel of {} along depth", weight[2]), "kernels of size 1 along depth".to_string());
    }
    let covered = covered(params, weight);
    let Some(block) = block(covered) else {
        let got = format!("a kernel that covers {} x {} elements", covered[0], covered[1]);
        return refused(got, format!("a block of at most {MOST_BLOCK} elements, twice the kernel's along each axis"));
    };
    let spectra = weight[0].saturating_mul(weight[1]).saturating_mul(bins(block) * size_of::<[f64; 2]>());
    if spectra > MOST_SPECTRA_BYTES {
        let got = format!("{} x {} kernels in blocks of {} x {} elements", weight[0], weight[1], block[0], block[1]);
        return refused(got, format!("spectra of at most {MOST_SPECTRA_BYTES} bytes, not {spectra}"));
    }
    None
}

/// Frequencies of a block of real elements.
fn bins([height, width]: [usize; 2]) -> usize {
    height * (width / 2 + 1)
}

/// The block with the least work an output, or none if the kernel is too large.
fn block(covered: [usize; 2]) -> Option<[usize; 2]> {
    let sizes = |axis: usize| {
        let least = covered[axis].saturating_mul(2);
        let powers = || std::iter::successors(Some(1usize), |size| size.checked_mul(2)).take_while(|&size| size <= MOST_BLOCK);
        // Rows that share no taps are blocks of their own.
        let alone = axis == 0 && covered[0] == 1;
        powers().flat_map(|power| [power, 3 * power]).filter(move |&size| if alone { size == 1 } else { size >= least })
    };
    let steps = |block: &[usize; 2]| {
        let elements = (block[0] * block[1]) as f64;
        let outputs = ((block[0] - covered[0] + 1) * (block[1] - covered[1] + 1)) as f64;
        let beyond = (elements / CACHED_BLOCK as f64).log2().max(0.0);
        (elements * (elements.log2() + ELEMENT_STEPS) * (1.0 + beyond / 10.0) + BLOCK_STEPS) / outputs
    };
    sizes(0)
        .flat_map(|height| sizes(1).map(move |width| [height, width]))
        .filter(|block| block[0] * block[1] <= MOST_BLOCK)
        .min_by(|one, other| steps(one).total_cmp(&steps(other)))
}

/// The axes of a layer at unit stride, with the taps of a dilated kernel and the zeros between them.
pub(super) fn dense(shape: &ConvShape) -> [AxisPass; 3] {
    std::array::from_fn(|axis| {
        let pass = shape.axis_pass(axis, 0);
        let outputs = pass.outputs.saturating_sub(1).saturating_mul(pass.input_step) + pass.outputs.min(1);
        AxisPass { outputs, input_step: 1, taps: (pass.taps - 1) * pass.tap_step + 1, tap_step: 1, ..pass }
    })
}

impl FftPlan {
    /// The plan of a layer that is not refused.
    pub fn new(shape: &ConvShape) -> Self {
        let dense = dense(shape);
        let block = block([dense[1].taps, dense[2].taps]).expect("refused otherwise");
        let outputs = |axis: usize| (block[axis - 1] - dense[axis].taps) / shape.axis_pass(axis, 0).input_step + 1;
        FftPlan { block, tile: [1, outputs(1), outputs(2)] }
    }

    /// Elements of a block.
    pub fn elements(&self) -> usize {
        self.block[0] * self.block[1]
    }

    /// Frequencies of a block.
    pub fn bins(&self) -> usize {
        bins(self.block)
    }
}

/// How tiles and output channels are divided among tasks.
pub(super) struct Division {
    /// Tiles of one image along depth, height, width.
    pub grid: [usize; 3],
    /// Output channels of a task; each split transforms the input anew.
    pub channels: usize,
    pub splits: usize,
}

impl Division {
    /// As few splits as fit the scratch memory, or as many as threads have use for. Neither changes a result.
    pub fn new(shape: &ConvShape, plan: &FftPlan) -> Self {
        let grid: [usize; 3] = std::array::from_fn(|axis| shape.output[axis].div_ceil(plan.tile[axis]));
        let units = (shape.groups * shape.batch * grid.iter().product::<usize>()).max(1);
        let most = (SUMS_BYTES / (plan.bins() * size_of::<[f64; 2]>())).max(1);
        let channels = most.min(shape.out_channels.div_ceil(num_threads().div_ceil(units))).max(1);
        Division { grid, channels, splits: shape.out_channels.div_ceil(channels) }
    }

    pub fn tiles(&self) -> usize {
        self.grid.iter().product()
    }

    pub fn tasks(&self, shape: &ConvShape) -> usize {
        shape.groups * self.splits * shape.batch * self.tiles()
    }
}
