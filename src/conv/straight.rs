//! Sums of few input channels and one tap: neighbouring pixels lie in the vectors, so that sums need no transposing and are
//! written where they belong. The weights are those packed for [`super::direct`], here broadcast.

use std::ops::Range;

use super::buffers::Buffers;
use super::chunks::Chunks;
use super::epilogue::Epilogue;
use super::job::{Job, Stage};
use super::pack::Block;
use super::plan::{Algorithm, straight};
use super::regions::Region;
use super::task::{Task, Together};
use super::weights::Weights;
use crate::array::{Activation, Element, SharedOutput, View};
use crate::simd::{Lanes, Operation, Simd, dispatch};

impl<E: Element<Accumulator: Lanes>> Job<'_, E> {
    /// Whether a task may be computed this way, for floats that are their own accumulators: weights are packed, no tap lies in the
    /// padding, and outputs are neighbours.
    pub(super) fn is_straight(&self, together: &Together<'_>, regions: &[Region]) -> bool {
        let (plan, axes) = (&self.passes.plan, &together.axes[0]);
        plan.algorithm == Algorithm::Direct
            && matches!(self.weights, Weights::Packed(..))
            && straight(self.shape, axes, plan.lanes, size_of::<E>())
            && Chunks::of(self.shape, axes, plan).number() == 1
            && regions.iter().all(|region| region.taps.iter().all(|taps| taps.len() == 1))
            && self.output.strides()[4] * axes[2].output_step as isize == 1
    }

    /// Computes all blocks of such a task, if its pixels are neighbours in long enough runs.
    pub(super) fn straight(
        &self,
        together: &Together<'_>,
        task: &Task,
        (regions, inside): (&[Region], bool),
        work: &mut Buffers<'_, E::Accumulator>,
        stage: &mut Stage<E::Accumulator>,
    ) -> bool {
        let (shape, plan, axes) = (self.shape, &self.passes.plan, &together.axes[0]);
        let Weights::Packed(panels, data) = self.weights else { return false };
        let chunk = Chunks::of(shape, axes, plan).get(0);
        // What is read once need not be copied before.
        let patch = self.bring_in(axes, task, (chunk, inside), 1, work);
        *stage = Some((0, patch));
        self.offsets(&patch, together, (chunk, task.images.1), regions, work);
        let count = regions.iter().map(|region| region.places(task.images.1, 1)).sum::<usize>();
        let residual = if self.epilogue.residual.is_some() { &work.residual_places[..count] } else { &[] };
        let runs = Run::all(&work.pixels[..count], &work.places[..count], residual, plan.lanes);
        let Some(runs) = runs.filter(|_| work.sums.len() >= 2 * plan.lanes * chunk.len()) else { return false };
        let first = task.group * shape.out_channels;
        let all = Straight {
            patch: patch.pointer,
            runs: &runs,
            taps: &work.taps[..chunk.len()],
            near: work.sums,
            panels: panels.blocks_from(data, Block::new(shape, plan, task.group, task.firsts.start)),
            block: plan.block,
            epilogue: self.epilogue,
            output: &self.output,
            image: task.images.0,
            channels: first + task.firsts.start..first + task.firsts.end,
        };
        dispatch(self.isa, all);
        true
    }
}

/// Pixels that are neighbours in the patch, in the output and in the residual.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// Offset of the first in the patch.
    pub pixel: u32,
    /// The same in a channel of the output and of the residual.
    pub place: isize,
    pub residual: isize,
    pub count: usize,
}

impl Run {
    /// The runs of some pixels, unless one is shorter than a vector. `residual` is empty where there is none.
    pub fn all(pixels: &[u32], places: &[isize], residual: &[isize], lanes: usize) -> Option<Vec<Self>> {
        let mut runs: Vec<Run> = Vec::new();
        for (at, (&pixel, &place)) in pixels.iter().zip(places).enumerate() {
            let residual = residual.get(at).copied().unwrap_or(place);
            match runs.last_mut() {
                Some(run)
                    if pixel == run.pixel + run.count as u32
                        && place == run.place + run.count as isize
                        && residual == run.residual + run.count as isize =>
                {
                    run.count += 1;
                }
                Some(run) if run.count < lanes => return None,
                _ => runs.push(Run { pixel, place, residual, count: 1 }),
            }
        }
        (runs.last()?.count >= lanes).then_some(runs)
    }
}

