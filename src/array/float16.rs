//! float16 from and to float32 by whole-number arithmetic without branches, which the compiler makes vectors of; `half` asks for
//! each number what the processor has.

/// All bits of a float16 but its sign.
const MAGNITUDE: u16 = 0x7fff;
/// How many more bits a float32's mantissa has.
const SHIFT: u32 = 13;
/// What is added to an exponent on the way to float32, among the bits of one.
const REBIAS: u32 = (127 - 15) << 23;
/// Infinity and the least normal number of float16, and what overflows it before rounding, as bits of a float32.
const INFINITY: u32 = 0x7f80_0000;
const LEAST_NORMAL: u32 = REBIAS + (1 << 23);
const TOO_LARGE: u32 = REBIAS + (31 << 23);
/// The bits of 0.5, whose last bit is worth as much as that of a float16 without an exponent.
const HALF: u32 = 0x3f00_0000;

/// A float16 as float32; a NaN stays one.
#[inline(always)]
pub(super) fn widened(bits: u16) -> f32 {
    let magnitude = u32::from(bits & MAGNITUDE) << SHIFT;
    let normal = magnitude + REBIAS;
    // Below the normal numbers the exponent is that of the least of them, without its leading 1.
    let small = (f32::from_bits(magnitude + LEAST_NORMAL) - f32::from_bits(LEAST_NORMAL)).to_bits();
    let special = normal + REBIAS;
    let magnitude = if magnitude < 1 << 23 { small } else { normal };
    let magnitude = if bits & MAGNITUDE >= 0x7c00 { special } else { magnitude };
    f32::from_bits(magnitude | u32::from(bits & !MAGNITUDE) << 16)
}

/// The nearest float16, of two the even one; a NaN is quiet.
#[inline(always)]
pub(super) fn narrowed(value: f32) -> u16 {
    let bits = value.to_bits();
    let magnitude = bits & !(1 << 31);
    let odd = magnitude >> SHIFT & 1;
    let normal = magnitude.wrapping_sub(REBIAS).wrapping_add((1 << (SHIFT - 1)) - 1 + odd) >> SHIFT;
    let small = (f32::from_bits(magnitude) + f32::from_bits(HALF)).to_bits().wrapping_sub(HALF);
    let finite = if magnitude < LEAST_NORMAL { small } else { normal };
    let finite = if magnitude < TOO_LARGE { finite } else { 0x7c00 };
    let nan = 0x7e00 | magnitude >> SHIFT & 0x3ff;
    (if magnitude > INFINITY { nan } else { finite }) as u16 | (bits >> 16) as u16 & !MAGNITUDE
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::{narrowed, widened};

    #[test]
    fn every_float16_is_widened_as_by_half() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (widened(bits), f16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{bits:#x}");
        }
    }

    #[test]
    fn floats_are_narrowed_as_by_half() {
        // Around every float16 and the middle between it and the next, and a walk over all exponents.
        let near = (0..=u16::MAX).flat_map(|bits| {
            let bits = widened(bits).to_bits();
            [0, 0x0fff, 0x1000, 0x1001, 0x1fff].map(|more| bits.wrapping_add(more))
        });
        let far = (0..=u32::MAX).step_by(49_999);
        for bits in near.chain(far) {
            let value = f32::from_bits(bits);
            let (ours, theirs) = (narrowed(value), f16::from_f32(value));
            assert!(ours == theirs.to_bits() || value.is_nan() && f16::from_bits(ours).is_nan(), "{bits:#x}");
        }
    }
}
