//! Tiles whose result is not finite, computed directly: an infinite or huge input spoils its whole tile here, and only the
//! outputs that read it there.

use super::buffers::Buffers;
use super::run::Job;
use super::{OUTPUTS, division::Task};
use crate::array::{Accumulator, Element};
use crate::conv::direct::Pixels;
use crate::conv::pack::Block;
use crate::conv::patch::Tile;
use crate::simd::{Lanes, dispatch};

impl<E: Element<Accumulator: Lanes>> Job<'_, '_, E> {
    /// Replaces, in the sums of a strip, those channels of tiles that are not finite.
    pub(super) fn repair(&self, task: &Task, block: Block, strip: Tile, work: &mut Buffers<'_, E::Accumulator>) {
        let [_, rows, columns] = strip.size;
        let form = self.form;
        let bundles = columns.div_ceil(OUTPUTS * form.dilation);
        for number in 0..bundles * form.dilation {
            let (left, width) = (form.column(number), form.columns_before(number, columns));
            let pixels = |index: usize| index / width * columns + left + index % width * form.dilation;
            let mut tile = None;
            for lane in 0..block.channels(self.problem.shape) {
                let finite = (0..rows * width).all(|index| work.sums[pixels(index) * block.lanes + lane].is_finite());
                if finite {
                    continue;
                }
                tile.get_or_insert_with(|| {
                    let start = [strip.start[0], strip.start[1], strip.start[2] + left];
                    self.directly(task, block, Tile { start, size: [1, rows, (width - 1) * form.dilation + 1] }, work);
                });
                for index in 0..rows * width {
                    work.sums[pixels(index) * block.lanes + lane] = work.repaired[index * block.lanes + lane];
                }
            }
        }
    }

    /// The sums of one tile, as the direct algorithm adds them up.
    fn directly(&self, task: &Task, block: Block, tile: Tile, work: &mut Buffers<'_, E::Accumulator>) {
        let problem = self.problem;
        let request = self.request(&self.axes, task, tile, (0, problem.shape.in_channels));
        let patch = request.staged(problem.isa, problem.input, work.patch);
        patch.tap_offsets(&self.axes, None, &request.chunk, work.taps);
        let [_, rows, columns] = tile.size;
        let (step, width) = (self.form.dilation * patch.pixel_step(), columns.div_ceil(self.form.dilation));
        for index in 0..rows * width {
            work.pixels[index] = (patch.pixel_row([0, 0, index / width]) + index % width * step) as u32;
        }
        let pixels = Pixels {
            patch: patch.pointer,
            pixels: &work.pixels[..rows * width],
            taps: &work.taps[..request.chunk.len()],
            runs: None,
            panel: (problem.direct)().panel(0, &self.axes, block, &request.chunk).data,
            sums: work.repaired,
            step: block.lanes,
            vectors: block.lanes / problem.plan.lanes,
            fresh: true,
            bias: problem.epilogue.bias_of(block.outputs(problem.shape), work.bias),
            bounds: None,
        };
        dispatch(problem.isa, pixels);
    }
}
