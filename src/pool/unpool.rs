//! The inverse of a max pool: every value goes back to its index in the plane, zeros elsewhere.

use std::sync::Mutex;

use crate::array::{Element, SharedOutput, View, ViewMut};
use crate::error::Error;
use crate::parallel::for_each_chunk;

/// Writes every element of `input` at its index into the plane of `output` of the same batch and channel.
pub fn unpool<E: Element>(input: &View<'_, E>, indices: &View<'_, i64>, output: &mut ViewMut<'_, E>) -> Result<(), Error> {
    let ([batch, channels, depth, height, width], target) = (input.shape(), output.shape());
    assert_eq!(indices.shape(), input.shape());
    assert_eq!(target[..2], input.shape()[..2]);
    let plane: usize = target[2..].iter().product();
    if plane == 0 {
        return Ok(());
    }
    let wrong: Mutex<Option<i64>> = Mutex::new(None);
    let shared = SharedOutput::new(output);
    for_each_chunk(batch * channels, depth * height * width + plane, |planes, progress| {
        for index in planes {
            let (image, channel) = (index / channels, index % channels);
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
                    for x in 0..width {
                        let at = [image, channel, z, y, x];
                        let place = *indices.get(at);
                        if place < 0 || place as usize >= plane {
                            *wrong.lock().expect("nobody panics while holding it") = Some(place);
                            return;
                        }
                        let place = place as usize;
                        let row = place / target[4];
                        let to = [image, channel, row / target[3], row % target[3], place % target[4]];
                        // SAFETY: a plane is one task.
                        unsafe { shared.write_row(to, 1, 1, |_| *input.get(at)) };
                    }
                }
            }
        }
    })?;
    match wrong.into_inner().expect("nobody panics while holding it") {
        None => Ok(()),
        Some(got) if got < 0 => Err(Error::TooSmall { argument: "indices", got, least: 0 }),
        Some(got) => {
            let because = format!("the output has {} * {} * {} = {plane} elements a plane", target[2], target[3], target[4]);
            Err(Error::TooLarge { argument: "indices", got, most: plane as i64 - 1, because })
        }
    }
}
