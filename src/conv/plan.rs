//! Which kernel and which tiles: a pure function of the shape and the instruction set, never of batch or threads.

use crate::array::SCRATCH_BYTES;
use crate::shape::{AxisPass, ConvShape};

/// Elements of the input patch that a tile should not exceed: it is read once a block of output channels from the L2 cache.
const PATCH_BYTES: usize = 512 << 10;
/// Weights of one block of output channels, packed.
const PANEL_BYTES: usize = 4 << 20;
/// Pixels of a tile whose output channels lie in the vectors: enough to hide its overhead, few enough for the L1 cache.
const DIRECT_PIXELS: usize = 96;
/// Pixels of a tile whose pixels lie in the vectors.
const DEPTHWISE_PIXELS: usize = 4096;
/// Output channels computed at once where pixels lie in the vectors.
pub(super) const DEPTHWISE_CHANNELS: usize = 4;

/// What lies in a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Output channels, `vectors` of them; one input element is broadcast to all.
    Direct {
        /// Vectors of output channels, 1 or 2.
        vectors: usize,
    },
    /// Neighbouring output pixels of a row; one weight is broadcast to all.
    Depthwise,
}

/// How one pass is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The kernel.
    pub algorithm: Algorithm,
    /// Lanes of a vector.
    pub lanes: usize,
    /// Output channels of a block.
    pub block: usize,
    /// Output sizes of a tile.
    pub tile: [usize; 3],
    /// Input channels staged at once (1 where one channel alone is too large).
    pub chunk_channels: usize,
    /// Taps staged at once along each axis; less than all only where one channel is too large.
    pub chunk_taps: [usize; 3],
}

impl Plan {
    /// Taps, all channels counted, of the largest chunk.
    pub fn chunk_len(&self) -> usize {
        self.chunk_channels * self.chunk_taps.iter().product::<usize>()
    }
}

/// Plans one pass of `shape` for vectors of `lanes` elements of `size` bytes.
pub fn plan(shape: &ConvShape, pass: &[AxisPass; 3], lanes: usize, size: usize) -> Plan {
    let width = pass[2].outputs;
    let filled = |count: usize| count as f64 / (count.div_ceil(lanes).max(1) * lanes) as f64;
    let per_vector = filled(shape.out_channels);
    // Pixel vectors also win where both are full enough but there are too few channels to reuse an input element.
    let few_channels = shape.out_channels <= DEPTHWISE_CHANNELS || per_vector < 0.5 * filled(width);
    let algorithm = if few_channels && filled(width) * 1.5 > per_vector {
        Algorithm::Depthwise
    } else {
        Algorithm::Direct { vectors: if shape.out_channels > lanes { 2 } else { 1 } }
    };
    let (block, pixels) = match algorithm {
        Algorithm::Direct { vectors } => (vectors * lanes, DIRECT_PIXELS),
        Algorithm::Depthwise => (DEPTHWISE_CHANNELS.min(shape.out_channels.max(1)), DEPTHWISE_PIXELS),
    };
    let patch = PATCH_BYTES / size;
    let mut tile = [1; 3];
    let mut left = pixels;
    for axis in (0..3).rev() {
        let parts = pass[axis].outputs.div_ceil(left).max(1);
        tile[axis] = pass[axis].outputs.div_ceil(parts).max(1);
        left = (left / tile[axis]).max(1);
    }
    // A tile is made smaller until one channel of it, with one tap, can be staged.
    for axis in 0..3 {
        while tile[axis] > 1 && extents(pass, tile, [1; 3], lanes) > patch {
            tile[axis] = tile[axis].div_ceil(2);
        }
    }
    // Depthwise tiles hold few channels: they shrink further until a whole channel fits, since a second staging costs more.
    if algorithm == Algorithm::Depthwise {
        for axis in 0..2 {
            let taps = [pass[0].taps, pass[1].taps, pass[2].taps];
            while tile[axis] > 1 && extents(pass, tile, taps, lanes) > patch / 4 {
                tile[axis] = tile[axis].div_ceil(2);
            }
        }
    }
    let mut plan = Plan { algorithm, lanes, block, tile, chunk_channels: 1, chunk_taps: [1; 3] };
    let most_taps = PANEL_BYTES / size / block;
    for axis in (0..3).rev() {
        while plan.chunk_taps[axis] < pass[axis].taps {
            let mut taps = plan.chunk_taps;
            taps[axis] = (taps[axis] * 2).min(pass[axis].taps);
            if extents(pass, tile, taps, lanes) > patch || taps.iter().product::<usize>() > most_taps {
                break;
            }
            plan.chunk_taps = taps;
        }
        if plan.chunk_taps[axis] < pass[axis].taps {
            return plan;
        }
    }
    let taps: usize = plan.chunk_taps.iter().product();
    let channel = extents(pass, tile, plan.chunk_taps, lanes).max(1);
    plan.chunk_channels = shape.in_channels.min(patch / channel).min(most_taps / taps.max(1)).max(1);
    plan
}

/// Elements of one channel of the patch, with room for de-interleaved and overrun rows.
pub(super) fn extents(pass: &[AxisPass; 3], tile: [usize; 3], taps: [usize; 3], lanes: usize) -> usize {
    let rows = pass[0].extent(tile[0], taps[0]).saturating_mul(pass[1].extent(tile[1], taps[1]));
    rows.saturating_mul(row_length(&pass[2], tile[2], taps[2], lanes))
}

/// Elements of one row of the patch: for each residue of the stride, its columns and the overrun of the last vector.
pub(super) fn row_length(axis: &AxisPass, outputs: usize, taps: usize, lanes: usize) -> usize {
    let phase = axis.extent(outputs, taps).div_ceil(axis.input_step).saturating_add(lanes);
    phase.saturating_mul(axis.input_step.min(axis.extent(outputs, taps).max(1)))
}

const _: () = assert!(PATCH_BYTES + PANEL_BYTES < SCRATCH_BYTES / 2 + (1 << 20));
