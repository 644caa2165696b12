//! Maxima with their places where equal windows lie at equal distances: what memory they take, and in which order the blocks of
//! outputs come.

use std::ops::Range;

use crate::array::{DType, Ordered, SCRATCH_BYTES, SharedOutput, View, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};
use crate::simd::{Body, Isa, vectorised};

use super::axis::Axis;
use super::input::ROWS;
use super::pairs::{LANES, Pairs};
use super::tiling::{Block, Tile, Tiling};

mod blocks;

use blocks::Blocks;

/// Pairs that the rows of a block take, about.
const BLOCK: usize = 4096;
/// The same for windows of more than [`FEW`] rows, which are kept at every length.
const TALL_BLOCK: usize = 16384;
/// Elements of neighbouring rows that become pairs at once, about: enough to hide what a row costs beside them, and no more than
/// memory can be asked ahead for.
const TOGETHER: usize = 512;
/// Elements of a window along an axis that are joined one after the other.
const FEW: usize = 8;
/// A window spreads over as many elements at most.
const MOST_SPREAD: usize = 16384;

/// How maxima are computed, and how many at once.
pub(super) struct Places<'a> {
    shape: &'a PoolShape<'a>,
    windows: [Windows; 3],
    axes: [Axis; 3],
    /// Lengths 1, 2, 4, … at which rows of pairs are kept.
    levels: usize,
    /// Outputs of a block.
    block: [usize; 2],
    /// Pairs from a row to the next.
    pitch: usize,
    /// Outputs of a row whose windows begin in the padding.
    clipped: usize,
    /// Rows of the input that a block covers, and how many of them follow each other.
    rows: usize,
    together: usize,
    /// Elements that may be read from the first of a block's on.
    reach: usize,
}

impl<'a> Places<'a> {
    /// The windows, if they are of this kind.
    pub fn new(shape: &'a PoolShape<'a>) -> Option<Self> {
        let windows = shape.windows(0);
        let axes = [Axis::new(&windows[0])?, Axis::new(&windows[1])?, Axis::new(&windows[2])?];
        let [depth, height, width] = axes;
        let spread = height.span().saturating_mul(width.span());
        // Of a window a plane, vectors would have but one lane.
        if shape.output == [1; 3] || depth.kernel > ROWS || spread > MOST_SPREAD || width.stride > MOST_SPREAD {
            return None;
        }
        let tall = height.kernel > FEW;
        let columns = width.fitting((if tall { BLOCK / 16 } else { BLOCK / 2 }).max(2 * width.span()));
        // From a row to the next as many windows as elements, with the stride.
        let pitch = width.covered(columns).div_ceil(width.stride);
        let rows = if tall { (TALL_BLOCK / pitch).max(2 * height.span()) } else { BLOCK / pitch / depth.kernel };
        let block = height.fitting(rows);
        let rows = height.covered(block);
        // Rows between windows are not read, and long windows are made row by row.
        let alone = height.stride > height.span() || width.kernel > FEW;
        let together = if alone { 1 } else { (TOGETHER / (pitch * width.stride)).clamp(1, rows) };
        let reach = (together * pitch + LANES) * width.stride + width.span() + LANES;
        let plane = shape.input.iter().try_fold(1usize, |plane, &size| plane.checked_mul(size))?;
        let places = Places {
            shape,
            windows,
            axes,
            levels: if tall { height.kernel.ilog2() as usize + 1 } else { 1 },
            block: [block, columns],
            pitch,
            clipped: width.before.div_ceil(width.stride),
            rows,
            together,
            reach,
        };
        let fits = plane.checked_add(reach)? < i32::MAX as usize && places.bytes(size_of::<u64>()) <= SCRATCH_BYTES;
        fits.then_some(places)
    }

    /// Pairs of a block, and those that long windows of a row are made of.
    fn pairs(&self) -> [usize; 2] {
        let dense = if self.axes[2].kernel > FEW { self.pitch * self.axes[2].stride + 2 * LANES } else { LANES };
        [self.axes[0].kernel * self.levels * self.level(), dense]
    }

    /// Scratch memory, for keys of so many bytes.
    fn bytes(&self, key: usize) -> usize {
        let [pairs, dense] = self.pairs();
        let counts = [pairs, dense, self.pitch].map(|count| count * key + count * size_of::<i64>() + 128);
        counts.iter().sum::<usize>() + self.reach * key + 64
    }

    /// Writes the maxima of `input` and their places.
    pub fn run<E: Ordered>(
        &self,
        isa: Isa,
        input: &View<'_, E>,
        output: SharedOutput<'_, E>,
        indices: SharedOutput<'_, i64>,
    ) -> Result<(), Error> {
        let tiling = Tiling::new(self.shape);
        for_each_chunk(tiling.tasks, tiling.work, |tasks, progress| {
            let [pairs, dense] = self.pairs();
            with_scratch(self.bytes(size_of::<E::Key>()), |scratch| {
                let [keys, dense_keys] = [pairs, dense].map(|count| scratch.cut(count).as_mut_ptr());
                let [places, dense_places] = [pairs, dense].map(|count| scratch.cut(count).as_mut_ptr());
                let pairs = Pairs::<E> { keys, places };
                let blocks = Blocks {
                    all: self,
                    input,
                    elements: E::as_keys(&[]).and(input.as_slice()),
                    output,
                    indices,
                    pairs,
                    dense: Pairs { keys: dense_keys, places: dense_places },
                    held: [None; ROWS],
                    list: [(pairs, 0); ROWS * FEW],
                    padded: None,
                    copy: scratch.cut(self.reach),
                    finished: scratch.cut(self.pitch),
                    found: scratch.cut(self.pitch),
                };
                // The others make do with what all processors have: each such code adds to the wheel.
                let tasks = Tasks { tiling: &tiling, tasks, progress, blocks };
                if const { matches!(E::DTYPE, DType::F32 | DType::F64) } { vectorised(isa, tasks) } else { tasks.run() }
            });
        })
    }

    /// Pairs of a block of a plane of the input, up to a whole chunk.
    #[inline(always)]
    fn level(&self) -> usize {
        self.rows * self.pitch + LANES
    }

    /// Where an element stands in its plane.
    #[inline(always)]
    fn place(&self, depth: usize, height: usize, width: isize) -> i32 {
        ((depth * self.shape.input[1] + height) * self.shape.input[2]) as i32 + width as i32
    }

    /// The first element of a window.
    #[inline(always)]
    fn first(&self, depth: &Window, height: &Window, x: usize) -> i64 {
        i64::from(self.place(depth.first, height.first, self.windows[2].window(x).first as isize))
    }
}

struct Tasks<'a, E: Ordered> {
    tiling: &'a Tiling,
    tasks: Range<usize>,
    progress: &'a Progress<'a>,
    blocks: Blocks<'a, E>,
}

impl<E: Ordered> Body for Tasks<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let channels = self.blocks.all.shape.channels;
        let [rows, columns] = self.blocks.all.block;
        for Tile { plane, start, end } in self.tiling.tiles(self.tasks.clone()) {
            for y in (start[1]..end[1]).step_by(rows) {
                for x in (start[2]..end[2]).step_by(columns) {
                    for z in start[0]..end[0] {
                        if self.progress.cancelled() {
                            return;
                        }
                        let (height, width) = (y..end[1].min(y + rows), x..end[2].min(x + columns));
                        self.blocks.run(&Block { image: plane / channels, channel: plane % channels, z, height, width });
                    }
                }
            }
        }
    }
}
