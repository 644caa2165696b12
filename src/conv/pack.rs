//! Weights of one block of output channels in the order in which a kernel reads them.

use std::ops::Range;

use super::plan::{Algorithm, Plan};
use crate::array::{Accumulator, Element, View};
use crate::shape::{AxisPass, ConvShape};
use crate::simd::{Isa, Lanes, MOST_LANES, Operation, Simd, dispatch, prefetch, widen_run};

/// Taps packed together, so that the lines of the panel being written stay in the L1 cache.
const TAPS: usize = 16;
/// Taps of one vector of output channels that are packed before the next vector's: a few lines of each, one after another.
const RUN: usize = 128;

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

    /// The same, counted through all groups.
    pub fn outputs(&self, shape: &ConvShape) -> Range<usize> {
        let first = self.group * shape.out_channels + self.first;
        first..first + self.channels(shape)
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

/// Whether vectors of weights hold neither infinities nor NaN: zero times any other number adds nothing.
pub(super) struct Finite<S: Simd>(S::Vector);

impl<S: Simd> Finite<S> {
    #[inline(always)]
    pub fn new(simd: S) -> Self {
        Finite(simd.zero())
    }

    /// Looks at whole vectors.
    #[inline(always)]
    pub fn look(&mut self, simd: S, weights: &[S::Scalar]) {
        for vector in weights.chunks_exact(S::LANES) {
            // SAFETY: a chunk has a vector's lanes.
            self.0 = simd.multiply_add(simd.zero(), unsafe { simd.load(vector.as_ptr()) }, self.0);
        }
    }

    #[inline(always)]
    pub fn all(self, simd: S) -> bool {
        let mut lanes = [S::Scalar::default(); MOST_LANES];
        // SAFETY: no vector has more lanes.
        unsafe { simd.store(lanes.as_mut_ptr(), self.0) };
        lanes[..S::LANES].iter().all(|lane| lane.is_finite())
    }
}

/// `panel[tap][lane]`: for every tap of the chunk, in the kernel's order, the weights of the block; lanes beyond the last
/// output channel are zero. Says whether all are finite.
pub(super) fn pack<E: Element<Accumulator: Lanes>>(
    isa: Isa,
    shape: &ConvShape,
    pass: &[AxisPass; 3],
    weight: &View<'_, E>,
    block: Block,
    chunk: &Chunk,
    panel: &mut [E::Accumulator],
) -> bool {
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
        panel,
    };
    let (squares, finite) =
        if source.taps_are_adjacent() { dispatch(isa, Squares { source: &mut source, total }) } else { (0..0, true) };
    let (head, tail) = (source.gather(0..squares.start), source.gather(squares.end..total));
    finite && head && tail
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
    panel: &'a mut [E::Accumulator],
}

impl<E: Element> Source<'_, '_, E> {
    /// All taps of an output channel lie side by side, in the kernel's order.
    fn taps_are_adjacent(&self) -> bool {
        let [depth, height, width] = self.counts;
        let adjacent = [(width, 1), (height, width), (depth, height * width), (2, depth * height * width)];
        adjacent.iter().zip(self.steps.iter().rev()).all(|(&(count, distance), &step)| count == 1 || step == distance as isize)
    }

    /// Packs some taps one by one; says whether all are finite.
    fn gather(&mut self, taps: Range<usize>) -> bool {
        let [depth, height, width] = self.counts;
        let mut offsets = [0isize; TAPS];
        let mut finite = true;
        for tap in taps.clone().step_by(TAPS) {
            let count = TAPS.min(taps.end - tap);
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
                    let value = unsafe { *self.weight.pointer().offset(column + offsets[position]) }.widen();
                    finite &= value.is_finite();
                    rows[position * self.all_lanes + lane] = value;
                }
            }
            if self.lanes < self.all_lanes {
                for row in rows.chunks_exact_mut(self.all_lanes) {
                    row[self.lanes..].fill(E::Accumulator::default());
                }
            }
        }
        finite
    }
}

/// Square blocks of a source whose taps lie side by side; gives back which taps are packed, and whether those are finite.
struct Squares<'s, 'a, 'w, E: Element> {
    source: &'s mut Source<'a, 'w, E>,
    total: usize,
}

impl<E: Element> Operation<E::Accumulator> for Squares<'_, '_, '_, E> {
    type Output = (Range<usize>, bool);

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) -> (Range<usize>, bool) {
        let Squares { source, total } = self;
        if source.lanes != source.all_lanes || !source.lanes.is_multiple_of(S::LANES) || source.lane < 0 {
            return (0..0, true);
        }
        // Rows a power of two apart compete for the same lines of the cache: each line should be read once, whole.
        let from = source.weight.pointer().wrapping_offset(source.first);
        let alike = (source.lane as usize).is_multiple_of(S::LANES);
        let head = if alike { from.align_offset(S::LANES * size_of::<E>()).min(S::LANES - 1).min(total) } else { 0 };
        let end = head + (total - head) / S::LANES * S::LANES;
        let (mut square, mut finite) = (Square::default(), Finite::new(simd));
        for start in (head..end).step_by(RUN) {
            let stop = end.min(start + RUN);
            for lane in (0..source.lanes).step_by(S::LANES) {
                for tap in (start..stop).step_by(S::LANES) {
                    // So many rows are more than the hardware foresees.
                    for row in 0..S::LANES {
                        prefetch(from.wrapping_offset((lane + row) as isize * source.lane + (tap + RUN) as isize));
                    }
                    // SAFETY: the block's output channels and taps are inside the weight; with `IN_PLACE` its elements are
                    // accumulators. The panel has `total` rows of `all_lanes`, a square LANES rows of LANES.
                    unsafe {
                        let from = from.offset(lane as isize * source.lane + tap as isize);
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
            finite.look(simd, &source.panel[start * source.all_lanes..stop * source.all_lanes]);
        }
        (head..end, finite.all(simd))
    }
}