/// All pixels of a tile and some blocks of output channels.
///
/// Who makes one promises that every pixel plus every tap lies inside the patch, and that the runs' places are this thread's own.
pub(super) struct Straight<'a, E: Element> {
    /// Start of the patch.
    pub patch: *const E::Accumulator,
    pub runs: &'a [Run],
    /// Offset of every tap.
    pub taps: &'a [u32],
    /// Room for two vectors of pixels, all taps of them.
    pub near: &'a mut [E::Accumulator],
    /// `[block][tap][lane]`, where blocks have `block` lanes, or as many vectors as there are channels left.
    pub panels: &'a [E::Accumulator],
    pub block: usize,
    pub epilogue: &'a Epilogue<'a, E>,
    pub output: &'a SharedOutput<'a, E>,
    pub image: usize,
    /// Output channels, the first of which begins a block.
    pub channels: Range<usize>,
}

impl<E: Element<Accumulator: Lanes>> Operation<E::Accumulator> for Straight<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(mut self, simd: S) {
        assert!(E::IN_PLACE && self.near.len() >= 2 * S::LANES * self.taps.len());
        assert!(self.panels.len() >= self.taps.len() * self.channels.len().next_multiple_of(S::LANES));
        let steps = self.steps();
        for run in self.runs {
            assert!(run.count >= S::LANES);
            let mut first = 0;
            while first < run.count {
                // The last vector of a run begins inside the one before.
                let starts = [first, first + S::LANES].map(|start| start.min(run.count - S::LANES));
                // SAFETY: by the promises of [`Straight`]; the vectors begin and end inside the run.
                unsafe {
                    if run.count - first > S::LANES {
                        self.vectors::<S, 2>(simd, run, starts, &steps);
                    } else {
                        self.vectors::<S, 1>(simd, run, [starts[0]], &steps);
                    }
                }
                first += 2 * S::LANES;
            }
        }
        if self.epilogue.bounds_of_activation().is_none() && *self.epilogue.activation != Activation::Identity {
            self.activate();
        }
    }
}

/// One value a channel, or the first of a row of them: where that of channel 0 lies, null if there is none, and the distance.
struct Channels<T> {
    pointer: *const T,
    channel: isize,
}

/// What follows a sum, and where it goes.
struct Steps<T> {
    bias: Channels<T>,
    residual: Channels<T>,
    bounds: Option<[T; 2]>,
    output: Channels<T>,
}

