//! Working memory of a thread, reused from call to call, never above [`SCRATCH_BYTES`]: a buffer for the task in hand, and one for
//! what a call of this thread lays out once for all threads.

use std::cell::RefCell;
use std::thread::LocalKey;

use super::element::Plain;

/// The most working memory that one thread ever holds.
pub const SCRATCH_BYTES: usize = 8 << 20;
/// Of it, what a call may lay out for all threads.
pub const CALL_BYTES: usize = 4 << 20;
/// The rest: a task that needs more gives up what the last call left.
const TASK_BYTES: usize = SCRATCH_BYTES - CALL_BYTES;

/// Bytes of a page, and of one that covers as much as hundreds of them; on a system with others the advice is refused or void.
#[cfg(target_os = "linux")]
const PAGE: usize = 4 << 10;
#[cfg(target_os = "linux")]
const HUGE_PAGE: usize = 2 << 20;
/// Cache lines, so that no vector load of a panel straddles two.
const ALIGNMENT: usize = 64;

type Buffer = RefCell<Vec<u64>>;

thread_local! {
    static TASK: Buffer = const { RefCell::new(Vec::new()) };
    static CALL: Buffer = const { RefCell::new(Vec::new()) };
}

/// What is left of a thread's buffer.
pub struct Scratch<'a> {
    rest: &'a mut [u64],
}

impl<'a> Scratch<'a> {
    /// Cuts off `count` elements, aligned to a cache line; their values are whatever was there before, zeros at first.
    pub fn cut<T: Plain>(&mut self, count: usize) -> &'a mut [T] {
        let words = Self::words::<T>(count);
        let rest = std::mem::take(&mut self.rest);
        assert!(words <= rest.len(), "scratch of {count} elements was not reserved");
        let (taken, rest) = rest.split_at_mut(words);
        self.rest = rest;
        // SAFETY: the words are ours alone and initialised; every bit pattern is a valid `Plain`; `words` covers `count`
        // elements; 64-byte alignment suits them all.
        unsafe { std::slice::from_raw_parts_mut(taken.as_mut_ptr().cast(), count) }
    }

    fn words<T>(count: usize) -> usize {
        (count * size_of::<T>()).next_multiple_of(ALIGNMENT) / size_of::<u64>()
    }
}

/// Runs `body` with at least `bytes` of this thread's scratch (`bytes` counts each cut rounded up to a cache line).
pub fn with_scratch<R>(bytes: usize, body: impl FnOnce(&mut Scratch<'_>) -> R) -> R {
    if bytes > TASK_BYTES {
        CALL.take();
    }
    with_buffer(&TASK, SCRATCH_BYTES, bytes, body)
}

/// The same for a whole call, in which this thread's tasks may use the rest.
pub fn with_call_scratch<R>(bytes: usize, body: impl FnOnce(&mut Scratch<'_>) -> R) -> R {
    if TASK.with_borrow(|buffer| buffer.len() * size_of::<u64>() > TASK_BYTES) {
        TASK.take();
    }
    with_buffer(&CALL, CALL_BYTES, bytes, body)
}

fn with_buffer<R>(buffer: &'static LocalKey<Buffer>, most: usize, bytes: usize, body: impl FnOnce(&mut Scratch<'_>) -> R) -> R {
    assert!(bytes <= most, "{bytes} bytes of scratch");
    buffer.with_borrow_mut(|buffer| {
        let slack = ALIGNMENT / size_of::<u64>();
        let words = bytes.next_multiple_of(ALIGNMENT) / size_of::<u64>() + slack;
        if buffer.len() < words {
            *buffer = vec![0; words];
        }
        let misaligned = buffer.as_ptr().align_offset(ALIGNMENT);
        body(&mut Scratch { rest: &mut buffer[misaligned..] })
    })
}

/// One cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; ALIGNMENT]);

/// Memory that outlives a call, aligned as scratch is.
pub struct Aligned<T> {
    lines: Vec<Line>,
    count: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Plain> Aligned<T> {
    /// `count` zeros.
    pub fn zeros(count: usize) -> Self {
        let needed = (count * size_of::<T>()).div_ceil(ALIGNMENT);
        let mut lines = Vec::with_capacity(needed);
        prefer_huge_pages(&lines);
        lines.resize(needed, Line([0; ALIGNMENT]));
        Aligned { lines, count, element: std::marker::PhantomData }
    }
}

impl<T: Plain> std::ops::Deref for Aligned<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the lines are initialised and cover `count` elements; every bit pattern is a valid `Plain`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.count) }
    }
}

impl<T: Plain> std::ops::DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the lines are ours alone.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.count) }
    }
}

/// Asks for huge pages before memory is touched: kernels walk through megabytes of weights, and would miss the TLB at every page.
fn prefer_huge_pages(lines: &Vec<Line>) {
    #[cfg(target_os = "linux")]
    if lines.capacity() * ALIGNMENT >= HUGE_PAGE {
        let start = lines.as_ptr() as usize;
        let (first, end) = (start.next_multiple_of(PAGE), (start + lines.capacity() * ALIGNMENT) / PAGE * PAGE);
        // SAFETY: whole pages within the lines' memory; the advice changes no content.
        unsafe { libc::madvise(first as *mut _, end - first, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = lines;
}
