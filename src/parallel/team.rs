//! A loop shared by the calling thread and helpers from the pool, where nobody waits for a helper that has not begun: on a
//! busy machine a sleeping thread may take longer to wake than the loop takes to finish.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Thread;
use std::time::Duration;

use super::helpers::Helpers;
use super::placement::current_core;

/// Set in [`Team::state`] when helpers may no longer join; the rest counts, in steps of [`HELPER`], those at work.
const CLOSED: usize = 1;
const HELPER: usize = 2;
/// How often the caller looks for the last helper before it goes to sleep.
const SPINS: usize = 2000;

pub(super) struct Team {
    work: *const (dyn Fn() + Sync),
    state: AtomicUsize,
    caller: Thread,
    core: Option<usize>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `work` is `Sync`, and is called only between a successful `join` and the `leave` that follows.
unsafe impl Send for Team {}
// SAFETY: as above.
unsafe impl Sync for Team {}

impl Team {
    fn join(&self) -> bool {
        let open = |state: usize| (state & CLOSED == 0).then_some(state + HELPER);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, open).is_ok()
    }

    fn leave(&self) {
        if self.state.fetch_sub(HELPER, Ordering::Release) == HELPER | CLOSED {
            self.caller.unpark();
        }
    }

    /// Where the caller ran when it made the team.
    pub(super) fn core(&self) -> Option<usize> {
        self.core
    }

    /// Joins the work, unless it is over already.
    pub(super) fn help(&self) {
        if !self.join() {
            return;
        }
        // SAFETY: the caller keeps `work` alive until every helper that joined has left.
        let outcome = catch_unwind(AssertUnwindSafe(|| unsafe { (*self.work)() }));
        if let Err(payload) = outcome {
            *self.panic.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(payload);
        }
        self.leave();
    }

    fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::Relaxed);
        let mut spins = 0;
        while self.state.load(Ordering::Acquire) != CLOSED {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }
}

/// Runs `own` on this thread while up to `helpers` threads of `pool` run `work`; returns when all who began have ended.
pub(super) fn with_helpers(pool: &'static Helpers, helpers: usize, work: &(dyn Fn() + Sync), own: impl FnOnce()) {
    // SAFETY: only the lifetime is erased; `close` below runs before `work` can be dropped, also when `own` panics.
    let work = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), &'static (dyn Fn() + Sync)>(work) };
    let panic = Mutex::new(None);
    let team = Arc::new(Team { work, state: AtomicUsize::new(0), caller: std::thread::current(), core: current_core(), panic });
    pool.call(helpers, &team);
    let outcome = catch_unwind(AssertUnwindSafe(own));
    pool.withdraw(&team);
    team.close();
    let helper_panic = team.panic.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    if let Some(payload) = outcome.err().or(helper_panic) {
        resume_unwind(payload);
    }
}
