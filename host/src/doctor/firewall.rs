//! Is a firewall on, and are the host's ports open, as far as this user can see.

use super::Finding;
use super::machine::{Machine, SOON};
use super::network::{Port, of_host};

/// The ports as this firewall's own command opens them.
type Command = fn(&[Port]) -> String;

fn firewalld_command(ports: &[Port]) -> String {
    let each: Vec<_> = ports.iter().map(|(kind, port, _)| format!("--add-port={port}/{kind}")).collect();
    format!("sudo firewall-cmd --permanent {} && sudo firewall-cmd --reload", each.join(" "))
}

fn ufw_command(ports: &[Port]) -> String {
    let each: Vec<_> = ports.iter().map(|(kind, port, _)| format!("sudo ufw allow {port}/{kind}")).collect();
    each.join(" && ")
}

fn nft_command(ports: &[Port]) -> String {
    let of = |kind: &str| {
        let all: Vec<_> = ports.iter().filter(|port| port.0 == kind).map(|port| port.1.to_string()).collect();
        all.join(", ")
    };
    format!(
        "add to the input chain of /etc/nftables.conf: `udp dport {{ {} }} accept` and `tcp dport {{ {} }} accept`",
        of("udp"),
        of("tcp")
    )
}

pub(super) fn firewall(machine: &Machine) -> Finding {
    let ports = of_host(machine);
    let found =
        firewalld(machine, &ports).or_else(|| ufw(machine, &ports)).or_else(|| nftables(machine, &ports));
    found.unwrap_or_else(|| Finding::ok("none that this user can see"))
}

fn told(name: &str, closed: &[Port], all: usize, command: Command) -> Finding {
    if closed.is_empty() {
        return Finding::ok(format!("{name} is on, all {all} ports of this host are open"));
    }
    let list: Vec<_> = closed.iter().map(|(kind, port, _)| format!("{port}/{kind}")).collect();
    Finding::warning(format!("{name} is on and closes {}", list.join(", ")), command(closed))
}

fn unseen(name: &str, ports: &[Port], command: Command) -> Finding {
    Finding::info(format!("{name} is on; whether the ports are open only root can see"))
        .with_fix(command(ports))
}

fn firewalld(machine: &Machine, ports: &[Port]) -> Option<Finding> {
    let state = machine.ask("firewall-cmd", &["--state"], SOON)?;
    if !state.text.contains("running") || state.text.contains("not running") {
        return None;
    }
    let mut closed = Vec::new();
    for port in ports {
        let query = format!("--query-port={}/{}", port.1, port.0);
        match machine.ask("firewall-cmd", &[&query], SOON) {
            Some(ran) if ran.ok => {}
            Some(ran) if ran.text.trim() == "no" => closed.push(*port),
            _ => return Some(unseen("firewalld", ports, firewalld_command)),
        }
    }
    Some(told("firewalld", &closed, ports.len(), firewalld_command))
}

