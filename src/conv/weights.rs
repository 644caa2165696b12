//! Weights in the order in which the kernels read them: packed once for a planned layer, once for all tasks of a call, or block by
//! block within a task.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::pack::{Block, Chunk, pack};
use super::pack_phases::pack_phases;
use super::plan::Plan;
use crate::array::{Aligned, Element, SharedOutput, View, ViewMut};
use crate::error::Error;
use crate::parallel::for_each_chunk;
use crate::shape::{AxisPass, ConvShape};
use crate::simd::{Isa, Lanes};

/// Packing an element costs as much as so many multiply-adds.
const WORK: usize = 4;

/// Where a task's weights come from.
#[derive(Clone, Copy)]
pub(super) enum Weights<'a, E: Element> {
    /// As the caller gave them.
    Given(View<'a, E>),
    /// Packed for every pass, group and block.
    Packed(&'a Panels, &'a [E::Accumulator]),
}

/// Packed weights of a chunk of a block.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a, T> {
    /// `[tap][channel of the block]`.
    pub data: &'a [T],
    /// Whether no weight of the block is infinite or NaN.
    pub finite: bool,
}

/// Where the weights of some blocks lie, `[group][block][pass][tap][channel of the block]`.
pub(super) struct Panels {
    /// The blocks, counted through all groups, and how many a group has.
    blocks: Range<usize>,
    per_group: usize,
    /// Output channels of a block, and lanes of all blocks of a group.
    block: usize,
    lanes: usize,
    /// Taps before each pass, and of all of them.
    taps: Vec<usize>,
    /// Whether no weight is infinite or NaN, of each block and of all.
    finite: Vec<AtomicBool>,
    all_finite: AtomicBool,
}

impl Panels {
    pub fn new(shape: &ConvShape, plan: &Plan, passes: &[[AxisPass; 3]], blocks: Range<usize>) -> Self {
        let per_group = shape.out_channels.div_ceil(plan.block);
        let last = Block::new(shape, plan, 0, (per_group - 1) * plan.block);
        let mut taps = vec![0];
        for pass in passes {
            taps.push(taps[taps.len() - 1] + shape.in_channels * pass.iter().map(|axis| axis.taps).product::<usize>());
        }
        let finite = blocks.clone().map(|_| AtomicBool::new(true)).collect();
        Panels {
            blocks,
            per_group,
            block: plan.block,
            lanes: last.first + last.lanes,
            taps,
            finite,
            all_finite: AtomicBool::new(true),
        }
    }

    /// Whether no weight is infinite or NaN.
    pub fn finite(&self) -> bool {
        self.all_finite.load(Ordering::Relaxed)
    }

    pub fn elements(&self) -> usize {
        self.start(self.blocks.end)
    }

    /// Elements before a block; all blocks but the last of a group are full.
    fn start(&self, block: usize) -> usize {
        let lanes = |block: usize| block / self.per_group * self.lanes + block % self.per_group * self.block;
        (lanes(block) - lanes(self.blocks.start)) * self.taps[self.taps.len() - 1]
    }

    /// Packs the blocks, on as many threads as they are worth.
    pub fn pack<E: Element<Accumulator: Lanes>>(
        &self,
        isa: Isa,
        shape: &ConvShape,
        passes: &[[AxisPass; 3]],
        weight: &View<'_, E>,
        data: &mut [E::Accumulator],
    ) -> Result<(), Error> {
        let length = data.len();
        if length == 0 {
            return Ok(());
        }
        let mut data = ViewMut::new(data, [1, 1, 1, 1, length])?;
        let data = SharedOutput::new(&mut data);
        for_each_chunk(self.blocks.len(), WORK * length / self.blocks.len(), |indices, progress| {
            for block in indices.map(|index| self.blocks.start + index) {
                if progress.cancelled() {
                    return;
                }
                let (start, end) = (self.start(block), self.start(block + 1));
                // SAFETY: the elements of a block lie inside the data and are one task's.
                let panels = unsafe { std::slice::from_raw_parts_mut(data.channel(0, 0).add(start), end - start) };
                self.pack_block(isa, shape, passes, weight, block, panels);
            }
        })
    }

    /// Packs one of the blocks.
    pub fn pack_block<E: Element<Accumulator: Lanes>>(
        &self,
        isa: Isa,
        shape: &ConvShape,
        passes: &[[AxisPass; 3]],
        weight: &View<'_, E>,
        number: usize,
        panels: &mut [E::Accumulator],
    ) {
        let first = number % self.per_group * self.block;
        let block = Block { group: number / self.per_group, first, lanes: self.block.min(self.lanes - first) };
        let finite = pack_phases(isa, shape, passes, weight, block, panels).unwrap_or_else(|| {
            let each = passes.iter().zip(&self.taps).map(|(pass, taps)| {
                let chunk = Chunk { channels: (0, shape.in_channels), taps: pass.map(|axis| (0, axis.taps)) };
                pack(isa, shape, pass, weight, block, &chunk, &mut panels[taps * block.lanes..])
            });
            each.fold(true, |all, finite| all & finite)
        });
        self.finite[number - self.blocks.start].store(finite, Ordering::Relaxed);
        self.all_finite.fetch_and(finite, Ordering::Relaxed);
    }

    /// The weights of a block and of those behind it.
    pub fn blocks_from<'a, T>(&self, data: &'a [T], block: Block) -> &'a [T] {
        &data[self.start(block.group * self.per_group + block.first / self.block)..]
    }

    /// The weights of a block for a chunk of the taps of a pass.
    pub fn panel<'a, T>(&self, data: &'a [T], pass: usize, axes: &[AxisPass; 3], block: Block, chunk: &Chunk) -> Panel<'a, T> {
        let number = block.group * self.per_group + block.first / self.block;
        let start = self.start(number) + (self.taps[pass] + chunk.first_tap(axes)) * block.lanes;
        let finite = self.finite[number - self.blocks.start].load(Ordering::Relaxed);
        Panel { data: &data[start..start + chunk.len() * block.lanes], finite }
    }
}

/// All weights of a layer.
pub(super) struct Packed<T> {
    panels: Panels,
    data: Aligned<T>,
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
        let panels = Panels::new(shape, plan, passes, 0..shape.groups * shape.out_channels.div_ceil(plan.block));
        let mut data = Aligned::zeros(panels.elements());
        for block in panels.blocks.clone() {
            let place = panels.start(block)..panels.start(block + 1);
            panels.pack_block(isa, shape, passes, weight, block, &mut data[place]);
        }
        Packed { panels, data }
    }

    pub fn weights<E: Element<Accumulator = T>>(&self) -> Weights<'_, E> {
        Weights::Packed(&self.panels, &self.data)
    }

    /// The weights of a block for a chunk of the taps of a pass.
    pub fn panel(&self, pass: usize, axes: &[AxisPass; 3], block: Block, chunk: &Chunk) -> Panel<'_, T> {
        self.panels.panel(&self.data, pass, axes, block, chunk)
    }
}
