//! What all tests share: drawn arrays, how a result is judged, memory layouts, convolutions run both ways.

pub mod conv;
pub mod dtypes;
pub mod layout;
pub mod pool;

pub use conv::{Case, Kind, PLAIN, TRANSPOSED};
pub use dtypes::{Draw, Tested, gamma};
pub use layout::Laid;

use std::sync::{Mutex, MutexGuard};

use convrs::array::{Element, View, ViewMut};
use convrs::reference::Array;
use convrs::simd::{Isa, Lanes, Simd};

/// The instruction sets of this CPU.
pub fn instruction_sets() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.available())
}

/// Lanes of a vector, and pixels of the largest tile in registers.
pub fn lanes_and_pixels<E: Element<Accumulator: Lanes>>(isa: Isa) -> (usize, usize) {
    fn of<S: Simd>() -> (usize, usize) {
        (S::LANES, S::PIXELS)
    }
    match isa {
        Isa::Portable => of::<<E::Accumulator as Lanes>::Portable>(),
        Isa::Avx2 => of::<<E::Accumulator as Lanes>::Avx2>(),
        Isa::Avx512 => of::<<E::Accumulator as Lanes>::Avx512>(),
    }
}

pub fn view<E: Copy>(array: &Array<E>) -> View<'_, E> {
    View::new(&array.data, array.shape).unwrap()
}

pub fn view_mut<E: Copy>(array: &mut Array<E>) -> ViewMut<'_, E> {
    ViewMut::new(&mut array.data, array.shape).unwrap()
}

/// A small generator of pseudo-random numbers (SplitMix64: Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// An array of drawn elements.
    pub fn array<E: Tested>(&mut self, shape: [usize; 5], draw: Draw) -> Array<E> {
        Array::from_fn(shape, |_| E::draw(self, draw))
    }
}

/// Held while a test changes the number of threads, which belongs to the whole process.
pub fn threads_lock() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// One `#[test]` a dtype of a check that is generic over it, in a module with the check's name.
#[macro_export]
macro_rules! every_dtype {
    ($check:ident) => {
        $crate::every_dtype!($check: float32 f32, float64 f64, float16 f16, bfloat16 bf16, int8 i8, int16 i16, int32 i32, int64 i64,
            bool Bool, complex64 Complex32, complex128 Complex64);
    };
    ($check:ident, floats) => {
        $crate::every_dtype!($check: float32 f32, float64 f64, float16 f16, bfloat16 bf16);
    };
    ($check:ident, ordered) => {
        $crate::every_dtype!($check: float32 f32, float64 f64, float16 f16, bfloat16 bf16, int8 i8, int16 i16, int32 i32, int64 i64,
            uint8 u8, uint16 u16, uint32 u32, uint64 u64, bool Bool);
    };
    ($check:ident, all) => {
        $crate::every_dtype!($check: float32 f32, float64 f64, float16 f16, bfloat16 bf16, int8 i8, int16 i16, int32 i32, int64 i64,
            uint8 u8, uint16 u16, uint32 u32, uint64 u64, bool Bool, complex64 Complex32, complex128 Complex64);
    };
    ($check:ident: $($name:ident $dtype:ident),*) => {
        mod $check {
            #[allow(unused_imports)]
            use convrs::array::{Bool, Complex32, Complex64, bf16, f16};
            $(
                #[test]
                fn $name() {
                    super::$check::<$dtype>();
                }
            )*
        }
    };
}
