//! How large a tile is, and how its part of the input lies in scratch memory.

use super::long::Segments;
use crate::conv::patch_axis::PatchAxis;
use crate::shape::{AxisPass, gcd};

/// Bytes of input that a tile stages: with weights and sums they stay in the L1 cache.
const NEAR_BYTES: usize = 32 << 10;
/// The same where a long kernel leaves no choice.
const FAR_BYTES: usize = 256 << 10;
/// The most taps, whose weights are widened into scratch memory, and the most outputs of a tile.
const MOST_TAPS: usize = 32 << 10;
const MOST_OUTPUTS: usize = 8 << 10;
/// Fewer rows, or fewer vectors of a row, are not worth a tile of their own.
const LEAST_ROWS: usize = 8;
const LEAST_VECTORS: usize = 8;

/// A staged row: its columns sorted by the residue that their taps have modulo the stride, so that neighbouring outputs read
/// neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    /// Residues that taps have, and elements from one to the next.
    pub residues: usize,
    pub spacing: usize,
    /// Elements of the first residue; the others have at most as many.
    pub length: usize,
    /// Elements from a tap to the next of the same residue.
    advance: usize,
}

impl Columns {
    pub fn new(pass: &AxisPass, outputs: usize, lanes: usize) -> Self {
        let common = gcd(pass.input_step, pass.tap_step);
        let residues = (pass.input_step / common).min(pass.taps).max(1);
        let advance = pass.tap_step / common;
        let turns = pass.taps.saturating_sub(1) / residues;
        let length = turns.saturating_mul(advance).saturating_add(outputs);
        // The last vector of a row reads, and the staging of a row writes, up to a vector more.
        let spacing = length.checked_next_multiple_of(lanes).unwrap_or(length).saturating_add(lanes);
        Columns { residues, spacing, length, advance }
    }

    /// Offset of a tap in the row.
    pub fn offset(&self, tap: usize) -> usize {
        tap % self.residues * self.spacing + tap / self.residues * self.advance
    }

    pub fn row(&self) -> usize {
        self.residues.saturating_mul(self.spacing)
    }
}

/// Elements of the staged input of a tile.
pub(super) fn staged(pass: &[AxisPass; 3], tile: [usize; 3], lanes: usize) -> usize {
    let length = |axis: usize| PatchAxis::new(&pass[axis], tile[axis], pass[axis].taps).length;
    length(0).saturating_mul(length(1)).saturating_mul(Columns::new(&pass[2], tile[2], lanes).row())
}

/// Sums of a tile, in whole vectors.
pub(super) fn sums(tile: [usize; 3], lanes: usize) -> usize {
    tile[1] * tile[2].next_multiple_of(lanes)
}

/// The tile of outputs for a pass of so many input channels, unless its kernel is too long to be staged in one piece.
pub(in crate::conv) fn tile(pass: &[AxisPass; 3], channels: usize, lanes: usize, size: usize) -> Option<[usize; 3]> {
    let taps = pass.iter().fold(channels, |product, axis| product.saturating_mul(axis.taps));
    if taps == 0 || taps > MOST_TAPS {
        return None;
    }
    if channels == 1
        && let Some(tile) = Segments::tile(pass, lanes)
    {
        return Some(tile);
    }
    let mut tile = pass.map(|axis| axis.outputs.max(1));
    let fits = |tile, bytes: usize| {
        staged(pass, tile, lanes).saturating_mul(channels) <= bytes / size && sums(tile, lanes) <= MOST_OUTPUTS
    };
    if fits(tile, NEAR_BYTES) {
        return Some(tile);
    }
    // Halves, then rounds so that all tiles are about as large.
    let halve = |tile: &mut [usize; 3], axis: usize| {
        let parts = pass[axis].outputs.div_ceil(tile[axis].div_ceil(2));
        tile[axis] = pass[axis].outputs.div_ceil(parts);
    };
    let reach = |axis: usize| pass[axis].extent(1, pass[axis].taps) / pass[axis].input_step;
    let least = [1, LEAST_ROWS.max(2 * reach(1)), (LEAST_VECTORS * lanes).max(2 * reach(2))];
    for axis in 0..3 {
        while !fits(tile, NEAR_BYTES) && tile[axis] >= 2 * least[axis] {
            halve(&mut tile, axis);
        }
    }
    for axis in 0..3 {
        // Of several channels a tile of few rows would copy most of them twice.
        while channels == 1 && !fits(tile, FAR_BYTES) && tile[axis] > 1 {
            halve(&mut tile, axis);
        }
    }
    fits(tile, FAR_BYTES).then_some(tile)
}
