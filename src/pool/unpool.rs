//! The inverse of a max pool: every value goes back to its index in the plane, zeros elsewhere.

use std::sync::Mutex;

use crate::array::{Element, SharedOutput, View, ViewMut};
use crate::error::Error;
use crate::parallel::for_each_chunk;

/// How indices of an unpool count.
#[derive(Clone, Copy)]
pub struct Places {
    /// The spatial sizes they count in, at most the output's.
    pub sizes: [usize; 3],
    /// Whether the planes before count too.
    pub of_array: bool,
}

/// Writes every element of `input` at its index into the plane of `output` of the same batch and channel.
pub fn unpool<E: Element>(
    input: &View<'_, E>,
    indices: &View<'_, i64>,
    places: Places,
    output: &mut ViewMut<'_, E>,
) -> Result<(), Error> {
    let ([batch, channels, depth, height, width], target) = (input.shape(), output.shape());
    assert_eq!(indices.shape(), input.shape());
    assert_eq!(target[..2], input.shape()[..2]);
    assert!((0..3).all(|axis| places.sizes[axis] <= target[2 + axis]));
    let [_, rows, columns] = places.sizes;
    let plane: usize = places.sizes.iter().product();
    if target[2..].contains(&0) {
        return Ok(());
    }
    let wrong: Mutex<Option<(i64, i64)>> = Mutex::new(None);
    let shared = SharedOutput::new(output);
    let strides = shared.strides().map(|stride| stride as usize);
    // Then an index is a distance in memory, and costs no division.
    let dense = places.sizes == target[2..] && strides[2..] == [rows * columns, columns, 1];
    let distance = |place: usize| {
        if dense {
            return place;
        }
        let (row, column) = (place / columns, place % columns);
        let distance = |index: usize, axis: usize| index.wrapping_mul(strides[axis]);
        distance(row / rows, 2).wrapping_add(distance(row % rows, 3)).wrapping_add(distance(column, 4))
    };
    for_each_chunk(batch * channels, depth * height * width + target[2..].iter().product::<usize>(), |planes, progress| {
        for index in planes {
            let (image, channel) = (index / channels, index % channels);
            let first = shared.channel(image, channel);
            let before = if places.of_array { (index * plane) as i64 } else { 0 };
            for z in 0..target[2] {
                for y in 0..target[3] {
                    if progress.cancelled() {
                        return;
                    }
                    // SAFETY: a plane is one task.
                    unsafe { shared.write_row([image, channel, z, y, 0], 1, target[4], |_| E::default()) };
                }
            }
            for z in 0..depth {
                for y in 0..height {
                    if progress.cancelled() {
                        return;
                    }
                    let at = [image, channel, z, y, 0];
                    let (values, indices) = (input.run(at, width), indices.run(at, width));
                    for x in 0..width {
                        let given = indices.at(x);
                        let place = given.wrapping_sub(before) as usize;
                        if place >= plane {
                            *wrong.lock().expect("nobody panics while holding it") = Some((given, before));
                            return;
                        }
                        // SAFETY: the place is inside the plane, and a plane is one task.
                        unsafe { *first.wrapping_add(distance(place)) = values.at(x) };
                    }
                }
            }
        }
    })?;
    match wrong.into_inner().expect("nobody panics while holding it") {
        None => Ok(()),
        Some((got, least)) if got < least => Err(Error::TooSmall { argument: "indices", got, least }),
        Some((got, least)) => {
            let [depth, rows, columns] = places.sizes;
            let because = format!("a plane has {depth} * {rows} * {columns} = {plane} elements, here from {least} on");
            Err(Error::TooLarge { argument: "indices", got, most: least + plane as i64 - 1, because })
        }
    }
}
