//! Which kernel and which tiles: a pure function of the shape and the instruction set, never of batch or threads.

use super::patch_axis::{PatchAxis, row_length};
use super::rows;
use crate::array::{CALL_BYTES, SCRATCH_BYTES};
use crate::shape::{AxisPass, ConvShape, PaddingMode};

/// Bytes of the input that a tile reads: every block of output channels reads them again, from the L2 cache, which is small in
/// many processors with narrow vectors.
const PATCH_BYTES: usize = 384 << 10;
const PATCH_BYTES_OF_NARROW: usize = 256 << 10;
/// Packed weights of one chunk of a block, or of all passes of a block, where a task packs them for itself.
pub(super) const PANEL_BYTES: usize = 2 << 20;
/// Pixels of a tile whose output channels lie in the vectors: enough to hide what bringing in the input costs.
pub(super) const DIRECT_PIXELS: usize = 240;
/// Of them, those multiplied before their sums are written: a multiple of most vectors' lanes, few enough for the L1 cache.
pub(super) const DIRECT_PIECE: usize = 240;
/// Below this many pixels a tile is not cut to make room for more input channels.
const LEAST_PIXELS: usize = 24;
/// Pixels of a tile whose pixels lie in the vectors, and of a piece of it.
const DEPTHWISE_PIXELS: usize = 4096;
const DEPTHWISE_PIECE: usize = 1024;
/// The largest stride along the width at which many output channels of one input channel are computed row by row: its columns are
/// sorted by their residue, one at a time.
const MOST_STRIDE: usize = 16;
/// Bytes of two vectors of pixels, all input channels of them: see [`straight`].
const STRAIGHT_BYTES: usize = 10 << 10;
/// Output channels computed at once where pixels lie in the vectors.
pub(super) const DEPTHWISE_CHANNELS: usize = 4;

/// What lies in a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Output channels, one or two vectors of them; one input element is broadcast to all.
    Direct,
    /// Neighbouring output pixels of a row; one weight is broadcast to all.
    Depthwise,
    /// Neighbouring output pixels of a few channels that have few input channels, row by row.
    Rows,
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
    /// Pixels multiplied before their sums are written.
    pub piece: usize,
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

/// Elements of the input that a tile reads at most, of `size` bytes.
pub(super) fn patch_room(lanes: usize, size: usize) -> usize {
    if lanes * size > 32 { PATCH_BYTES / size } else { PATCH_BYTES_OF_NARROW / size }
}

/// The share of a vector's lanes that `count` elements fill.
fn filled(count: usize, lanes: usize) -> f64 {
    count as f64 / (count.div_ceil(lanes).max(1) * lanes) as f64
}

/// What lies in the vectors, and the output channels of a block.
fn algorithm(shape: &ConvShape, width: usize, lanes: usize) -> (Algorithm, usize) {
    let (channels, pixels) = (filled(shape.out_channels, lanes), filled(width, lanes));
    // Pixel vectors also win where both are full enough but there are too few channels to reuse an input element.
    let few_channels = shape.out_channels <= DEPTHWISE_CHANNELS || channels < 0.5 * pixels;
    if few_channels && pixels * 1.5 > channels {
        (Algorithm::Depthwise, DEPTHWISE_CHANNELS.min(shape.out_channels.max(1)))
    } else {
        (Algorithm::Direct, if shape.out_channels > lanes { 2 * lanes } else { lanes })
    }
}

/// Whether a group is computed row by row: sums of so few products would cost less than transposing them.
fn by_rows(shape: &ConvShape, pass: &[AxisPass; 3], lanes: usize, size: usize) -> bool {
    let width = pass[2].outputs;
    let otherwise = algorithm(shape, width, lanes);
    if shape.in_channels == 1 {
        let sorted = pass[2].input_step <= MOST_STRIDE && filled(width, lanes) * 1.5 > filled(shape.out_channels, lanes);
        return sorted || otherwise.0 == Algorithm::Depthwise;
    }
    // For as many pixels as a vector has lanes, in multiply-adds of vectors, as measured.
    let (inputs, outputs) = (shape.in_channels as f64, shape.out_channels as f64);
    let products = pass.iter().map(|axis| axis.taps as f64).product::<f64>() * inputs;
    let of_pixels = 1.2 / filled(width, lanes);
    let of_channels = match otherwise {
        (Algorithm::Direct, block) if block > lanes => 1.0 / filled(shape.out_channels, lanes),
        (Algorithm::Direct, _) => 1.3 / filled(shape.out_channels, lanes),
        _ => of_pixels,
    };
    let copying = 3.0 * inputs * pass[2].input_step as f64;
    let (of_channels, transposing) = match straight(shape, pass, lanes, size) {
        true => (1.0 / filled(width, lanes), 6.0 * inputs + 3.0 * outputs),
        false => (of_channels, 25.0 * outputs),
    };
    !shape.transposed && outputs * products * of_pixels + copying < outputs * products * of_channels + transposing
}

/// Whether sums of [`Algorithm::Direct`] are computed with pixels in the vectors where pixels are neighbours in memory: one tap of
/// so few input channels costs less than transposing the sums, and two vectors of pixels of all channels stay in the L1 cache.
pub(super) fn straight(shape: &ConvShape, pass: &[AxisPass; 3], lanes: usize, size: usize) -> bool {
    let one_tap = pass.iter().all(|axis| axis.taps == 1) && pass[2].input_step == 1;
    one_tap && !shape.transposed && shape.in_channels <= STRAIGHT_BYTES / (2 * lanes * size)
}

