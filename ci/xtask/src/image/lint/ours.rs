//! What has to be true of our image besides: all of ours is in it, nobody else's key is, and it
//! does nothing by itself that would end a game.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::Check;
use super::bootc::kernels;
use super::tree::{known, lines, text, texts, walk};
use crate::package::manifest::{Format, Manifest};

/// All of them.
pub const CHECKS: [Check; 7] = [
    Check { name: "payload", look: payload },
    Check { name: "kernel-and-modules", look: kernel_and_modules },
    Check { name: "trust", look: trust },
    Check { name: "install-trusts", look: install_trusts },
    Check { name: "set-uid", look: set_uid },
    Check { name: "no-timed-reboot", look: no_timed_reboot },
    Check { name: "units-in-usr", look: units_in_usr },
];

/// Programs of a distribution that are someone else's when they run.
const SET_UID: [&str; 32] = [
    "bwrap",
    "chage",
    "chfn",
    "chsh",
    "crontab",
    "dbus-daemon-launch-helper",
    "expiry",
    "fusermount",
    "fusermount3",
    "gpasswd",
    "grub2-set-bootflag",
    "mount",
    "mount.nfs",
    "mount.cifs",
    "newgidmap",
    "newgrp",
    "newuidmap",
    "pam_timestamp_check",
    "passwd",
    "pkexec",
    "polkit-agent-helper-1",
    "ssh-agent",
    "ssh-keysign",
    "su",
    "sudo",
    "sudoedit",
    "umount",
    "unix_chkpwd",
    "userhelper",
    "utempter",
    "wall",
    "write",
];

