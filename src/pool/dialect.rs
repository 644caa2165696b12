//! Minima, and what rules ask beyond windows and divisors. Elements are changed on their way in, and finished outputs
//! afterwards, so that the kernels know maxima and torch's rules alone.

use super::max::Max;
use super::max_index::run_with_indices;
use super::reduction::run_converted;
use crate::array::{Ordered, RANK, SharedOutput, View, ViewMut};
use crate::error::Error;
use crate::parallel::for_each_chunk;
use crate::shape::{IndexBase, PoolShape};
use crate::simd::Isa;

/// What a plane costs beside its elements, in elements.
const PLANE_WORK: usize = 200;

/// Which element of a window is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extremum {
    /// The smallest, not the largest.
    pub smallest: bool,
    /// The search begins at the least finite number (for the smallest: the largest), which only a better number replaces, never
    /// a NaN or an infinity. Else a NaN wins.
    pub ignores_nan: bool,
}

impl Extremum {
    /// Whether it is torch's maximum, which the kernels compute as it is.
    pub fn is_plain(self) -> bool {
        !self.smallest && !self.ignores_nan
    }

    /// What stands for a window without elements where infinities must not.
    pub fn nothing<E: Ordered>(self) -> E {
        self.back(E::LEAST)
    }

    /// The element whose maximum is sought instead.
    fn seen<E: Ordered>(self, element: E) -> E {
        self.at_least(self.back(element))
    }

    /// The element, or where the search begins if that is not worse.
    fn at_least<E: Ordered>(self, element: E) -> E {
        if self.ignores_nan && (is_nan(element) || !E::replaces(element.key(), E::LEAST.key())) { E::LEAST } else { element }
    }

    /// The element in the opposite order for the smallest, and back again.
    fn back<E: Ordered>(self, element: E) -> E {
        if self.smallest { element.reversed() } else { element }
    }
}

fn is_nan<E: Ordered>(element: E) -> bool {
    E::replaces(element.key(), element.key())
}

/// Pools `input` into `output` as `shape` says.
pub fn run_extremum<E: Ordered>(
    isa: Isa,
    shape: &PoolShape,
    extremum: Extremum,
    input: &View<'_, E>,
    output: &mut ViewMut<'_, E>,
) -> Result<(), Error> {
    let fill = |place: [usize; RANK], step: usize, run: &mut [E]| {
        let elements = input.run(place, (run.len() - 1) * step + 1);
        run.iter_mut().enumerate().for_each(|(index, value)| *value = extremum.seen(elements.at(index * step)));
    };
    run_converted(isa, shape, Max, &fill, output)?;
    // A window without elements is where the search begins.
    change(output, |_, value| extremum.back(extremum.at_least(value)))
}

/// The same, and for every output where in its plane the element stands: the first of equals, the last NaN.
pub fn run_extremum_with_indices<E: Ordered>(
    isa: Isa,
    shape: &PoolShape,
    extremum: Extremum,
    input: &View<'_, E>,
    output: &mut ViewMut<'_, E>,
    indices: &mut ViewMut<'_, i64>,
) -> Result<(), Error> {
    if extremum.is_plain() {
        return run_with_indices(isa, shape, input, output, indices);
    }
    run_extremum(isa, shape, extremum, input, output)?;
    let places = SharedOutput::new(indices);
    change_planes(output, |plane, progress, elements| {
        let windows = shape.windows(plane);
        let (image, channel) = (plane / shape.channels, plane % shape.channels);
        for z in 0..shape.output[0] {
            let depth = windows[0].window(z);
            for y in 0..shape.output[1] {
                let height = windows[1].window(y);
                if progress() {
                    return;
                }
                for x in 0..shape.output[2] {
                    let width = windows[2].window(x);
                    let wanted = extremum.seen(elements.get([z, y, x]));
                    let mut found = None;
                    'taps: for tap_z in 0..depth.taps {
                        for tap_y in 0..height.taps {
                            for tap_x in 0..width.taps {
                                let place = [
                                    depth.first + tap_z * depth.step,
                                    height.first + tap_y * height.step,
                                    width.first + tap_x * width.step,
                                ];
                                let seen = extremum.seen(*input.get([image, channel, place[0], place[1], place[2]]));
                                if is_nan(seen) && is_nan(wanted) {
                                    found = Some((place, seen));
                                } else if seen == wanted {
                                    found = Some((place, seen));
                                    break 'taps;
                                }
                            }
                        }
                    }
                    let (place, seen) = found.unwrap_or(([depth.first, height.first, width.first], wanted));
                    // Of zeros with two signs the one that the index names.
                    elements.set([z, y, x], extremum.back(seen));
                    let flat = (place[0] * shape.input[1] + place[1]) * shape.input[2] + place[2];
                    // SAFETY: a plane is one task.
                    unsafe { places.write_row([image, channel, z, y, x], 1, 1, |_| flat as i64) };
                }
            }
        }
    })
}

