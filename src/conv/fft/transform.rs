//! The transform of one block and its inverse: rows of real numbers, then columns of their spectra.

use std::sync::Arc;

use num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

/// Plans for blocks of one size. A spectrum is `[frequency along the width][frequency along the height]`.
pub(super) struct Transform {
    height: usize,
    width: usize,
    rows: Arc<dyn RealToComplex<f64>>,
    rows_back: Arc<dyn ComplexToReal<f64>>,
    columns: Arc<dyn Fft<f64>>,
    columns_back: Arc<dyn Fft<f64>>,
}

impl Transform {
    pub fn new([height, width]: [usize; 2]) -> Self {
        let (mut real, mut complex) = (RealFftPlanner::new(), FftPlanner::new());
        Transform {
            height,
            width,
            rows: real.plan_fft_forward(width),
            rows_back: real.plan_fft_inverse(width),
            columns: complex.plan_fft_forward(height),
            columns_back: complex.plan_fft_inverse(height),
        }
    }

    /// Numbers that `forward` and `inverse` need for themselves: a spectrum before it is turned, and what the plans need.
    pub fn working(&self) -> usize {
        let rows = self.rows.get_scratch_len().max(self.rows_back.get_scratch_len());
        let columns = self.columns.get_inplace_scratch_len().max(self.columns_back.get_inplace_scratch_len());
        self.height * self.frequencies() + rows.max(columns)
    }

    fn frequencies(&self) -> usize {
        self.width / 2 + 1
    }

    /// The spectrum of `block`, which is overwritten.
    pub fn forward(&self, block: &mut [f64], spectrum: &mut [Complex64], working: &mut [Complex64]) {
        let (turned, working) = working.split_at_mut(self.height * self.frequencies());
        let rows = block.chunks_exact_mut(self.width).zip(turned.chunks_exact_mut(self.frequencies()));
        for (row, frequencies) in rows {
            self.rows.process_with_scratch(row, frequencies, working).expect("of the planned sizes");
        }
        transpose::transpose(turned, spectrum, self.frequencies(), self.height);
        self.columns.process_with_scratch(spectrum, working);
    }

    /// The block of `spectrum`, which is overwritten, times the number of elements.
    pub fn inverse(&self, spectrum: &mut [Complex64], block: &mut [f64], working: &mut [Complex64]) {
        let (turned, working) = working.split_at_mut(self.height * self.frequencies());
        self.columns_back.process_with_scratch(spectrum, working);
        transpose::transpose(spectrum, turned, self.height, self.frequencies());
        let rows = turned.chunks_exact_mut(self.frequencies()).zip(block.chunks_exact_mut(self.width));
        for (frequencies, row) in rows {
            // Zero but for rounding, in the spectrum of real numbers.
            frequencies[0].im = 0.0;
            if self.width.is_multiple_of(2) {
                frequencies[self.width / 2].im = 0.0;
            }
            self.rows_back.process_with_scratch(frequencies, row, working).expect("of the planned sizes");
        }
    }
}
