//! Processes of the seat, read from `/proc`: who descends from whom, and who carries
//! the mark of this seat in its environment.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// The variable every process of a seat carries.
pub const MARK: &str = "PUNKTFUNK_SEAT";

/// One line of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// It has ended and waits to be reaped.
    pub zombie: bool,
}

/// The process table as it is now.
pub fn table() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

/// Reads `/proc/PID/stat`. The name in parentheses may hold anything.
fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    Some(Process { pid: pid.parse().ok()?, parent, zombie: matches!(state, "Z" | "X") })
}

/// Everything below `root` in the tree, without the subtrees of `except`.
pub fn descendants(table: &[Process], root: i32, except: &HashSet<i32>) -> Vec<Process> {
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for process in
            table.iter().filter(|p| p.parent == parent && p.pid != root && !except.contains(&p.pid))
        {
            found.push(*process);
            parents.push(process.pid);
        }
    }
    found
}

/// Reaps children that ended, without those of `keep` (somebody else waits for them).
pub fn reap(table: &[Process], keep: &HashSet<i32>) {
    let own = own_pid();
    for process in table.iter().filter(|p| p.parent == own && p.zombie && !keep.contains(&p.pid)) {
        let _ = waitpid(Pid::from_raw(process.pid), WaitOptions::NOHANG);
    }
}

/// Sends a signal; a process that is gone is no error.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid).filter(|_| pid > 1) {
        let _ = kill_process(pid, signal);
    }
}

/// The process id of this process.
pub fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Processes that carry the mark of the seat `id`.
pub fn marked(id: &str) -> Vec<i32> {
    let mark = format!("{MARK}={id}");
    let own = own_pid();
    let carries = |process: &Process| {
        let environment = std::fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    table().iter().filter(|p| !p.zombie && p.pid != own && carries(p)).map(|p| p.pid).collect()
}

/// Runs beside the seat: when the seat is gone (its end of `stdin` closes), ends
/// whatever carries its mark. The seat itself, `pid`, may still be on its way out.
pub fn guard(id: &str, pid: i32) {
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    let start = Instant::now();
    let mut sign = Signal::TERM;
    while start.elapsed() < Duration::from_secs(10) {
        let mut left = marked(id);
        left.retain(|left| *left != pid);
        if left.is_empty() {
            return;
        }
        if start.elapsed() > Duration::from_secs(2) {
            sign = Signal::KILL;
        }
        left.into_iter().for_each(|pid| signal(pid, sign));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_may_hold_anything() {
        let process = Process { pid: 42, parent: 7, zombie: true };
        assert_eq!(parse_stat("42 (a) Z 1 (b)) Z 7 42 42 0"), Some(process));
        assert_eq!(parse_stat("42 (x"), None);
    }

    #[test]
    fn subtrees_of_services_are_left_out() {
        let entry = |pid, parent| Process { pid, parent, zombie: false };
        let table = [entry(2, 1), entry(3, 2), entry(4, 1), entry(5, 4), entry(9, 8)];
        let pids = |except: &[i32]| {
            let mut pids: Vec<_> =
                descendants(&table, 1, &except.iter().copied().collect()).iter().map(|p| p.pid).collect();
            pids.sort_unstable();
            pids
        };
        assert_eq!(pids(&[]), [2, 3, 4, 5]);
        assert_eq!(pids(&[2]), [4, 5]);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: String) {
            let _ = parse_stat(&line);
        }
    }
}