fn ufw(machine: &Machine, ports: &[Port]) -> Option<Finding> {
    let settings = machine.read("etc/ufw/ufw.conf")?;
    if !settings.lines().any(|line| line.trim().eq_ignore_ascii_case("enabled=yes")) {
        return None;
    }
    let Some(rules) = machine.read("etc/ufw/user.rules") else {
        return Some(unseen("ufw", ports, ufw_command));
    };
    let open = |(kind, port, _): &Port| {
        rules.lines().filter_map(|line| line.strip_prefix("### tuple ### allow ")).any(|rule| {
            let mut words = rule.split_whitespace();
            let (rule_kind, rule_port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            (rule_kind == "any" || rule_kind == *kind) && covers(rule_port, *port)
        })
    };
    let closed: Vec<Port> = ports.iter().filter(|port| !open(port)).copied().collect();
    Some(told("ufw", &closed, ports.len(), ufw_command))
}

/// Whether `5`, `5:9`, `any` or a list of those has the port.
fn covers(rule: &str, port: u16) -> bool {
    rule.split(',').any(|part| match part.split_once([':', '-']) {
        _ if part == "any" => true,
        Some((low, high)) => {
            let number = |text: &str| text.parse::<u16>().ok();
            number(low).zip(number(high)).is_some_and(|(low, high)| (low..=high).contains(&port))
        }
        None => part.parse() == Ok(port),
    })
}

fn nftables(machine: &Machine, ports: &[Port]) -> Option<Finding> {
    match machine.ask("nft", &["list", "ruleset"], SOON) {
        Some(ran) if ran.ok => {
            let chain = input_chain(&ran.text)?;
            let open = |port: &&Port| {
                chain.lines().any(|line| {
                    let Some((before, after)) = line.split_once("dport") else { return false };
                    let list = after.split("accept").next().unwrap_or_default();
                    let list: String =
                        list.chars().filter(|c| !c.is_whitespace() && !"{}".contains(*c)).collect();
                    line.contains("accept") && before.contains(port.0) && covers(&list, port.1)
                })
            };
            let closed: Vec<Port> = ports.iter().filter(|port| !open(port)).copied().collect();
            Some(told("nftables", &closed, ports.len(), nft_command))
        }
        _ => {
            let state = machine.ask("systemctl", &["is-active", "nftables"], SOON)?;
            (state.text.trim() == "active").then(|| unseen("nftables", ports, nft_command))
        }
    }
}

/// The chain that decides about what arrives and refuses what it does not name; `None` when
/// there is none.
fn input_chain(rules: &str) -> Option<&str> {
    rules.split("chain ").find(|chain| {
        let refuses = chain.contains("policy drop")
            || chain.lines().any(|line| {
                let line = line.trim();
                line == "drop"
                    || line.starts_with("reject")
                    || line.starts_with("counter") && line.ends_with("drop")
            });
        chain.contains("hook input") && refuses
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Severity::{Info, Ok, Warning};
    use super::super::tests::Stand;
    use super::*;

    #[test]
    fn without_a_firewall_all_is_well() {
        let stand = Stand::new();
        assert_eq!(firewall(&stand.machine()), Finding::ok("none that this user can see"));
        stand.program("firewall-cmd", "echo not running >&2; exit 252");
        stand.file("etc/ufw/ufw.conf", "ENABLED=no\n");
        stand.program(
            "nft",
            "echo 'table inet x {'; echo 'chain input { type filter hook input priority 0; policy accept; }'",
        );
        assert_eq!(firewall(&stand.machine()).severity, Ok);
    }

    #[test]
    fn firewalld_is_asked_for_each_port() {
        let stand = Stand::new();
        stand.program(
            "firewall-cmd",
            "case $1 in --state) echo running;; *9777/udp) echo yes;; *) echo no; exit 1;; esac",
        );
        let found = firewall(&stand.machine());
        assert_eq!(found.severity, Warning);
        assert!(found.evidence.contains("47989/tcp") && !found.evidence.contains("9777"), "{found:?}");
        assert!(found.fix.unwrap().contains("--add-port=47998/udp"));
        stand.program("firewall-cmd", "case $1 in --state) echo running;; *) echo yes;; esac");
        assert_eq!(firewall(&stand.machine()).severity, Ok);
        stand.program(
            "firewall-cmd",
            "case $1 in --state) echo running;; *) echo Authorization failed; exit 1;; esac",
        );
        assert_eq!(firewall(&stand.machine()).severity, Info);
    }

    #[test]
    fn ufw_is_read_where_it_can_be() {
        let stand = Stand::new();
        stand.file("etc/ufw/ufw.conf", "ENABLED=yes\n");
        assert_eq!(firewall(&stand.machine()).severity, Info);
        stand.file("etc/ufw/user.rules", "### tuple ### allow tcp 47984:48010 0.0.0.0/0 any 0.0.0.0/0 in\n### tuple ### allow any 9777 0.0.0.0/0 any\n");
        let found = firewall(&stand.machine());
        assert_eq!(found.evidence, "ufw is on and closes 47998/udp, 47999/udp, 48000/udp");
        assert_eq!(
            found.fix.unwrap(),
            "sudo ufw allow 47998/udp && sudo ufw allow 47999/udp && sudo ufw allow 48000/udp"
        );
    }

    #[test]
    fn nftables_is_read_by_root_and_asked_for_by_others() {
        let stand = Stand::new();
        let rules = "table inet filter {\n chain input {\n type filter hook input priority 0; policy drop;\n tcp dport { 47984-48010 } accept\n udp dport 9777 accept\n }\n}\n";
        stand.file("rules", rules);
        stand.program("nft", &format!("cat {}", stand.root().join("rules").display()));
        assert_eq!(
            firewall(&stand.machine()).evidence,
            "nftables is on and closes 47998/udp, 47999/udp, 48000/udp"
        );
        stand.program("nft", "exit 1");
        assert_eq!(firewall(&stand.machine()).severity, Ok);
        stand.program("systemctl", "echo active");
        assert_eq!(firewall(&stand.machine()).severity, Info);
    }

    proptest! {
        #[test]
        fn any_rules_are_survived(text: String, port: u16) {
            let _ = covers(&text, port);
            let _ = input_chain(&text);
        }
    }
}
