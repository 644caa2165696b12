//! Weights of one block of output channels in the order in which a kernel reads them.

use super::plan::{Algorithm, Plan};
use crate::array::{Element, View};
use crate::shape::{AxisPass, ConvShape};
use crate::simd::{Isa, Lanes, MOST_LANES, Operation, Simd, dispatch, widen_run};

/// Taps packed together, so that the lines of the panel being written stay in the L1 cache.
const TAPS: usize = 16;

/// Part of the taps of a pass: input channels, and taps along depth, height, width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub channels: (usize, usize),
    pub taps: [(usize, usize); 3],
}

impl Chunk {
    pub fn channel_count(&self) -> usize {
        self.channels.1 - self.channels.0
    }

    pub fn tap_counts(&self) -> [usize; 3] {
        self.taps.map(|(start, end)| end - start)
    }

    pub fn len(&self) -> usize {
        self.channel_count() * self.tap_counts().iter().product::<usize>()
    }

    /// Taps of the whole pass before this chunk: chunks cut the order of summation into consecutive runs.
    pub fn first_tap(&self, pass: &[AxisPass; 3]) -> usize {
        let [z, y, x] = self.taps.map(|(start, _)| start);
        ((self.channels.0 * pass[0].taps + z) * pass[1].taps + y) * pass[2].taps + x
    }
}

/// Output channels of one group that are computed together: from `first` on, in `lanes` of which the last may be unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub group: usize,
    pub first: usize,
    pub lanes: usize,
}

impl Block {
    /// The block that begins at output channel `first` of a group: as many vectors as its channels need.
    pub fn new(shape: &ConvShape, plan: &Plan, group: usize, first: usize) -> Self {
        let channels = plan.block.min(shape.out_channels - first);
        let lanes = match plan.algorithm {
            Algorithm::Direct => channels.next_multiple_of(plan.lanes),
            Algorithm::Depthwise | Algorithm::Rows => channels,
        };
        Block { group, first, lanes }
    }

    /// Output channels that exist.
    pub fn channels(&self, shape: &ConvShape) -> usize {
        self.lanes.min(shape.out_channels - self.first)
    }
}

/// Room for as many vectors as one has lanes.
#[repr(align(64))]
pub(super) struct Square<T>(pub [T; MOST_LANES * MOST_LANES]);

impl<T: Copy + Default> Default for Square<T> {
    fn default() -> Self {
        Square([T::default(); MOST_LANES * MOST_LANES])
    }
}

/// `panel[tap][lane]`: for every tap of the chunk, in the kernel's order, the weights of the block; lanes beyond the last
/// output channel are zero.
pub(super) fn pack<E: Element<Accumulator: Lanes>>(
    isa: Isa,
    shape: &ConvShape,
    pass: &[AxisPass; 3],
    weight: &View<'_, E>,
    block: Block,
    chunk: &Chunk,
    panel: &mut [E::Accumulator],
) {
    let total = chunk.len();
    let panel = &mut panel[..total * block.lanes];
    let strides = weight.strides();
    let (output_axis, input_axis) = if shape.transposed { (1, 0) } else { (0, 1) };
    let group_offset = block.group * if shape.transposed { shape.in_channels } else { shape.out_channels };
    let step = |axis: usize| pass[axis].kernel_step * strides[2 + axis];
    let start = |axis: usize| {
        (pass[axis].kernel_start as isize + chunk.taps[axis].0 as isize * pass[axis].kernel_step) * strides[2 + axis]
    };
    let first = group_offset as isize * strides[0]
        + (start(0) + start(1) + start(2))
        + chunk.channels.0 as isize * strides[input_axis]
        + block.first as isize * strides[output_axis];
    let mut source = Source {
        weight,
        first,
        lane: strides[output_axis],
        lanes: block.channels(shape),
        counts: [chunk.tap_counts()[0], chunk.tap_counts()[1], chunk.tap_counts()[2]],
        steps: [strides[input_axis], step(0), step(1), step(2)],
        all_lanes: block.lanes,
        from: 0,
        panel,
    };
    if source.taps_are_adjacent() {
        source.from = dispatch(isa, Transpose { source: &mut source, total });
    }
    source.gather(total);
}

