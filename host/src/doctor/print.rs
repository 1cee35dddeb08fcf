//! A report for people: by area, worst word first, the summary last.

use std::fmt::Write as _;

use super::{Area, Report, Severity};

/// The report as text; with colours for a terminal.
pub fn print(report: &Report, colours: bool) -> String {
    let mut text = String::new();
    for area in Area::ALL {
        let probes: Vec<_> = report.probes.iter().filter(|probe| probe.area == area).collect();
        if probes.is_empty() {
            continue;
        }
        line(&mut text, &format!("\n{}", area.word()));
        for probe in probes {
            let word = format!("{:<8}", probe.severity.word());
            let word = if colours { format!("{}{word}\x1b[0m", colour(probe.severity)) } else { word };
            line(&mut text, &format!("  {word} {:<22} {}", probe.id, probe.evidence));
            let pad = " ".repeat(34);
            if let Some(fix) = &probe.fix {
                line(&mut text, &format!("{pad}fix: {fix}"));
            }
            if let Some(action) = &probe.fix_action {
                line(&mut text, &format!("{pad}or:  punktfunk-host doctor --fix {action}"));
            }
        }
    }
    let count = |severity| report.count(severity);
    line(
        &mut text,
        &format!(
            "\n{} probes: {} errors, {} warnings, {} worth knowing, {} ok, {} skipped",
            report.probes.len(),
            count(Severity::Error),
            count(Severity::Warning),
            count(Severity::Info),
            count(Severity::Ok),
            count(Severity::Skipped)
        ),
    );
    text.trim_start_matches('\n').to_owned()
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "\x1b[32m",
        Severity::Skipped => "\x1b[2m",
        Severity::Info => "\x1b[36m",
        Severity::Warning => "\x1b[33m",
        Severity::Error => "\x1b[31m",
    }
}

#[cfg(test)]
mod tests {
    use super::super::Probe;
    use super::*;

    #[test]
    fn it_is_grouped_and_ends_with_the_summary() {
        let probe = |id: &str, area, severity, fix: Option<&str>| Probe {
            id: id.into(),
            area,
            title: "T".into(),
            severity,
            evidence: "seen".into(),
            fix: fix.map(str::to_owned),
            fix_action: fix.map(|_| "udp-buffers".to_owned()),
        };
        let probes = vec![
            probe("network.x", Area::Network, Severity::Warning, Some("do it")),
            probe("system.y", Area::System, Severity::Ok, None),
        ];
        let report = Report { ran: Some(1), probes };
        assert_eq!(
            print(&report, false),
            "system\n  ok       system.y               seen\n\n\
             network\n  warning  network.x              seen\n\
             \x20                                 fix: do it\n\
             \x20                                 or:  punktfunk-host doctor --fix udp-buffers\n\n\
             2 probes: 0 errors, 1 warnings, 0 worth knowing, 1 ok, 0 skipped\n"
        );
        assert!(print(&report, true).contains("\x1b[33mwarning \x1b[0m network.x"));
    }
}
