//! How a layer's last input was planned: the next one has its shape, more often than not.

use std::sync::{Arc, Mutex, TryLockError};

use super::fft::FftPlan;
use super::passes::Passes;
use super::winograd::WinogradPlan;
use crate::parallel::num_threads;
use crate::shape::ConvShape;

/// How an input is computed.
// Each lives in memory of its own.
#[allow(clippy::large_enum_variant)]
pub(super) enum Planned {
    Winograd(WinogradPlan),
    Fft(FftPlan),
    Direct {
        /// The axis that takes the width's place, if one does: that of the passes' shape.
        long_axis: Option<usize>,
        passes: Passes,
    },
}

struct Entry {
    shape: ConvShape,
    threads: usize,
    planned: Arc<Planned>,
}

#[derive(Default)]
pub(super) struct Latest(Mutex<Option<Entry>>);

impl Latest {
    /// What `plan` gave for that shape and the number of threads, or gives now.
    pub fn get(&self, shape: &ConvShape, plan: impl FnOnce() -> Planned) -> Arc<Planned> {
        let threads = num_threads();
        // Whoever finds it busy, as the child of a fork may for ever, plans for itself.
        let mut latest = match self.0.try_lock() {
            Ok(latest) => latest,
            Err(TryLockError::Poisoned(latest)) => latest.into_inner(),
            Err(TryLockError::WouldBlock) => return Arc::new(plan()),
        };
        if let Some(entry) = latest.as_ref().filter(|entry| entry.threads == threads && entry.shape == *shape) {
            return Arc::clone(&entry.planned);
        }
        let planned = Arc::new(plan());
        *latest = Some(Entry { shape: shape.clone(), threads, planned: Arc::clone(&planned) });
        planned
    }
}