/// Where a chunk's weights lie.
struct Source<'a, 'w, E: Element> {
    weight: &'a View<'w, E>,
    first: isize,
    /// Distance of output channels.
    lane: isize,
    lanes: usize,
    counts: [usize; 3],
    /// Distance of input channels, and of taps along each axis.
    steps: [isize; 4],
    all_lanes: usize,
    /// First tap that is not packed yet.
    from: usize,
    panel: &'a mut [E::Accumulator],
}

impl<E: Element> Source<'_, '_, E> {
    /// All taps of an output channel lie side by side, in the kernel's order.
    fn taps_are_adjacent(&self) -> bool {
        let [depth, height, width] = self.counts;
        let adjacent = [(width, 1), (height, width), (depth, height * width), (2, depth * height * width)];
        adjacent.iter().zip(self.steps.iter().rev()).all(|(&(count, distance), &step)| count == 1 || step == distance as isize)
    }

    /// Tap by tap, from `self.from` on.
    fn gather(&mut self, total: usize) {
        let [depth, height, width] = self.counts;
        let mut offsets = [0isize; TAPS];
        for tap in (self.from..total).step_by(TAPS) {
            let count = TAPS.min(total - tap);
            for (position, offset) in offsets[..count].iter_mut().enumerate() {
                let index = tap + position;
                let (channel, rest) = (index / (depth * height * width), index % (depth * height * width));
                let at = [channel, rest / (height * width), rest / width % height, rest % width];
                *offset = at.iter().zip(self.steps).map(|(&at, step)| at as isize * step).sum();
            }
            let rows = &mut self.panel[tap * self.all_lanes..(tap + count) * self.all_lanes];
            for lane in 0..self.lanes {
                let column = self.first + lane as isize * self.lane;
                for position in 0..count {
                    // SAFETY: group, channel, output channel and tap are inside the weight's shape, which the view promises.
                    let value = unsafe { *self.weight.pointer().offset(column + offsets[position]) };
                    rows[position * self.all_lanes + lane] = value.widen();
                }
            }
            if self.lanes < self.all_lanes {
                for row in rows.chunks_exact_mut(self.all_lanes) {
                    row[self.lanes..].fill(E::Accumulator::default());
                }
            }
        }
    }
}

/// Whole square blocks of a source whose taps lie side by side; gives back how many taps are packed.
struct Transpose<'s, 'a, 'w, E: Element> {
    source: &'s mut Source<'a, 'w, E>,
    total: usize,
}

impl<E: Element> Operation<E::Accumulator> for Transpose<'_, '_, '_, E> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) -> usize {
        let Transpose { source, total } = self;
        if source.lanes != source.all_lanes || !source.lanes.is_multiple_of(S::LANES) || source.lane < 0 {
            return 0;
        }
        let whole = total / S::LANES * S::LANES;
        let mut square = Square::default();
        for tap in (0..whole).step_by(S::LANES) {
            for lane in (0..source.lanes).step_by(S::LANES) {
                // SAFETY: the block's output channels and taps are inside the weight; with `IN_PLACE` its elements are
                // accumulators. The panel has `total` rows of `all_lanes`, a square LANES rows of LANES.
                unsafe {
                    let from = source.weight.pointer().offset(source.first + lane as isize * source.lane + tap as isize);
                    let to = source.panel.as_mut_ptr().add(tap * source.all_lanes + lane);
                    if E::IN_PLACE {
                        simd.transpose(from.cast(), source.lane as usize, to, source.all_lanes);
                        continue;
                    }
                    for (row, widened) in square.0.chunks_exact_mut(S::LANES).take(S::LANES).enumerate() {
                        let taps = std::slice::from_raw_parts(from.offset(row as isize * source.lane), S::LANES);
                        widen_run(simd, taps, widened);
                    }
                    simd.transpose(square.0.as_ptr(), S::LANES, to, source.all_lanes);
                }
            }
        }
        whole
    }
}
