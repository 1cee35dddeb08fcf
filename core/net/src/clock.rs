//! The monotonic clock, sleeping to a moment of it, and what the kernel can do
//! for a thread that must wake on time.

use std::io;

const SECOND: u64 = 1_000_000_000;

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; the clocks asked for exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * SECOND + time.tv_nsec as u64
}

/// Nanoseconds on `CLOCK_MONOTONIC`.
pub fn monotonic_nanos() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of processor time that the calling thread has used, in the
/// kernel included.
pub fn thread_cpu_nanos() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Sleeps until [`monotonic_nanos`] reaches `deadline`. An absolute deadline
/// does not drift with the time spent between reading the clock and sleeping.
pub(crate) fn sleep_until(deadline: u64) {
    let time = libc::timespec {
        tv_sec: (deadline / SECOND) as libc::time_t,
        tv_nsec: (deadline % SECOND) as libc::c_long,
    };
    // SAFETY: `time` is valid; with an absolute deadline nothing is written back.
    while unsafe {
        libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &time, std::ptr::null_mut())
    } == libc::EINTR
    {}
}

/// Asks the kernel to wake this thread on time: no timer slack and, where the
/// limits allow it, real-time scheduling.
///
/// # Errors
/// The answer to the request for real-time scheduling. The slack is set anyway.
pub fn wake_on_time() -> io::Result<()> {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and concerns the calling thread only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong, 0, 0, 0) };
    let parameters = libc::sched_param { sched_priority: 10 };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: `parameters` is valid for the call; zero means the calling thread.
    match unsafe { libc::sched_setscheduler(0, policy, &parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether threads of this process get the real-time scheduling that [`wake_on_time`] asks
/// for, tried by one that ends at once.
///
/// # Errors
/// The answer to the request, or why there is no thread to ask for.
pub fn try_real_time() -> io::Result<()> {
    let thread = std::thread::Builder::new().name("punktfunk-try".into()).spawn(wake_on_time)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that asked panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_ends_at_the_deadline_or_later() {
        let deadline = monotonic_nanos() + 2_000_000;
        sleep_until(deadline);
        assert!(monotonic_nanos() >= deadline);
        sleep_until(0);
    }
}
