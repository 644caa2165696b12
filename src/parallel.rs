//! Our own thread pool: its size, the split of a loop, life after fork, and Ctrl-C.

use std::cell::Cell;
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::Error;

use helpers::Helpers;

mod helpers;
mod placement;
mod team;

/// Below this many multiply-adds (or comparable steps) a second thread costs more than it gains.
const SMALL_WORK: usize = 200_000;
/// A chunk is at most this much work, so that Ctrl-C and the balance between threads stay quick.
const CHUNK_WORK: usize = 20_000_000;
/// How often the calling thread asks for a pending Ctrl-C.
const POLL_INTERVAL: Duration = Duration::from_millis(40);
/// More threads than any machine has cores; a typing error in `set_num_threads` should not start a million.
pub const MOST_THREADS: usize = 1024;

static THREADS: AtomicUsize = AtomicUsize::new(0);
static HELPERS: AtomicPtr<Helpers> = AtomicPtr::new(ptr::null_mut());
static INTERRUPT: OnceLock<fn() -> bool> = OnceLock::new();

/// Threads a call may use: set by [`set_num_threads`], else `CONVRS_NUM_THREADS`, else what affinity and the container's
/// CPU quota leave (`std::thread::available_parallelism`).
pub fn num_threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            let threads = threads_from_environment()
                .ok()
                .flatten()
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |threads| threads.get()));
            THREADS.store(threads, Ordering::Relaxed);
            threads
        }
        threads => threads,
    }
}

/// What `CONVRS_NUM_THREADS` says, if it is set; an error text if it is no number from 1 to [`MOST_THREADS`].
pub fn threads_from_environment() -> Result<Option<usize>, String> {
    let Some(text) = std::env::var_os("CONVRS_NUM_THREADS").filter(|text| !text.is_empty()) else { return Ok(None) };
    let number = text.to_str().and_then(|text| text.trim().parse().ok());
    match number {
        Some(threads @ 1..=MOST_THREADS) => Ok(Some(threads)),
        _ => Err(format!("CONVRS_NUM_THREADS is {text:?}: it must be a whole number from 1 to {MOST_THREADS}")),
    }
}

/// Sets the number of threads of later calls.
pub fn set_num_threads(threads: i64) -> Result<(), Error> {
    if threads < 1 {
        return Err(Error::TooSmall { argument: "num_threads", got: threads, least: 1 });
    }
    if threads > MOST_THREADS as i64 {
        let because = "more than any machine has cores".to_string();
        return Err(Error::TooLarge { argument: "num_threads", got: threads, most: MOST_THREADS as i64, because });
    }
    THREADS.store(threads as usize, Ordering::Relaxed);
    Ok(())
}

/// Registers the question "was Ctrl-C pressed?", asked on the calling thread of a long loop.
pub fn set_interrupt(pending: fn() -> bool) {
    let _ = INTERRUPT.set(pending);
}

/// Given to every chunk of a loop, which may ask whether to stop early.
pub struct Progress<'a> {
    cancelled: &'a AtomicBool,
    /// The last time the calling thread asked; `None` on the other threads, which only listen, and for small work.
    asked: Option<Cell<Instant>>,
}

impl Progress<'_> {
    /// True when the call was interrupted and its result no longer matters.
    pub fn cancelled(&self) -> bool {
        if let (Some(asked), Some(pending)) = (&self.asked, INTERRUPT.get())
            && asked.get().elapsed() > POLL_INTERVAL
        {
            if pending() {
                self.cancelled.store(true, Ordering::Relaxed);
            }
            asked.set(Instant::now());
        }
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Runs `body` over `0..tasks` in chunks of neighbours, on as many threads as the work is worth. `work` is the cost of one
/// task in multiply-adds. Tasks must not depend on each other: their order and the threads they run on are not fixed.
pub fn for_each_chunk(tasks: usize, work: usize, body: impl Fn(Range<usize>, &Progress<'_>) + Sync) -> Result<(), Error> {
    let cancelled = AtomicBool::new(false);
    let total = tasks.saturating_mul(work);
    let threads = if total < SMALL_WORK { 1 } else { num_threads().min(tasks) };
    // A few chunks a thread balance the load; the chunk is as large as that allows, since neighbours share packed weights.
    let chunk = (tasks / (threads * 4)).min(CHUNK_WORK / work.max(1)).max(1);
    let chunk = if threads == 1 && total <= CHUNK_WORK { tasks } else { chunk };
    let next = AtomicUsize::new(0);
    let lane = |progress: &Progress<'_>| {
        loop {
            let start = next.fetch_add(chunk, Ordering::Relaxed);
            if start >= tasks || progress.cancelled() {
                break;
            }
            body(start..(start + chunk).min(tasks), progress);
        }
    };
    // What is over in microseconds need not look at the clock.
    let asked = (total >= SMALL_WORK).then(|| Cell::new(Instant::now()));
    let caller = Progress { cancelled: &cancelled, asked };
    match helpers(threads - 1) {
        Some(helpers) => {
            let shared = || lane(&Progress { cancelled: &cancelled, asked: None });
            team::with_helpers(helpers, threads - 1, &shared, || lane(&caller));
        }
        None => lane(&caller),
    }
    if cancelled.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}

/// At least so many helpers; `None` where none are needed or the operating system refuses them. A pool that became too small
/// is left to its sleeping threads and never freed, because another thread may be using it; sizes double, so that happens a
/// few times in a process at most.
fn helpers(least: usize) -> Option<&'static Helpers> {
    if least == 0 {
        return None;
    }
    static FORGET_IN_CHILD: OnceLock<()> = OnceLock::new();
    FORGET_IN_CHILD.get_or_init(forget_helpers_after_fork);
    loop {
        let current = HELPERS.load(Ordering::Acquire);
        // SAFETY: the pointer is null or a leaked box.
        if let Some(helpers) = unsafe { current.as_ref() }
            && helpers.threads() >= least
        {
            return Some(helpers);
        }
        let built = Helpers::new(if current.is_null() { least } else { least.next_power_of_two() })?;
        let built = Box::into_raw(Box::new(built));
        if HELPERS.compare_exchange(current, built, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: nobody else has seen this box.
            drop(unsafe { Box::from_raw(built) });
        }
    }
}

/// A forked child has only the thread that forked: it must have helpers of its own and not wait for its parent's.
fn forget_helpers_after_fork() {
    #[cfg(unix)]
    {
        extern "C" fn forget() {
            HELPERS.store(ptr::null_mut(), Ordering::Release);
        }
        // SAFETY: the handler only stores to an atomic, which is allowed between fork and exec.
        unsafe { libc::pthread_atfork(None, None, Some(forget)) };
    }
}
