//! The threads that help: rayon's, kept awake for a moment after each loop, since waking one takes longer than many a loop.

use std::collections::VecDeque;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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

/// A pool of threads, and the loops that want some of them.
pub(super) struct Helpers {
    pool: ThreadPool,
    queue: Mutex<Queue>,
    /// Length of `Queue::wanted`, read without the lock.
    wanted: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    /// One entry for each thread that a loop still wants.
    wanted: VecDeque<Arc<Team>>,
    /// Threads that are awake, or called: they look here before they sleep.
    awake: usize,
    /// Those of them that have no loop.
    idle: usize,
}

impl Helpers {
    /// As many threads, or `None` where the operating system refuses them.
    pub(super) fn new(threads: usize) -> Option<Self> {
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("convrs-{index}")).build();
        Some(Self { pool: pool.ok()?, queue: Mutex::default(), wanted: AtomicUsize::new(0) })
    }

    pub(super) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Asks `count` threads to join the team, and wakes sleeping ones where too few are idle.
    pub(super) fn call(&'static self, count: usize, team: &Arc<Team>) {
        let woken = self.change(|queue| {
            queue.wanted.extend((0..count).map(|_| Arc::clone(team)));
            let woken = queue.wanted.len().saturating_sub(queue.idle).min(self.threads() - queue.awake);
            queue.awake += woken;
            queue.idle += woken;
            woken
        });
        for _ in 0..woken {
            self.pool.spawn(|| self.serve());
        }
    }

    /// The team is complete: whoever has not begun is not wanted any more.
    pub(super) fn withdraw(&self, team: &Arc<Team>) {
        if self.wanted.load(Ordering::Relaxed) > 0 {
            self.change(|queue| queue.wanted.retain(|wanted| !Arc::ptr_eq(wanted, team)));
        }
    }

    fn serve(&self) {
        while let Some(team) = self.next() {
            leave_core(team.core());
            team.help();
            self.change(|queue| queue.idle += 1);
        }
    }

    /// The next team that wants this thread, if one comes within [`LINGER`]; else the thread counts as asleep.
    fn next(&self) -> Option<Arc<Team>> {
        let until = Instant::now() + LINGER;
        loop {
            let late = Instant::now() >= until;
            if late || self.wanted_within_a_moment() {
                let next = self.change(|queue| {
                    let next = queue.wanted.pop_front();
                    if late || next.is_some() {
                        queue.idle -= 1;
                    }
                    if late && next.is_none() {
                        queue.awake -= 1;
                    }
                    next
                });
                if late || next.is_some() {
                    return next;
                }
            }
            yield_now();
        }
    }

    fn wanted_within_a_moment(&self) -> bool {
        (0..LOOKS).any(|_| {
            spin_loop();
            self.wanted.load(Ordering::Acquire) > 0
        })
    }

    fn change<R>(&self, change: impl FnOnce(&mut Queue) -> R) -> R {
        let mut queue = self.queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let result = change(&mut queue);
        self.wanted.store(queue.wanted.len(), Ordering::Release);
        result
    }
}
