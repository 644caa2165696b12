//! Pools at the sizes where a loop changes: rows joined at once, columns reduced at once, tiles, and every stride with a loop
//! of its own.

use convrs::array::Ordered;
use convrs::reference::Windows;

use crate::common::Tested;
use crate::common::pool::{SLIDING, check_sliding_max, check_sliding_mean};
use crate::every_dtype;

/// Windows of `kernel` at `stride` along the width, of `rows` at 2 along the height.
fn windows(rows: i64, kernel: i64, stride: i64, padding: i64) -> Windows {
    Windows { kernel: [1, rows, kernel], stride: [1, 2, stride], padding: [0, rows / 2, padding], ..SLIDING }
}

/// Every stride and kernel that has a loop of its own and the first that has not, at widths around vectors of 2 to 64 lanes.
fn around_vectors() -> impl Iterator<Item = ([usize; 5], Windows)> {
    [1, 2, 3, 4, 5, 7].into_iter().flat_map(|stride| {
        [1, 2, 3, 4, 7].into_iter().flat_map(move |kernel| {
            [7, 15, 16, 17, 33, 65, 131].into_iter().flat_map(move |width| {
                let padded = windows(1 + (width as i64 + kernel) % 5, kernel, stride, kernel / 2);
                // Windows side by side in whole rows are computed in one step.
                let whole = (kernel == stride).then(|| Windows { padding: [0; 3], ..padded.clone() });
                [Some(padded), whole].into_iter().flatten().map(move |windows| ([1, 2, 1, 5, width], windows))
            })
        })
    })
}

every_dtype!(maxima_around_vectors, ordered);
fn maxima_around_vectors<E: Tested<Exact: PartialOrd> + Ordered>() {
    for (input, windows) in around_vectors() {
        check_sliding_max::<E>(input, &windows);
    }
}

every_dtype!(means_around_vectors, all);
fn means_around_vectors<E: Tested>() {
    for (input, windows) in around_vectors() {
        check_sliding_mean::<E>(input, &windows);
    }
}

every_dtype!(maxima_of_many_rows, ordered);
fn maxima_of_many_rows<E: Tested<Exact: PartialOrd> + Ordered>() {
    for rows in 1..=8 {
        for dilation in [1, 2, 3] {
            let windows = Windows {
                kernel: [2, rows, 3],
                stride: [1, 3, 2],
                padding: [1, rows / 2, 1],
                dilation: [2, 1, dilation],
                ceil: rows % 2 == 0,
            };
            check_sliding_max::<E>([2, 1, 4, 11, 13], &windows);
        }
    }
}

every_dtype!(means_of_many_rows, all);
fn means_of_many_rows<E: Tested>() {
    for rows in 1..=8 {
        let windows =
            Windows { kernel: [2, rows, 3], stride: [1, 3, 2], padding: [1, rows / 2, 1], ceil: rows % 2 == 0, ..SLIDING };
        check_sliding_mean::<E>([2, 1, 4, 11, 13], &windows);
    }
}

/// Rows around the columns that are reduced at once (1024 and 2048), windows longer than they are, and planes around a tile.
fn around_tiles() -> Vec<([usize; 5], Windows)> {
    let mut cases = Vec::new();
    for width in [1023, 1024, 1025, 2047, 2048, 2049, 4100] {
        cases.push(([1, 1, 1, 2, width], windows(2, 3, 1, 1)));
        cases.push(([1, 1, 1, 2, width], windows(2, 2, 2, 1)));
        cases.push(([1, 1, 1, 3, width], windows(1, 5, 3, 2)));
        cases.push(([1, 1, 1, 1, width], Windows { ceil: true, ..windows(1, width as i64 - 20, 7, 30) }));
    }
    for plane in [[1, 1, 8191], [1, 1, 8193], [1, 91, 90], [1, 2, 4097], [3, 53, 52], [8193, 1, 1], [1, 8193, 1]] {
        let [depth, height, width] = plane.map(|size: usize| size);
        let kernel = plane.map(|size| size.min(2) as i64);
        cases.push(([2, 1, depth, height, width], Windows { kernel, ..SLIDING }));
    }
    cases
}

every_dtype!(maxima_around_tiles, ordered);
fn maxima_around_tiles<E: Tested<Exact: PartialOrd> + Ordered>() {
    for (input, windows) in around_tiles() {
        check_sliding_max::<E>(input, &windows);
    }
    // Windows that all reach into the padding, with a stride that would put the next one beyond it.
    check_sliding_max::<E>([1, 1, 1, 4, 2], &windows(1, 2, 5, 1));
    // A window whose taps lie before and after a long input.
    let beyond = Windows { kernel: [1, 1, 2], padding: [0, 0, 1], dilation: [1, 1, 3001], ..SLIDING };
    check_sliding_max::<E>([1, 1, 1, 1, 3000], &beyond);
    let far = Windows { kernel: [1, 1, 3], padding: [0, 0, 1], dilation: [1, 1, 1500], ..SLIDING };
    check_sliding_max::<E>([1, 1, 1, 1, 3100], &far);
    check_sliding_max::<E>([1, 1, 1, 3100, 2], &Windows { kernel: [1, 3, 1], dilation: [1, 1500, 1], ..SLIDING });
}

every_dtype!(maxima_run_by_run, ordered);
fn maxima_run_by_run<E: Tested<Exact: PartialOrd> + Ordered>() {
    for rows in [4, 5, 9, 31] {
        for (height, width) in [(rows as usize, 3), (2 * rows as usize + 1, 17), (80, 40)] {
            let tall = Windows { kernel: [1, rows, 3], padding: [0, rows / 2, 1], ..SLIDING };
            check_sliding_max::<E>([1, 2, 1, height, width], &tall);
            check_sliding_max::<E>([1, 1, 3, height, width], &Windows { kernel: [2, rows, 2], stride: [1, 1, 2], ..tall });
        }
    }
}

every_dtype!(means_around_tiles, all);
fn means_around_tiles<E: Tested>() {
    for (input, windows) in around_tiles() {
        check_sliding_mean::<E>(input, &windows);
    }
}