/// Plans one pass of `shape` for vectors of `lanes` elements of `size` bytes.
pub fn plan(shape: &ConvShape, pass: &[AxisPass; 3], lanes: usize, size: usize) -> Plan {
    if by_rows(shape, pass, lanes, size)
        && let Some(tile) = rows::tile(pass, shape.in_channels, lanes, size)
    {
        let chunk_taps = pass.map(|axis| axis.taps);
        let block = rows::CHANNELS.min(shape.out_channels.max(1));
        return Plan { algorithm: Algorithm::Rows, lanes, block, tile, piece: 0, chunk_channels: 1, chunk_taps };
    }
    plan_blocks(shape, pass, lanes, size)
}

/// The same without [`Algorithm::Rows`], which knows no taps that take no part.
pub(super) fn plan_blocks(shape: &ConvShape, pass: &[AxisPass; 3], lanes: usize, size: usize) -> Plan {
    let (algorithm, block) = algorithm(shape, pass[2].outputs, lanes);
    let pixels = if algorithm == Algorithm::Direct { DIRECT_PIXELS } else { DEPTHWISE_PIXELS };
    let piece = if algorithm == Algorithm::Direct { DIRECT_PIECE } else { DEPTHWISE_PIECE };
    let patch = patch_room(lanes, size);
    let mut plan = Plan { algorithm, lanes, block, tile: split(pass, pixels), piece, chunk_channels: 1, chunk_taps: [1; 3] };
    let taps = pass.map(|axis| axis.taps);
    // A tile is made smaller until all its input channels fit, or there is little left of it.
    let room = |plan: &Plan, tile, taps| room(shape, plan, pass, tile, taps);
    let whole = |plan: &Plan, tile| room(plan, tile, taps).saturating_mul(shape.in_channels);
    let mut left = pixels;
    while left / 2 >= LEAST_PIXELS && whole(&plan, plan.tile) > patch {
        left /= 2;
        plan.tile = split(pass, left);
    }
    if whole(&plan, plan.tile) > patch {
        // Sums of one piece are kept from chunk to chunk.
        plan.tile = split(pass, piece);
    }
    // And further until one channel of it, with one tap, can be staged.
    for axis in 0..3 {
        while plan.tile[axis] > 1 && room(&plan, plan.tile, [1; 3]) > patch {
            plan.tile[axis] = plan.tile[axis].div_ceil(2);
        }
    }
    let most_taps = PANEL_BYTES / size / block;
    for axis in (0..3).rev() {
        while plan.chunk_taps[axis] < taps[axis] {
            let mut more = plan.chunk_taps;
            more[axis] = (more[axis] * 2).min(taps[axis]);
            if room(&plan, plan.tile, more) > patch || more.iter().product::<usize>() > most_taps {
                break;
            }
            plan.chunk_taps = more;
        }
        if plan.chunk_taps[axis] < taps[axis] {
            return plan;
        }
    }
    let channel = room(&plan, plan.tile, plan.chunk_taps).max(1);
    let per_channel = plan.chunk_taps.iter().product::<usize>().max(1);
    plan.chunk_channels = shape.in_channels.min(patch / channel).min(most_taps / per_channel).max(1);
    plan
}

/// Sizes of about `pixels` outputs: whole rows if possible, and all tiles about as large.
fn split(pass: &[AxisPass; 3], pixels: usize) -> [usize; 3] {
    let mut tile = [1; 3];
    let mut left = pixels;
    for axis in (0..3).rev() {
        let parts = pass[axis].outputs.div_ceil(left).max(1);
        tile[axis] = pass[axis].outputs.div_ceil(parts).max(1);
        left = (left / tile[axis]).max(1);
    }
    tile
}

/// Elements of one channel of the patch, with room for de-interleaved and overrun rows.
pub(super) fn extents(plan: &Plan, pass: &[AxisPass; 3], tile: [usize; 3], taps: [usize; 3]) -> usize {
    let [depth, height, width] = PatchAxis::all(pass, tile, taps).map(|axis| axis.length);
    let width = match plan.algorithm {
        Algorithm::Direct => width,
        Algorithm::Depthwise | Algorithm::Rows => row_length(&pass[2], tile[2], taps[2], plan.lanes),
    };
    depth.saturating_mul(height).saturating_mul(width)
}

/// Elements of one channel of the patch that lie inside the input, or half of all if that is more: what far taps read in the
/// padding is seldom brought in.
fn room(shape: &ConvShape, plan: &Plan, pass: &[AxisPass; 3], tile: [usize; 3], taps: [usize; 3]) -> usize {
    let all = extents(plan, pass, tile, taps);
    if plan.algorithm != Algorithm::Direct || shape.mode != PaddingMode::Zeros {
        return all;
    }
    let axes = PatchAxis::all(pass, tile, taps);
    let inside = |axis: usize| axes[axis].length.min(shape.input[axis]);
    inside(0).saturating_mul(inside(1)).saturating_mul(inside(2)).max(all.div_ceil(2))
}

const _: () = assert!(2 * PATCH_BYTES + PANEL_BYTES < (SCRATCH_BYTES - CALL_BYTES) * 3 / 4);
