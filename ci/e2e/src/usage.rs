//! What processes cost, read from `/proc`: processor time by thread to the nanosecond,
//! memory by kind, and how often threads were woken.
//!
//! Threads that ended between two looks are not in the second one, and their last
//! moments are counted nowhere: look at what runs steadily.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Sub;

/// What one thread, or several, used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Processor time, user and kernel, nanoseconds.
    pub cpu_ns: u64,
    /// How often it slept and was woken (voluntary switches).
    pub wakes: u64,
}

/// A look at all threads of some processes.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// By thread id: the thread's name, cut at 15 bytes by the kernel, and its use.
    threads: BTreeMap<u32, (String, Used)>,
}

impl Look {
    /// At the processes with these ids. What is gone has no threads.
    pub fn at(processes: impl IntoIterator<Item = u32>) -> Self {
        let mut threads = BTreeMap::new();
        for process in processes {
            let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
            for task in tasks.flatten() {
                let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
                let Some(id) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
                let used = Used {
                    cpu_ns: first_number(&read("schedstat")),
                    wakes: field(&read("status"), "voluntary_ctxt_switches:"),
                };
                threads.insert(id, (read("comm").trim().to_owned(), used));
            }
        }
        Self { threads }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// All threads together.
    pub fn total(&self) -> Used {
        self.of(|_| true)
    }

    /// The threads whose name is wanted.
    pub fn of(&self, wanted: impl Fn(&str) -> bool) -> Used {
        let wanted = self.threads.values().filter(|(name, _)| wanted(name));
        wanted.fold(Used::default(), |sum, (_, used)| Used {
            cpu_ns: sum.cpu_ns + used.cpu_ns,
            wakes: sum.wakes + used.wakes,
        })
    }

    /// Use by name, the largest first.
    pub fn by_name(&self) -> Vec<(&str, Used)> {
        let mut names: Vec<&str> = self.threads.values().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut all: Vec<_> = names.into_iter().map(|name| (name, self.of(|other| other == name))).collect();
        all.sort_by_key(|(_, used)| std::cmp::Reverse(used.cpu_ns));
        all
    }
}

impl Sub for &Look {
    type Output = Look;

    /// What was used since the `earlier` look, by the threads that live now.
    fn sub(self, earlier: Self) -> Look {
        let since = |(id, (name, now)): (&u32, &(String, Used))| {
            let before = earlier.threads.get(id).map(|(_, used)| *used).unwrap_or_default();
            let used = Used {
                cpu_ns: now.cpu_ns.saturating_sub(before.cpu_ns),
                wakes: now.wakes.saturating_sub(before.wakes),
            };
            (*id, (name.clone(), used))
        };
        Look { threads: self.threads.iter().map(since).collect() }
    }
}

/// Memory of one process that is in RAM, kilobytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Its own: heap and stacks.
    pub own: u64,
    /// Mapped from files: programs and libraries, shared with others of their kind.
    pub file: u64,
    /// Shared with other processes: the pictures of the seats.
    pub shared: u64,
}

impl Memory {
    /// Of the process with this id; zero when it is gone.
    pub fn of(process: u32) -> Self {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default())
    }

    fn parse(status: &str) -> Self {
        Self {
            own: field(status, "RssAnon:"),
            file: field(status, "RssFile:"),
            shared: field(status, "RssShmem:"),
        }
    }
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn field(status: &str, name: &str) -> u64 {
    status.lines().find_map(|line| line.strip_prefix(name)).map_or(0, first_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_apart_by_its_kind() {
        let status = "Name:\tx\nRssAnon:\t    12 kB\nRssFile:\t  300 kB\nRssShmem:\t 7 kB\n";
        assert_eq!(Memory::parse(status), Memory { own: 12, file: 300, shared: 7 });
        assert_eq!(Memory::parse("RssAnon: many"), Memory::default());
        assert!(Memory::of(std::process::id()).own > 0);
    }

    #[test]
    fn work_is_seen_in_the_thread_that_does_it() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let (seen, process) = (std::sync::Arc::clone(&stop), std::process::id());
        let worker = std::thread::Builder::new().name("usage-worker".into());
        let work = move || {
            while !seen.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        };
        let worker = worker.spawn(work).unwrap();
        let used = |look: &Look| look.of(|name| name == "usage-worker").cpu_ns;
        let before = Look::at([process]);
        while used(&(&Look::at([process]) - &before)) == 0 {
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        worker.join().unwrap();
        // The kernel may list a thread a moment longer than it can be joined.
        while Look::at([process]).by_name().iter().any(|(name, _)| *name == "usage-worker") {
            std::thread::yield_now();
        }
        assert_eq!(used(&(&Look::at([process]) - &before)), 0);
    }
}
