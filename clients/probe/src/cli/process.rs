//! What this process holds and uses, as the kernel tells (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// What leaks would make grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Kilobytes of memory that are in use.
    pub rss_kb: u64,
    /// Open files and sockets.
    pub files: usize,
    /// Threads.
    pub threads: usize,
}

impl Holdings {
    /// Now.
    pub fn now() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
        // The folder itself is open while it is listed.
        let files = fs::read_dir("/proc/self/fd").context("/proc/self/fd")?.count().saturating_sub(1);
        let threads = fs::read_dir("/proc/self/task").context("/proc/self/task")?.count();
        Ok(Self { rss_kb: rss(&status).context("/proc/self/status names no VmRSS")?, files, threads })
    }
}

fn rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Time that threads were on a processor, by number and name. Threads that have ended are
/// not in it.
#[derive(Clone, Debug, Default)]
pub struct Work(BTreeMap<u32, (String, Duration)>);

impl Work {
    /// Until now.
    pub fn now() -> Self {
        let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Self::default() };
        let read = |entry: fs::DirEntry| -> Option<(u32, (String, Duration))> {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            let schedule = fs::read_to_string(entry.path().join("schedstat")).ok()?;
            Some((number, (name.trim().to_owned(), on_cpu(&schedule)?)))
        };
        Self(tasks.filter_map(|entry| read(entry.ok()?)).collect())
    }

    /// What each name of threads used since `before`, the most first.
    pub fn since(&self, before: &Self) -> Vec<(String, Duration)> {
        let mut names: BTreeMap<&str, Duration> = BTreeMap::new();
        for (number, (name, time)) in &self.0 {
            let earlier = before.0.get(number).map_or(Duration::ZERO, |(_, time)| *time);
            *names.entry(name).or_default() += time.saturating_sub(earlier);
        }
        let mut list: Vec<_> = names.into_iter().map(|(name, time)| (name.to_owned(), time)).collect();
        list.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        list
    }
}

/// The first number of schedstat: nanoseconds.
fn on_cpu(schedule: &str) -> Option<Duration> {
    schedule.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read() {
        assert_eq!(rss("VmPeak:\t 9 kB\nVmRSS:\t   5120 kB\n"), Some(5120));
        assert_eq!(rss("VmPeak:\t 9 kB\n"), None);
        assert_eq!(on_cpu("1500 20 3\n"), Some(Duration::from_nanos(1500)));
        assert_eq!(on_cpu(""), None);
        let now = Holdings::now().expect("holdings");
        assert!(now.rss_kb > 0 && now.files > 0 && now.threads > 0, "{now:?}");
    }

    #[test]
    fn work_is_that_of_names_since_then() {
        let millis = Duration::from_millis;
        let work = |list: &[(u32, &str, u64)]| {
            Work(list.iter().map(|(id, name, ms)| (*id, ((*name).to_owned(), millis(*ms)))).collect())
        };
        let before = work(&[(1, "net", 10), (2, "ctl", 5)]);
        let after = work(&[(1, "net", 30), (2, "ctl", 6), (3, "ctl", 4)]);
        assert_eq!(after.since(&before), [("net".to_owned(), millis(20)), ("ctl".to_owned(), millis(5))]);
    }
}
