//! Which core a thread runs on, and how a helper leaves the caller's.

/// The core that runs this thread, where the system can say.
pub(super) fn current_core() -> Option<usize> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: takes nothing, gives a number or -1.
        usize::try_from(unsafe { libc::sched_getcpu() }).ok()
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Moves this thread to another core than `taken`, if it runs there and may run elsewhere. A scheduler may wake a helper on
/// the core of the caller, who does not wait for it; the two would share that core for milliseconds while another is idle (a
/// halted core of a virtual machine does not count as idle in Linux: `available_idle_cpu`).
pub(super) fn leave_core(taken: Option<usize>) {
    #[cfg(target_os = "linux")]
    if let Some(taken) = taken.filter(|_| taken == current_core()) {
        let size = size_of::<libc::cpu_set_t>();
        // SAFETY: a set of bits, for which all zeros is a value; the calls read and write `size` bytes of it, and `taken` is
        // below its number of bits.
        unsafe {
            let mut allowed: libc::cpu_set_t = std::mem::zeroed();
            if taken >= 8 * size || libc::sched_getaffinity(0, size, &mut allowed) != 0 {
                return;
            }
            let mut others = allowed;
            libc::CPU_CLR(taken, &mut others);
            if libc::CPU_COUNT(&others) > 0 && libc::sched_setaffinity(0, size, &others) == 0 {
                libc::sched_setaffinity(0, size, &allowed);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = taken;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn allowed() -> usize {
        std::thread::available_parallelism().map_or(1, |cores| cores.get())
    }

    #[test]
    fn a_thread_leaves_the_core_and_may_still_run_on_all() {
        let before = allowed();
        for _ in 0..100 {
            let taken = current_core();
            leave_core(taken);
            assert!(before == 1 || current_core() != taken);
            assert_eq!(allowed(), before);
        }
    }
}
