//! The chunks of a pass, in the order in which every output element adds its taps.

use super::pack::Chunk;
use super::plan::Plan;
use crate::shape::{AxisPass, ConvShape};

pub(super) struct Chunks {
    total: [usize; 4],
    chunk: [usize; 4],
}

impl Chunks {
    pub fn of(shape: &ConvShape, axes: &[AxisPass; 3], plan: &Plan) -> Self {
        let taps = axes.map(|axis| axis.taps);
        let chunk = plan.chunk_taps;
        let mut total = [shape.in_channels, taps[0], taps[1], taps[2]];
        if total.contains(&0) {
            total = [0; 4];
        }
        Chunks { total, chunk: [plan.chunk_channels, chunk[0], chunk[1], chunk[2]] }
    }

    fn counts(&self) -> [usize; 4] {
        // No taps at all are one empty chunk, which sets the sums to zero.
        std::array::from_fn(|axis| self.total[axis].div_ceil(self.chunk[axis]).max(1))
    }

    pub fn number(&self) -> usize {
        self.counts().iter().product()
    }

    pub fn get(&self, index: usize) -> Chunk {
        let counts = self.counts();
        let mut rest = index;
        let mut ranges = [(0, 0); 4];
        for axis in (0..4).rev() {
            let start = rest % counts[axis] * self.chunk[axis];
            ranges[axis] = (start, (start + self.chunk[axis]).min(self.total[axis]));
            rest /= counts[axis];
        }
        Chunk { channels: ranges[0], taps: [ranges[1], ranges[2], ranges[3]] }
    }
}
