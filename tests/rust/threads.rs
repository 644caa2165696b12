//! The thread pool: its size, and that a loop runs every index once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use convrs::error::Error;
use convrs::parallel::{MOST_THREADS, for_each_chunk, num_threads, set_interrupt, set_num_threads};

use crate::common::threads_lock;

#[test]
fn the_number_of_threads_has_limits() {
    let _lock = threads_lock();
    for threads in [1, 2, MOST_THREADS as i64, 3] {
        set_num_threads(threads).unwrap();
        assert_eq!(num_threads() as i64, threads);
    }
    for threads in [0, -1, i64::MIN] {
        let error = set_num_threads(threads).unwrap_err();
        assert_eq!(error.to_string(), format!("num_threads must be at least 1, got {threads}; the nearest legal value is 1"));
    }
    for threads in [MOST_THREADS as i64 + 1, i64::MAX] {
        let error = set_num_threads(threads).unwrap_err().to_string();
        assert!(error.contains("at most 1024") && error.contains(&threads.to_string()), "{error}");
    }
    assert_eq!(num_threads(), 3, "a refused number changes nothing");
}

#[test]
fn every_index_is_visited_once() {
    let _lock = threads_lock();
    for threads in [1, 2, 3, 8] {
        set_num_threads(threads).unwrap();
        for tasks in [0, 1, 2, 3, 7, 31, 32, 33, 1000, 4097] {
            for work in [0, 1, 1000, 1_000_000, usize::MAX] {
                let visits: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                for_each_chunk(tasks, work, |range, _| {
                    for visits in &visits[range] {
                        visits.fetch_add(1, Ordering::Relaxed);
                    }
                })
                .unwrap();
                assert!(
                    visits.iter().all(|visits| visits.load(Ordering::Relaxed) == 1),
                    "{threads} threads, {tasks} tasks of {work}"
                );
            }
        }
    }
}

#[test]
fn small_work_stays_on_the_calling_thread() {
    let _lock = threads_lock();
    set_num_threads(4).unwrap();
    let caller = thread::current().id();
    for_each_chunk(100, 10, |_, _| assert_eq!(thread::current().id(), caller)).unwrap();
}

#[test]
fn large_work_is_shared() {
    let _lock = threads_lock();
    set_num_threads(2).unwrap();
    let caller = thread::current().id();
    let others = AtomicUsize::new(0);
    for_each_chunk(64, 1_000_000, |_, _| {
        thread::sleep(Duration::from_millis(1));
        others.fetch_add(usize::from(thread::current().id() != caller), Ordering::Relaxed);
    })
    .unwrap();
    assert!(others.load(Ordering::Relaxed) > 0);
}

#[test]
fn many_callers_share_one_pool() {
    let _lock = threads_lock();
    set_num_threads(3).unwrap();
    let total = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    for_each_chunk(64, 100_000, |range, _| {
                        total.fetch_add(range.len(), Ordering::Relaxed);
                    })
                    .unwrap();
                }
            });
        }
    });
    assert_eq!(total.load(Ordering::Relaxed), 8 * 50 * 64);
}

#[test]
fn an_interrupt_ends_a_long_loop_soon() {
    static PRESSED: AtomicBool = AtomicBool::new(false);
    let _lock = threads_lock();
    set_interrupt(|| PRESSED.load(Ordering::Relaxed));
    for threads in [1, 2] {
        set_num_threads(threads).unwrap();
        PRESSED.store(true, Ordering::Relaxed);
        let start = Instant::now();
        let result = for_each_chunk(100_000, 20_000_000, |_, progress| {
            if !progress.cancelled() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        PRESSED.store(false, Ordering::Relaxed);
        assert_eq!(result, Err(Error::Interrupted));
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}
