//! How each dtype is drawn, seen exactly, and judged.

use std::fmt::Debug;

use convrs::array::{Bool, Complex32, Complex64, Element, bf16, f16};
use convrs::reference::Number;

use super::Random;

/// What kind of numbers an array holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Floats: multiples of 1/8 from -2 to 2, whose sums of products are exact in float32. Integers: the whole range, so that
    /// sums wrap around (to 50 bits, so that the oracle's do not).
    Exact,
    /// Floats with random mantissas and exponents. Integers as before.
    Rounded,
    /// Few different numbers, so that many are equal, and among them the ends of the range; for floats both zeros, infinities
    /// and NaN.
    Special,
}

/// A dtype that tests can draw and judge.
pub trait Tested: Element + Debug {
    /// What the oracle computes in.
    type Exact: Number + Debug + Send + Sync;
    /// Unit roundoff of the kernels' accumulator; 0 where sums are exact.
    const ROUNDOFF: f64;
    /// Roundings of one product beyond the one of its addition: a complex product is a difference of two.
    const EXTRA_ROUNDINGS: usize = 0;

    fn draw(random: &mut Random, draw: Draw) -> Self;
    fn exact(self) -> Self::Exact;
    /// The modulus.
    fn size(self) -> f64;
    /// Whether this is a number within `slack` of `exact`, then rounded or wrapped to the dtype.
    fn within(self, exact: Self::Exact, slack: f64) -> bool;
    fn bits(self) -> u128;
}

/// The factor of the a-priori bound of a sum of `n` terms (Higham, Accuracy and Stability, lemma 3.1).
pub fn gamma(n: usize, roundoff: f64) -> f64 {
    let product = n as f64 * roundoff;
    assert!(product < 1.0);
    product / (1.0 - product)
}

/// To float32 with an odd last bit where it is not exact, so that a second rounding to 16 bits is that of the number itself
/// (S. Boldo and G. Melquiond, Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd, 2008).
fn rounded_to_odd(value: f64) -> f32 {
    let near = value as f32;
    let exact = f64::from(near) == value || value.is_nan();
    if exact || near.to_bits() & 1 == 1 {
        return near;
    }
    let outward = value.abs() > f64::from(near.abs());
    let bits = near.abs().to_bits();
    f32::from_bits(if outward { bits + 1 } else { bits - 1 }).copysign(value as f32)
}

fn drawn_float(random: &mut Random, draw: Draw) -> f64 {
    match draw {
        Draw::Exact => (random.below(33) as f64 - 16.0) / 8.0,
        Draw::Rounded => {
            let mantissa = 1.0 + random.below(1 << 52) as f64 / (1u64 << 52) as f64;
            let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
            sign * mantissa * 2f64.powi(random.below(6) as i32 - 4)
        }
        Draw::Special => {
            let frequent = [0.0, -0.0, 1.0, -1.0, 2.0, f64::NEG_INFINITY];
            let rare = [f64::INFINITY, f64::NAN];
            if random.below(12) == 0 { rare[random.below(2) as usize] } else { frequent[random.below(6) as usize] }
        }
    }
}

macro_rules! float {
    ($dtype:ty, $roundoff:expr, $from:expr, $to:expr) => {
        impl Tested for $dtype {
            type Exact = f64;
            const ROUNDOFF: f64 = $roundoff;
            fn draw(random: &mut Random, draw: Draw) -> Self {
                $from(drawn_float(random, draw))
            }
            fn exact(self) -> f64 {
                $to(self)
            }
            fn size(self) -> f64 {
                self.exact().abs()
            }
            fn within(self, exact: f64, slack: f64) -> bool {
                if !exact.is_finite() {
                    return self.exact() == exact || (self.exact().is_nan() && exact.is_nan());
                }
                // Rounding is monotone, so it may be applied to the ends of the interval.
                $from(exact - slack) <= self && self <= $from(exact + slack)
            }
            fn bits(self) -> u128 {
                self.to_bits().into()
            }
        }
    };
}
float!(f32, f32::EPSILON as f64 / 2.0, |value: f64| value as f32, f64::from);
float!(f64, f64::EPSILON / 2.0, |value: f64| value, f64::from);
float!(f16, f32::EPSILON as f64 / 2.0, |value: f64| f16::from_f32(rounded_to_odd(value)), f64::from);
float!(bf16, f32::EPSILON as f64 / 2.0, |value: f64| bf16::from_f32(rounded_to_odd(value)), f64::from);

macro_rules! integer {
    ($from_bits:expr; $($dtype:ty)*) => { $(
        impl Tested for $dtype {
            type Exact = i128;
            const ROUNDOFF: f64 = 0.0;
            fn draw(random: &mut Random, draw: Draw) -> Self {
                match draw {
                    Draw::Special => [<$dtype>::MIN, 0, 1, 1, 2, <$dtype>::MAX][random.below(6) as usize],
                    _ => $from_bits(random.next()) as $dtype,
                }
            }
            fn exact(self) -> i128 {
                self.into()
            }
            fn size(self) -> f64 {
                self as f64
            }
            fn within(self, exact: i128, _slack: f64) -> bool {
                self == exact as $dtype
            }
            fn bits(self) -> u128 {
                self as u128
            }
        }
    )* };
}
integer!(|bits: u64| bits as i64 >> 13; i8 i16 i32 i64);
integer!(|bits: u64| bits >> 14; u8 u16 u32 u64);

impl Tested for Bool {
    type Exact = i128;
    const ROUNDOFF: f64 = 0.0;
    fn draw(random: &mut Random, _draw: Draw) -> Self {
        Bool(u8::from(random.below(4) == 0))
    }
    fn exact(self) -> i128 {
        self.0.into()
    }
    fn size(self) -> f64 {
        self.0.into()
    }
    fn within(self, exact: i128, _slack: f64) -> bool {
        self.0 == u8::from(exact != 0)
    }
    fn bits(self) -> u128 {
        self.0.into()
    }
}

macro_rules! complex {
    ($dtype:ty, $part:ty) => {
        impl Tested for $dtype {
            type Exact = Complex64;
            const ROUNDOFF: f64 = <$part as Tested>::ROUNDOFF;
            const EXTRA_ROUNDINGS: usize = 1;
            fn draw(random: &mut Random, draw: Draw) -> Self {
                <$dtype>::new(<$part>::draw(random, draw), <$part>::draw(random, draw))
            }
            fn exact(self) -> Complex64 {
                Complex64::new(self.re.into(), self.im.into())
            }
            fn size(self) -> f64 {
                self.exact().norm()
            }
            fn within(self, exact: Complex64, slack: f64) -> bool {
                self.re.within(exact.re, slack) && self.im.within(exact.im, slack)
            }
            fn bits(self) -> u128 {
                (self.re.bits() << 64) | self.im.bits()
            }
        }
    };
}
complex!(Complex32, f32);
complex!(Complex64, f64);