/// Writes `value` into every output whose window has no element.
pub fn fill_empty<T: Copy + Send + Sync>(shape: &PoolShape, output: &mut ViewMut<'_, T>, value: T) -> Result<(), Error> {
    let windows = shape.windows(0);
    let empty: [Vec<bool>; 3] =
        std::array::from_fn(|axis| (0..shape.output[axis]).map(|index| windows[axis].window(index).taps == 0).collect());
    if !empty.iter().flatten().any(|&empty| empty) {
        return Ok(());
    }
    change(output, |place, old| if (0..3).any(|axis| empty[axis][place[2 + axis]]) { value } else { old })
}

/// Makes indices into planes count from another base.
pub fn rebase(shape: &PoolShape, base: IndexBase, indices: &mut ViewMut<'_, i64>) -> Result<(), Error> {
    let (plane, channels) = (shape.input.iter().product::<usize>() as i64, shape.channels as i64);
    match base {
        IndexBase::Plane => Ok(()),
        IndexBase::Array => {
            change(indices, |[image, channel, ..], index| (image as i64 * channels + channel as i64) * plane + index)
        }
        IndexBase::ChannelsLast => change(indices, |[_, channel, ..], index| index * channels + channel as i64),
    }
}

/// Makes each element of an array what `new` gives for its place and its value.
fn change<T: Copy + Send + Sync>(output: &mut ViewMut<'_, T>, new: impl Fn([usize; RANK], T) -> T + Sync) -> Result<(), Error> {
    let [_, channels, depth, height, width] = output.shape();
    change_planes(output, |plane, progress, elements| {
        for z in 0..depth {
            for y in 0..height {
                if progress() {
                    return;
                }
                for x in 0..width {
                    let place = [plane / channels, plane % channels, z, y, x];
                    elements.set([z, y, x], new(place, elements.get([z, y, x])));
                }
            }
        }
    })
}

/// The elements of one plane of an output.
struct PlaneMut<T> {
    first: *mut T,
    shape: [usize; 3],
    strides: [isize; 3],
}

impl<T: Copy> PlaneMut<T> {
    fn place(&self, index: [usize; 3]) -> *mut T {
        assert!((0..3).all(|axis| index[axis] < self.shape[axis]));
        let offset: isize = (0..3).map(|axis| index[axis] as isize * self.strides[axis]).sum();
        // SAFETY: the index is inside the plane.
        unsafe { self.first.offset(offset) }
    }

    fn get(&self, index: [usize; 3]) -> T {
        // SAFETY: inside the plane, which is one task's alone.
        unsafe { *self.place(index) }
    }

    fn set(&self, index: [usize; 3], value: T) {
        // SAFETY: as above.
        unsafe { *self.place(index) = value }
    }
}

/// Calls `body` with the number of each plane, whether to stop, and the plane.
fn change_planes<T: Copy + Send + Sync>(
    output: &mut ViewMut<'_, T>,
    body: impl Fn(usize, &dyn Fn() -> bool, &PlaneMut<T>) + Sync,
) -> Result<(), Error> {
    let [batch, channels, sizes @ ..] = output.shape();
    if output.shape().contains(&0) {
        return Ok(());
    }
    let strides = output.strides();
    let shared = SharedOutput::new(output);
    for_each_chunk(batch * channels, sizes.iter().product::<usize>() + PLANE_WORK, |planes, progress| {
        for plane in planes {
            let first = shared.channel(plane / channels, plane % channels);
            body(
                plane,
                &|| progress.cancelled(),
                &PlaneMut { first, shape: sizes, strides: [strides[2], strides[3], strides[4]] },
            );
        }
    })
}
