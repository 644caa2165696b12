//! Views: what they refuse, and where their elements are.

use convrs::array::{SCRATCH_BYTES, View, ViewMut, contiguous_strides, with_scratch};
use convrs::error::{Error, checked_product};

#[test]
fn a_view_holds_exactly_the_elements_of_its_shape() {
    let mut data = [0u8; 12];
    assert!(View::new(&data, [1, 2, 1, 2, 3]).is_ok());
    for shape in [[1, 2, 1, 2, 2], [1, 2, 1, 2, 4], [0, 2, 1, 2, 3], [13, 1, 1, 1, 1]] {
        assert!(View::new(&data, shape).is_err(), "{shape:?}");
        assert!(ViewMut::new(&mut data, shape).is_err(), "{shape:?}");
    }
    let error = View::new(&data, [1, 1, 1, 1, 11]).err().unwrap();
    assert_eq!(error.to_string(), "data has 12 elements: shape [1, 1, 1, 1, 11] needs 11 elements");
}

#[test]
fn an_empty_view_needs_no_elements() {
    assert!(View::<f32>::new(&[], [3, 0, 5, 7, 9]).is_ok());
    assert!(View::<f32>::new(&[], [usize::MAX, 0, usize::MAX, 1, 1]).is_ok());
}

#[test]
fn a_shape_beyond_the_address_space_is_refused() {
    for shape in [[usize::MAX, 2, 1, 1, 1], [1 << 40, 1 << 40, 1, 1, 1], [usize::MAX, 1, 1, 1, 1]] {
        assert_eq!(View::<f32>::new(&[], shape).err().unwrap(), Error::Overflow { what: "the array" });
    }
    assert_eq!(checked_product("it", &[1 << 32, 1 << 27]).unwrap_err(), Error::Overflow { what: "it" });
    assert_eq!(checked_product("it", &[1 << 32, 1 << 26]), Ok(1 << 58));
    assert_eq!(checked_product("it", &[]), Ok(1));
}

#[test]
fn a_view_finds_its_elements() {
    let data: Vec<i32> = (0..24).collect();
    let view = View::new(&data, [1, 2, 1, 3, 4]).unwrap();
    assert_eq!(view.strides(), contiguous_strides([1, 2, 1, 3, 4]));
    assert_eq!(view.strides(), [24, 12, 12, 4, 1]);
    assert_eq!(*view.get([0, 1, 0, 2, 3]), 23);
    assert_eq!(view.last_offset(), 23);
}

#[test]
#[should_panic(expected = "outside")]
fn an_index_outside_the_shape_panics() {
    let data = [0.0; 6];
    View::new(&data, [1, 1, 1, 2, 3]).unwrap().get([0, 0, 0, 1, 3]);
}

#[test]
fn a_strided_view_finds_its_elements() {
    let data: Vec<i32> = (0..24).collect();
    // Every second column, rows from the last to the first, the channel repeated.
    // SAFETY: offsets run from 20 - 2 * 8 = 4 to 20 + 2.
    let view = unsafe { View::from_raw(data.as_ptr().add(20), [1, 5, 1, 3, 2], [0, 0, 0, -8, 2]) };
    assert_eq!(*view.get([0, 4, 0, 2, 1]), 6);
    assert_eq!(view.last_offset(), 2);
}

#[test]
fn scratch_is_aligned_and_apart() {
    with_scratch(3 * 64, |scratch| {
        let first = scratch.cut::<f32>(3);
        let second = scratch.cut::<f64>(8);
        let third = scratch.cut::<u32>(16);
        for start in [first.as_ptr().addr(), second.as_ptr().addr(), third.as_ptr().addr()] {
            assert_eq!(start % 64, 0);
        }
        first.fill(1.0);
        second.fill(2.0);
        third.fill(3);
        assert!(first.iter().all(|&value| value == 1.0) && second.iter().all(|&value| value == 2.0));
    });
}

#[test]
#[should_panic(expected = "was not reserved")]
fn scratch_is_not_cut_beyond_what_was_asked_for() {
    with_scratch(64, |scratch| {
        for _ in 0..1000 {
            scratch.cut::<f64>(1000);
        }
    });
}

#[test]
#[should_panic(expected = "bytes of scratch")]
fn scratch_has_a_limit() {
    with_scratch(SCRATCH_BYTES + 1, |_| {});
}
