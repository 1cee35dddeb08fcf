//! Real-time scheduling: whether the threads that send and record get it, and what to do
//! where they do not. They ask for it themselves (`punktfunk_net::wake_on_time`) and work
//! without it; a busy machine then wakes them late.

use std::io;

use rustix::process::{Resource, getrlimit};

use super::account::MEDIA_PRIORITY;

/// Says once, as the host starts, that threads will not be scheduled in real time, why,
/// and what mends it. Says nothing where they will be.
pub fn report_real_time() {
    if let Err(error) = punktfunk_net::try_real_time() {
        tracing::info!("no real-time scheduling: {}", remedy(getrlimit(Resource::Rtprio).current, &error));
    }
}

/// Why there is none under this limit of priorities (`None`: no limit), and what to do.
fn remedy(limit: Option<u64>, error: &io::Error) -> String {
    match limit {
        Some(limit) if limit < MEDIA_PRIORITY => format!(
            "the limit RLIMIT_RTPRIO is {limit} and {MEDIA_PRIORITY} is needed, so a busy machine sends \
             pictures and sound late; start the host as root, which keeps this right when it gives up \
             the rest, or give its user the limit: `LimitRTPRIO={MEDIA_PRIORITY}` in a systemd unit, or \
             `USER - rtprio {MEDIA_PRIORITY}` in /etc/security/limits.d for who logs in"
        ),
        _ => format!(
            "the kernel refuses it ({error}) although the limit RLIMIT_RTPRIO allows it, so a busy \
             machine sends pictures and sound late; a control group without real-time runtime does \
             that: give the group of the host some in cpu.rt_runtime_us, or let the container have \
             CAP_SYS_NICE"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_the_limit_and_what_mends_it() {
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let low = remedy(Some(0), &error);
        assert!(low.contains("RLIMIT_RTPRIO is 0 and 10 is needed"), "{low}");
        assert!(low.contains("LimitRTPRIO=10") && low.contains("/etc/security/limits.d"), "{low}");
        for enough in [Some(MEDIA_PRIORITY), Some(99), None] {
            let other = remedy(enough, &error);
            assert!(other.contains("cpu.rt_runtime_us") && !other.contains("limits.d"), "{other}");
        }
    }

    #[test]
    fn a_thread_that_asks_leaves_the_others_as_they_are() {
        // Whatever the answer is here: the thread that was tried with is gone.
        let first = punktfunk_net::try_real_time().is_ok();
        assert_eq!(punktfunk_net::try_real_time().is_ok(), first);
        report_real_time();
    }
}
