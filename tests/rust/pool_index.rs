//! Maxima with their indices around the edges of the steps that they are made of: rows in place and copied, chunks and what is
//! left of them, windows that are halves of halves along either axis, padding that nothing exceeds.

use convrs::array::Ordered;
use convrs::reference::{self, Array, Windows};

use crate::common::Tested;
use crate::common::pool::{SLIDING, check_max, check_sliding_max, sliding};
use crate::every_dtype;

fn cases() -> Vec<([usize; 5], Windows)> {
    let plane = |height, width| [1, 2, 1, height, width];
    let square = |kernel, stride, padding| Windows {
        kernel: [1, kernel, kernel],
        stride: [1, stride, stride],
        padding: [0, padding, padding],
        ..SLIDING
    };
    let mut cases = Vec::new();
    for stride in 1..6 {
        cases.push((plane(9, 16 * stride as usize + 1), square(2, stride, 1)));
        cases.push((plane(5, 31 * stride as usize), square(3, stride, 0)));
        // Eight elements are the most that are joined one by one; 9, 15, 16 and 31 are halves of halves.
        for kernel in [8, 9, 15, 16, 31] {
            cases.push((plane(34, 40), square(kernel, stride, kernel / 2)));
        }
    }
    cases.push((plane(70, 40), Windows { kernel: [1, 9, 3], dilation: [1, 3, 2], padding: [0, 4, 1], ..SLIDING }));
    cases.push((plane(5, 90), Windows { kernel: [1, 2, 20], dilation: [1, 1, 4], padding: [0, 1, 9], ..SLIDING }));
    cases.push(([1, 1, 7, 12, 33], Windows { kernel: [3, 9, 2], stride: [2, 1, 2], padding: [1, 4, 1], ..SLIDING }));
    cases.push(([1, 1, 6, 3, 9], Windows { kernel: [2; 3], stride: [3, 4, 2], dilation: [2, 1, 1], ceil: true, ..SLIDING }));
    cases.push((plane(3, 4000), square(3, 2, 1)));
    // Planes along the depth that neighbours share, with gaps between and without; rows as far apart as windows are.
    cases.push(([2, 2, 9, 6, 20], Windows { kernel: [3; 3], dilation: [2, 1, 1], padding: [1; 3], ..SLIDING }));
    cases.push(([1, 2, 8, 24, 24], Windows { kernel: [3, 2, 2], stride: [2; 3], padding: [1, 0, 0], ..SLIDING }));
    // Windows so far apart that rows of them between would take all memory.
    cases.push(([1, 1, 1, 40, 16002], Windows { kernel: [1, 2, 2], stride: [1, 1, 16000], ..SLIDING }));
    cases.push((plane(300, 3), square(3, 1, 1)));
    cases
}

every_dtype!(around_edges, ordered);
pub fn around_edges<E: Tested<Exact: PartialOrd> + Ordered>() {
    let lowest = E::from_key(E::LOWEST);
    for (input, windows) in cases() {
        check_sliding_max::<E>(input, &windows);
        let array = Array::filled(input, lowest);
        let expected = reference::max_pool(&array.map(E::exact), &windows, lowest.exact()).unwrap();
        check_max(&format!("lowest, {input:?} {windows:?}"), &sliding(input, &windows).unwrap(), &array, &expected);
    }
}

#[test]
fn windows_of_more_than_scratch_memory() {
    let windows = Windows { kernel: [9, 31, 31], stride: [1, 8, 1], ..SLIDING };
    check_sliding_max::<f32>([1, 1, 9, 64, 256], &windows);
}
