//! Transformed weights, in the order in which the products read them.

use super::form::Form;
use super::plan::WinogradPlan;
use super::{POINTS, transform};
use crate::array::{Accumulator, Aligned, Element, View};
use crate::conv::pack::Block;
use crate::shape::ConvShape;

/// All weights of a layer, `[group][block][position][tap along depth][input channel][channel of the block]`.
pub(in crate::conv) struct Transformed<T> {
    data: Aligned<T>,
    /// Taps along depth times input channels.
    taps: usize,
    /// Lanes of all blocks of a group.
    lanes: usize,
    positions: usize,
}

impl<T: Accumulator> Transformed<T> {
    /// Transforms in float64 and rounds once.
    pub fn new<E: Element<Accumulator = T>>(shape: &ConvShape, weight: &View<'_, E>, plan: &WinogradPlan) -> Self {
        let (taps, lanes) = (shape.kernel[0] * shape.in_channels, shape.out_channels.next_multiple_of(plan.lanes));
        let (form, positions) = (Form::of(shape), Form::of(shape).positions());
        let data = Aligned::zeros(shape.groups * lanes * taps * positions);
        let mut transformed = Transformed { data, taps, lanes, positions };
        for output in 0..shape.groups * shape.out_channels {
            let block = plan.block(shape, output / shape.out_channels, output % shape.out_channels / plan.block * plan.block);
            let lane = output % shape.out_channels - block.first;
            let start = transformed.start(block) + lane;
            for tap in 0..taps {
                let (depth, channel) = (tap / shape.in_channels, tap % shape.in_channels);
                let kernel = |y, x| weight.get([output, channel, depth, y, x]).widen().to_f64();
                let row = |y| transform::weight(std::array::from_fn(|x| kernel(y, x)));
                let mut set = |position: usize, value| {
                    transformed.data[start + (position * taps + tap) * block.lanes] = T::from_f64(value);
                };
                if form.rows == 1 {
                    row(0).into_iter().enumerate().for_each(|(x, value)| set(x, value));
                    continue;
                }
                let rows = [row(0), row(1), row(2)];
                for x in 0..POINTS {
                    for (y, value) in transform::weight(rows.map(|row| row[x])).into_iter().enumerate() {
                        set(y * POINTS + x, value);
                    }
                }
            }
        }
        transformed
    }

    /// All blocks before this one are full.
    fn start(&self, block: Block) -> usize {
        (block.group * self.lanes + block.first) * self.taps * self.positions
    }

    /// `[position][tap][channel of the block]`.
    pub fn panel(&self, block: Block) -> &[T] {
        let start = self.start(block);
        &self.data[start..start + self.positions * self.taps * block.lanes]
    }
}