/// Everything that the manifest says, with its mode, and root's.
fn payload(root: &Path) -> Result<Vec<String>> {
    // A tree for a test may be somebody else's as a whole.
    let owner = fs::metadata(root)?.uid();
    let mut found = Vec::new();
    for entry in Manifest::read()?.of(Format::Image) {
        let Some(known) = known(root, entry.to.trim_start_matches('/'))? else {
            found.push(format!("{} is not there", entry.to));
            continue;
        };
        let mode = known.permissions().mode() & 0o7777;
        if known.uid() != owner {
            found.push(format!("{} is not root's", entry.to));
        }
        match &entry.link {
            Some(link)
                if fs::read_link(root.join(entry.to.trim_start_matches('/'))).ok().as_deref()
                    != Some(Path::new(link)) =>
            {
                found.push(format!("{} does not lead to {link}", entry.to))
            }
            None if mode != entry.mode()? || !known.is_file() => {
                found.push(format!("{} is not a file with mode {:04o}", entry.to, entry.mode()?));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// A kernel that finds no modules boots into nothing.
fn kernel_and_modules(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for version in kernels(root)? {
        let folder = format!("usr/lib/modules/{version}");
        if known(root, &format!("{folder}/modules.dep"))?.is_none() {
            found.push(format!("/{folder}/modules.dep is not there"));
        }
        let file = root.join(&folder).join("vmlinuz");
        let says = fs::read(&file).ok().and_then(|bytes| says_of_itself(&bytes));
        if let Some(says) = says.filter(|says| *says != version) {
            found.push(format!("the kernel in /{folder} says that it is {says}"));
        }
    }
    Ok(found)
}

/// The version in the header of a kernel for PCs; other machines' kernels have none.
fn says_of_itself(kernel: &[u8]) -> Option<String> {
    if kernel.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let low = usize::from(*kernel.get(0x20e)?);
    let high = usize::from(*kernel.get(0x20f)?);
    let text = kernel.get(0x200 + (high << 8 | low)..)?;
    let word = text.iter().take(200).take_while(|byte| byte.is_ascii_graphic()).copied().collect();
    String::from_utf8(word).ok().filter(|word| !word.is_empty())
}

/// Nobody's images are taken but those that two keys of ours stand for.
fn trust(root: &Path) -> Result<Vec<String>> {
    let path = "etc/containers/policy.json";
    let Some(text) = text(root, path)? else { return Ok(vec![format!("/{path} is not there")]) };
    let policy: Value = match serde_json::from_str(&text) {
        Ok(policy) => policy,
        Err(error) => return Ok(vec![format!("/{path}: {error}")]),
    };
    let mut found = Vec::new();
    if policy["default"] != serde_json::json!([{ "type": "reject" }]) {
        found.push(format!("/{path} takes whatever it does not know"));
    }
    let transports = policy["transports"].as_object().into_iter().flatten();
    for (scope, rules) in transports.flat_map(|(_, scopes)| scopes.as_object().into_iter().flatten()) {
        let rules = rules.as_array().map(Vec::as_slice).unwrap_or_default();
        if rules.is_empty() || rules.iter().any(|rule| rule["type"] != "sigstoreSigned") {
            found.push(format!("/{path} takes {scope} without a signature"));
        }
        for rule in rules {
            found.extend(keys(root, scope, rule)?);
        }
    }
    Ok(found)
}

/// The two keys of a rule, which have to differ.
fn keys(root: &Path, scope: &str, rule: &Value) -> Result<Vec<String>> {
    let paths: Vec<_> = rule["keyPaths"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut keys = Vec::new();
    let mut found = Vec::new();
    for path in paths {
        let key = text(root, path.trim_start_matches('/'))?.unwrap_or_default();
        if !key.contains("BEGIN PUBLIC KEY") {
            found.push(format!("{path}, for {scope}, is no public key"));
        }
        keys.push(key.trim().to_owned());
    }
    keys.sort();
    keys.dedup();
    if keys.len() < 2 {
        found.push(format!("{scope} has {} keys of its own; lose one and machines are stuck", keys.len()));
    }
    Ok(found)
}

/// The first installation checks signatures, not only updates.
fn install_trusts(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut enforced = false;
    for (path, text) in texts(root, "usr/lib/bootc/install", ".toml")? {
        match text.parse::<toml::Table>() {
            Ok(table) => {
                let said = table.get("install").and_then(|it| it.get("enforce-container-sigpolicy"));
                enforced = said.and_then(toml::Value::as_bool).unwrap_or(enforced);
            }
            Err(error) => found.push(format!("/{path}: {}", error.message())),
        }
    }
    if !enforced {
        found.push("nothing in /usr/lib/bootc/install sets enforce-container-sigpolicy".to_owned());
    }
    Ok(found)
}

fn set_uid(root: &Path) -> Result<Vec<String>> {
    let files = walk(root, "")?.into_iter();
    let odd = files.filter(|(path, known)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        known.is_file() && known.permissions().mode() & 0o6000 != 0 && !SET_UID.contains(&name.as_ref())
    });
    Ok(odd.map(|(path, _)| format!("/{} runs as somebody else", path.display())).collect())
}

/// bootc's own timer updates and boots anew, whoever plays.
fn no_timed_reboot(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in ["etc/systemd/system", "usr/lib/systemd/system"] {
        for (path, known) in walk(root, folder)? {
            let link = path.parent().is_some_and(|place| place.to_string_lossy().ends_with(".wants"));
            if known.is_symlink() && link && path.ends_with("bootc-fetch-apply-updates.timer") {
                found.push(format!("/{} updates the machine while somebody plays", path.display()));
            }
        }
    }
    Ok(found)
}

/// What is in /etc is a machine's own: a link there outlives the unit it leads to.
fn units_in_usr(root: &Path) -> Result<Vec<String>> {
    let ours = walk(root, "etc/systemd")?.into_iter().filter(|(path, _)| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("punktfunk"))
    });
    let mut found: Vec<_> =
        ours.map(|(path, _)| format!("/{} is ours and in /etc", path.display())).collect();
    // A masked service of the machine's user would never start again.
    let passwd = text(root, "etc/passwd")?.unwrap_or_default();
    if lines(&passwd).any(|line| line.starts_with("punktfunk:")) {
        found.push("the user punktfunk is in /etc/passwd; every machine makes it when it boots".to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::{Spoil, Tree};
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    const POLICY: &str = "etc/containers/policy.json";

    fn policy(keys: &str) -> String {
        format!(
            r#"{{"default":[{{"type":"reject"}}],"transports":{{"docker":{{"x/y":[
            {{"type":"sigstoreSigned","keyPaths":[{keys}]}}]}}}}}}"#
        )
    }

    /// A kernel for PCs that says which one it is.
    fn kernel(version: &str) -> Vec<u8> {
        let mut bytes = vec![0; 0x400];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&[0x20, 0x01]);
        let text = format!("{version} (somebody)");
        bytes[0x320..0x320 + text.len()].copy_from_slice(text.as_bytes());
        bytes
    }

    /// An image that we have nothing against.
    fn good(name: &str) -> Tree {
        let tree = Tree::new(name);
        for entry in Manifest::read().unwrap().of(Format::Image) {
            let path = entry.to.trim_start_matches('/');
            match &entry.link {
                Some(link) => tree.link(path, link),
                None => tree.file(path, "").mode(path, entry.mode().unwrap()),
            };
        }
        tree.file(
            "usr/lib/bootc/install/10-punktfunk.toml",
            "[install]\nenforce-container-sigpolicy = true\n",
        );
        tree.file("usr/lib/modules/6.1/vmlinuz", kernel("6.1")).file("usr/lib/modules/6.1/modules.dep", "");
        tree.file("etc/keys/a.pub", KEY).file("etc/keys/b.pub", KEY.replace('A', "B"));
        tree.file(POLICY, policy("\"/etc/keys/a.pub\",\"/etc/keys/b.pub\""));
        tree.file("usr/bin/su", "x").mode("usr/bin/su", 0o4755);
        tree.file("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        tree.link(
            "etc/systemd/system/multi-user.target.wants/a.service",
            "/usr/lib/systemd/system/a.service",
        );
        tree
    }

    #[test]
    fn a_good_image_has_no_findings() {
        assert_eq!(good("our-good").found(&CHECKS), Vec::<&str>::new());
        // One for trying things, that takes no images.
        let tree = good("our-closed");
        tree.file(POLICY, r#"{"default":[{"type":"reject"}]}"#);
        assert_eq!(tree.found(&CHECKS), Vec::<&str>::new());
    }

    #[test]
    fn each_fault_is_found_by_the_check_it_is_for() {
        const HOST: &str = "usr/lib/punktfunk/punktfunk-host";
        const TIMER: &str = "bootc-fetch-apply-updates.timer";
        let wants = |place: &str| format!("{place}/systemd/system/timers.target.wants/{TIMER}");
        let spoil: [(&str, Spoil); 20] = [
            ("payload", &|tree| tree.without(HOST)),
            ("payload", &|tree| tree.mode(HOST, 0o700)),
            ("payload", &|tree| tree.without("usr/bin/punktfunk-host").file("usr/bin/punktfunk-host", "")),
            ("payload", &|tree| tree.without("usr/bin/punktfunk-host").link("usr/bin/punktfunk-host", "x")),
            ("kernel-and-modules", &|tree| tree.file("usr/lib/modules/6.1/vmlinuz", kernel("6.2"))),
            ("kernel-and-modules", &|tree| tree.without("usr/lib/modules/6.1/modules.dep")),
            ("trust", &|tree| tree.without(POLICY)),
            ("trust", &|tree| tree.file(POLICY, "{")),
            ("trust", &|tree| tree.file(POLICY, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#)),
            ("trust", &|tree| tree.file(POLICY, policy("\"/etc/keys/a.pub\""))),
            ("trust", &|tree| tree.file(POLICY, policy("\"/etc/keys/a.pub\",\"/etc/keys/c.pub\""))),
            ("trust", &|tree| tree.file("etc/keys/b.pub", "")),
            ("trust", &|tree| tree.file("etc/keys/b.pub", KEY)),
            ("trust", &|tree| {
                let text = policy("").replace("sigstoreSigned", "insecureAcceptAnything");
                tree.file(POLICY, text)
            }),
            ("install-trusts", &|tree| {
                tree.without("usr/lib/bootc/install/10-punktfunk.toml").file(
                    "usr/lib/bootc/install/10-punktfunk.toml",
                    "[install]\nenforce-container-sigpolicy = false\n",
                )
            }),
            ("set-uid", &|tree| tree.file("usr/bin/x", "").mode("usr/bin/x", 0o4755)),
            ("set-uid", &|tree| tree.file("usr/bin/x", "").mode("usr/bin/x", 0o2755)),
            ("no-timed-reboot", &|tree| tree.link(&wants("etc"), "x")),
            ("no-timed-reboot", &|tree| tree.link(&wants("usr/lib"), "x")),
            ("units-in-usr", &|tree| {
                tree.link("etc/systemd/user/default.target.wants/punktfunk-host.service", "x")
            }),
        ];
        for (at, (check, spoil)) in spoil.into_iter().enumerate() {
            let tree = good(&format!("our-fault-{at}"));
            spoil(&tree);
            assert_eq!(tree.found(&CHECKS), [check], "number {at}");
        }
        let tree = good("our-user");
        tree.file("etc/passwd", "punktfunk:x:990:990::/:/bin/false\n");
        assert_eq!(tree.found(&CHECKS), ["units-in-usr"]);
    }

    #[test]
    fn any_bytes_are_a_kernel_that_says_something_or_nothing() {
        assert_eq!(says_of_itself(&kernel("6.1")).as_deref(), Some("6.1"));
        for length in [0, 0x201, 0x206, 0x20f, 0x210, 0x320] {
            assert_eq!(says_of_itself(&kernel("6.1")[..length]), None, "{length}");
        }
        let mut far = kernel("6.1");
        far[0x20e..0x210].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(says_of_itself(&far), None);
    }
}
