//! The threads that help: rayon's, kept awake for a moment after each loop, since waking one takes longer than many a loop.

use std::collections::VecDeque;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::placement::leave_core;
use super::team::Team;

/// How long a helper looks for the next loop before it sleeps: longer than what lies between two layers of a network in
/// Python. Between looks it yields its core to whoever wants it.
const LINGER: Duration = Duration::from_micros(200);
/// Looks between two yields: about a microsecond.
const LOOKS: usize = 32;

/// A pool and those of its threads that are between two loops.
pub(super) struct Helpers {
    pool: ThreadPool,
    lounge: Mutex<Lounge>,
    /// Length of `Lounge::offered`, read without the lock.
    offers: AtomicUsize,
}

/// Who waits for a loop, and which loops wait to be taken up. An offer always has a waiting thread of its own.
#[derive(Default)]
struct Lounge {
    waiting: usize,
    offered: VecDeque<Arc<Team>>,
}

impl Helpers {
    /// As many threads, or `None` where the operating system refuses them.
    pub(super) fn new(threads: usize) -> Option<Self> {
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("convrs-{index}")).build();
        Some(Self { pool: pool.ok()?, lounge: Mutex::default(), offers: AtomicUsize::new(0) })
    }

    pub(super) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Asks `count` threads to join the team: those that are awake, then sleeping ones.
    pub(super) fn call(&'static self, count: usize, team: &Arc<Team>) {
        let mut lounge = self.lounge();
        let awake = count.min(lounge.waiting - lounge.offered.len());
        lounge.offered.extend((0..awake).map(|_| Arc::clone(team)));
        self.offers.store(lounge.offered.len(), Ordering::Release);
        drop(lounge);
        for _ in awake..count {
            let team = Arc::clone(team);
            self.pool.spawn(move || self.serve(team));
        }
    }

    fn serve(&self, mut team: Arc<Team>) {
        loop {
            leave_core(team.core());
            team.help();
            match self.linger() {
                Some(next) => team = next,
                None => return,
            }
        }
    }

    /// The next team that wants this thread, if one comes within [`LINGER`].
    fn linger(&self) -> Option<Arc<Team>> {
        self.lounge().waiting += 1;
        let until = Instant::now() + LINGER;
        loop {
            let late = Instant::now() >= until;
            if late || self.offered_within_a_moment() {
                let mut lounge = self.lounge();
                let next = lounge.offered.pop_front();
                if late || next.is_some() {
                    lounge.waiting -= 1;
                    self.offers.store(lounge.offered.len(), Ordering::Release);
                    return next;
                }
            }
            yield_now();
        }
    }

    fn offered_within_a_moment(&self) -> bool {
        (0..LOOKS).any(|_| {
            spin_loop();
            self.offers.load(Ordering::Acquire) > 0
        })
    }

    fn lounge(&self) -> MutexGuard<'_, Lounge> {
        self.lounge.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
