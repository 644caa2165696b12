//! Runs widened and narrowed in vectors: the bits that single conversions give.

use convrs::array::{Element, bf16, f16};
use convrs::simd::{Isa, Operation, Simd, dispatch, narrow_run, widen_run};

use crate::common::{Random, instruction_sets};

struct Widen<'a, E: Element>(&'a [E], &'a mut [E::Accumulator]);

impl<E: Element> Operation<E::Accumulator> for Widen<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) {
        widen_run(simd, self.0, self.1);
    }
}

struct Narrow<'a, E: Element>(&'a [E::Accumulator], &'a mut [E]);

impl<E: Element> Operation<E::Accumulator> for Narrow<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) {
        narrow_run(simd, self.0, self.1);
    }
}

fn widened_f32<E: Element<Accumulator = f32>>(isa: Isa, from: &[E]) -> Vec<u32> {
    let mut to = vec![0.0; from.len()];
    dispatch(isa, Widen(from, &mut to));
    to.into_iter().map(f32::to_bits).collect()
}

fn narrowed<E: Element<Accumulator = f32>>(isa: Isa, from: &[f32]) -> Vec<E> {
    let mut to = vec![E::default(); from.len()];
    dispatch(isa, Narrow(from, &mut to));
    to
}

fn all<E>(from_bits: impl Fn(u16) -> E) -> Vec<E> {
    (0..=u16::MAX).map(from_bits).collect()
}

#[test]
fn every_float16_and_bfloat16_is_widened() {
    let (halves, brains) = (all(f16::from_bits), all(bf16::from_bits));
    for isa in instruction_sets() {
        for (half, bits) in halves.iter().zip(widened_f32(isa, &halves)) {
            assert_eq!(half.to_f32().to_bits(), bits, "{:#06x} on {isa:?}", half.to_bits());
        }
        for (brain, bits) in brains.iter().zip(widened_f32(isa, &brains)) {
            assert_eq!(brain.to_f32().to_bits(), bits, "{:#06x} on {isa:?}", brain.to_bits());
        }
    }
}

/// Each 16-bit float, halfway to the next one, and the nearest float32 on either side of both; then anything.
fn around(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let values: Vec<f32> = values.collect();
    let halfway = values.windows(2).map(|pair| pair[0] + (pair[1] - pair[0]) / 2.0);
    let mut random = Random(1);
    let anything = (0..1 << 20).map(|_| f32::from_bits(random.next() as u32));
    let near = |value: f32| [value, f32::from_bits(value.to_bits() ^ 1), value.next_up(), value.next_down()];
    values.iter().copied().chain(halfway).flat_map(near).chain(anything).collect()
}

#[test]
fn float32_is_rounded_to_float16() {
    let values = around(all(f16::from_bits).into_iter().map(f16::to_f32));
    for isa in instruction_sets() {
        for (value, half) in values.iter().zip(narrowed::<f16>(isa, &values)) {
            assert_eq!(f16::from_f32(*value).to_bits(), half.to_bits(), "{:#010x} on {isa:?}", value.to_bits());
        }
    }
}

#[test]
fn float32_is_rounded_to_bfloat16() {
    let values = around(all(bf16::from_bits).into_iter().map(bf16::to_f32));
    for isa in instruction_sets() {
        for (value, brain) in values.iter().zip(narrowed::<bf16>(isa, &values)) {
            assert_eq!(bf16::from_f32(*value).to_bits(), brain.to_bits(), "{:#010x} on {isa:?}", value.to_bits());
        }
    }
}

#[test]
fn int16_is_cut_to_int8() {
    let values: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    for isa in instruction_sets() {
        let (mut signed, mut unsigned) = (vec![0i8; values.len()], vec![0u8; values.len()]);
        dispatch(isa, Narrow(&values, &mut signed));
        dispatch(isa, Narrow(&values, &mut unsigned));
        for (index, value) in values.iter().enumerate() {
            assert_eq!((*value as i8, *value as u8), (signed[index], unsigned[index]), "{value} on {isa:?}");
        }
        let mut again = values.clone();
        dispatch(isa, Widen(&signed, &mut again));
        assert!(again.iter().zip(&values).all(|(again, value)| *again == i16::from(*value as i8)), "{isa:?}");
        dispatch(isa, Widen(&unsigned, &mut again));
        assert!(again.iter().zip(&values).all(|(again, value)| *again == i16::from(*value as u8)), "{isa:?}");
    }
}

fn runs<E: Element<Accumulator: convrs::simd::Lanes>>(element: impl Fn(usize) -> E) {
    let from: Vec<E> = (0..200).map(element).collect();
    let wide: Vec<_> = from.iter().map(|element| element.widen()).collect();
    let last = wide[199];
    for isa in instruction_sets() {
        for count in 0..150 {
            let (mut to, mut back) = (vec![last; 200], vec![from[199]; 200]);
            dispatch(isa, Widen(&from[1..1 + count], &mut to[2..2 + count]));
            dispatch(isa, Narrow(&wide[1..1 + count], &mut back[2..2 + count]));
            assert_eq!((&to[2..2 + count], &back[2..2 + count]), (&wide[1..1 + count], &from[1..1 + count]), "{isa:?}");
            let beside = |index: usize| to[index] == last && back[index] == from[199];
            assert!((0..2).chain(2 + count..200).all(beside), "{count} elements on {isa:?}: written beside them");
        }
    }
}

#[test]
fn runs_of_any_length() {
    runs(|index| f16::from_f32(index as f32));
    runs(|index| bf16::from_f32(index as f32));
    runs(|index| index as i8);
    runs(|index| index as i16);
    runs(|index| index as f32);
    runs(|index| index as i64);
}