impl<E: Element<Accumulator: Lanes>> Straight<'_, E> {
    fn steps(&self) -> Steps<E::Accumulator> {
        let Epilogue { bias, residual, .. } = self.epilogue;
        let of = |array: &Option<View<'_, E>>, image: usize, axis: usize| match array {
            Some(array) => Channels {
                pointer: array.pointer().wrapping_offset(array.offset([image, 0, 0, 0, 0])).cast(),
                channel: array.strides()[axis],
            },
            None => Channels { pointer: std::ptr::null(), channel: 0 },
        };
        Steps {
            bias: of(bias, 0, 4),
            residual: of(residual, self.image, 1),
            bounds: self.epilogue.bounds_of_activation(),
            output: Channels { pointer: self.output.channel(self.image, 0).cast(), channel: self.output.strides()[1] },
        }
    }

    /// `V` vectors of all channels. Their inputs are copied side by side: where they lie, they compete for the sets of a cache.
    ///
    /// # Safety
    /// The promises of [`Straight`] hold, and vectors begin and end inside the run.
    #[inline(always)]
    unsafe fn vectors<S: Simd<Scalar = E::Accumulator>, const V: usize>(
        &mut self,
        simd: S,
        run: &Run,
        starts: [usize; V],
        steps: &Steps<E::Accumulator>,
    ) {
        let inputs = starts.map(|start| self.patch.wrapping_add(run.pixel as usize + start));
        for (index, &tap) in self.taps.iter().enumerate() {
            for vector in 0..V {
                // SAFETY: by the contract of this function; there is room for so many vectors.
                unsafe {
                    let to = self.near.as_mut_ptr().add((index * V + vector) * S::LANES);
                    simd.store(to, simd.load(inputs[vector].wrapping_add(tap as usize)));
                }
            }
        }
        let (mut first, mut panel) = (self.channels.start, self.panels.as_ptr());
        while first < self.channels.end {
            let count = self.block.min(self.channels.end - first);
            let lanes = count.next_multiple_of(S::LANES);
            let calls = count.div_ceil(S::PIXELS);
            let mut lane = 0;
            for call in 0..calls {
                let channels = (count - lane).div_ceil(calls - call);
                macro_rules! tiles {
                    ($($count:literal)*) => {
                        match channels {
                            $($count => if const { $count <= S::PIXELS } {
                                let panel = (panel.wrapping_add(lane), lanes);
                                // SAFETY: by the contract of this function; the panels hold these channels.
                                unsafe { self.tile::<S, $count, V>(simd, run, starts, first + lane, panel, steps) }
                            },)*
                            _ => unreachable!("more channels than registers"),
                        }
                    };
                }
                tiles!(1 2 3 4 5 6 7 8 9 10);
                lane += channels;
            }
            first += count;
            panel = panel.wrapping_add(lanes * self.taps.len());
        }
    }

    /// `V` vectors of `C` channels, whose weights are at `panel`, `lanes` apart from tap to tap.
    ///
    /// # Safety
    /// As for `vectors`; the panel and the output have the channels.
    #[inline(always)]
    unsafe fn tile<S: Simd<Scalar = E::Accumulator>, const C: usize, const V: usize>(
        &self,
        simd: S,
        run: &Run,
        starts: [usize; V],
        first: usize,
        (mut panel, lanes): (*const E::Accumulator, usize),
        steps: &Steps<E::Accumulator>,
    ) {
        let mut sums = [[simd.zero(); V]; C];
        // SAFETY: by the contract of this function.
        unsafe {
            let mut near = self.near.as_ptr();
            let end = near.add(self.taps.len() * V * S::LANES);
            while near < end {
                let mut x = [simd.zero(); V];
                for vector in 0..V {
                    x[vector] = simd.load(near.add(vector * S::LANES));
                }
                for channel in 0..C {
                    let weight = simd.splat(*panel.add(channel));
                    for vector in 0..V {
                        sums[channel][vector] = simd.multiply_add(x[vector], weight, sums[channel][vector]);
                    }
                }
                (near, panel) = (near.add(V * S::LANES), panel.wrapping_add(lanes));
            }
            // Nothing that could fail in between: the sums would leave their registers.
            let Steps { bias, residual, bounds, output } = steps;
            for channel in 0..C {
                let at = (first + channel) as isize;
                if !bias.pointer.is_null() {
                    let bias = simd.splat(*bias.pointer.offset(at * bias.channel));
                    for vector in 0..V {
                        sums[channel][vector] = simd.add(sums[channel][vector], bias);
                    }
                }
                if !residual.pointer.is_null() {
                    let from = residual.pointer.offset(at * residual.channel + run.residual);
                    for vector in 0..V {
                        sums[channel][vector] = simd.add(sums[channel][vector], simd.load(from.add(starts[vector])));
                    }
                }
                if let Some([least, most]) = *bounds {
                    for vector in 0..V {
                        sums[channel][vector] = simd.clamp(sums[channel][vector], simd.splat(least), simd.splat(most));
                    }
                }
                let to = output.pointer.cast_mut().offset(at * output.channel + run.place);
                for vector in 0..V {
                    simd.store(to.add(starts[vector]), sums[channel][vector]);
                }
            }
        }
    }

    /// Activations that are more than bounds, where the outputs lie.
    #[inline(always)]
    fn activate(&self) {
        for channel in self.channels.clone() {
            for run in self.runs {
                // SAFETY: the outputs are this thread's own, in the accumulator's type and side by side.
                let values = unsafe {
                    let first = self.output.channel(self.image, channel).offset(run.place);
                    std::slice::from_raw_parts_mut(first.cast(), run.count)
                };
                self.epilogue.activate(channel, values);
            }
        }
    }
}
