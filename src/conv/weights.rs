//! Weights in the order in which the kernels read them: packed block by block within a call, or once for a planned layer.

use super::pack::{Block, Chunk, pack};
use super::plan::Plan;
use crate::array::{Aligned, Element, View};
use crate::shape::{AxisPass, ConvShape};
use crate::simd::{Isa, Lanes};

/// Where a task's weights come from.
#[derive(Clone, Copy)]
pub(super) enum Weights<'a, E: Element> {
    /// As the caller gave them.
    Given(View<'a, E>),
    /// Packed for every pass, group and block.
    Packed(&'a Packed<E::Accumulator>),
}

/// All weights of a layer, `[pass][group][block][tap][channel of the block]`.
pub(super) struct Packed<T> {
    data: Aligned<T>,
    /// Where each pass begins.
    starts: Vec<usize>,
    /// Lanes of all blocks of a group.
    lanes: usize,
}

impl<T: Lanes> Packed<T> {
    /// Packs `weight` in the blocks of `plan`, which all passes share.
    pub fn new<E: Element<Accumulator = T>>(
        isa: Isa,
        shape: &ConvShape,
        passes: &[[AxisPass; 3]],
        weight: &View<'_, E>,
        plan: &Plan,
    ) -> Self {
        let blocks = || (0..shape.out_channels).step_by(plan.block);
        let lanes = blocks().map(|first| Block::new(shape, plan, 0, first).lanes).sum();
        let taps = |pass: &[AxisPass; 3]| shape.in_channels * pass.iter().map(|axis| axis.taps).product::<usize>();
        let total: usize = passes.iter().map(|pass| taps(pass) * lanes * shape.groups).sum();
        let mut packed = Packed { data: Aligned::zeros(total), starts: Vec::with_capacity(passes.len()), lanes };
        let mut start = 0;
        for pass in passes {
            packed.starts.push(start);
            let chunk = Chunk { channels: (0, shape.in_channels), taps: pass.map(|axis| (0, axis.taps)) };
            for group in 0..shape.groups {
                for first in blocks() {
                    let block = Block::new(shape, plan, group, first);
                    pack(isa, shape, pass, weight, block, &chunk, &mut packed.data[start..]);
                    start += chunk.len() * block.lanes;
                }
            }
        }
        packed
    }

    /// The weights of `block` for a chunk of the taps of a pass.
    pub fn panel(&self, shape: &ConvShape, pass: usize, axes: &[AxisPass; 3], block: Block, chunk: &Chunk) -> &[T] {
        let taps = shape.in_channels * axes.iter().map(|axis| axis.taps).product::<usize>();
        // All blocks before this one are full.
        let start = self.starts[pass] + (block.group * self.lanes + block.first) * taps + chunk.first_tap(axes) * block.lanes;
        &self.data[start..start + chunk.len() * block.lanes]
    }
}
