//! What is put into `/etc` so that the current release is there after a restart: one unit
//! that names it in `/run` before systemd merges extensions, and SteamOS's list of files
//! that survive its updates.
//!
//! The link is in `/run` so that the unit decides at every boot: with a switch-off file or
//! kernel argument nothing is merged at all. The unit uses the system's own programs only,
//! waits for nothing, and nothing is ordered to wait for it but the merge.

use std::path::Path;

/// The unit.
pub(super) const UNIT: &str = "punktfunk-sysext.service";
/// Files that keep it off, for an owner with a broken machine and a recovery console.
pub(super) const SWITCHES: [&str; 2] = ["/home/.punktfunk-off", "/etc/punktfunk/off"];
/// The same on the kernel's command line.
pub(super) const KERNEL_SWITCH: &str = "punktfunk=off";

/// The unit's file: lays what `current` names at boot, and ends with an update of SteamOS.
pub(super) fn unit(current: &Path, link: &Path) -> String {
    let (current, link) = (current.display(), link.display());
    let folder = link.to_string();
    let folder = folder.rsplit_once('/').map_or("/run/extensions", |(folder, _)| folder);
    let switches: String = SWITCHES.iter().map(|file| format!("ConditionPathExists=!{file}\n")).collect();
    format!(
        "# Written by `punktfunk-host sysext install`, taken away by `punktfunk-host sysext remove`.\n\
         [Unit]\n\
         Description=Lay punktfunk over /usr\n\
         DefaultDependencies=no\n\
         After=local-fs.target\n\
         Wants=systemd-sysext.service\n\
         Before=systemd-sysext.service\n\
         # SteamOS updates what lies below; it must see only that.\n\
         Conflicts=rauc.service\n\
         Before=rauc.service\n\
         ConditionPathExists={current}\n\
         {switches}\
         ConditionKernelCommandLine=!{KERNEL_SWITCH}\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         TimeoutStartSec=20\n\
         TimeoutStopSec=90\n\
         ExecStart=/usr/bin/mkdir -p {folder}\n\
         ExecStart=/usr/bin/ln -sfn {current} {link}\n\
         ExecStop=-/usr/bin/punktfunk-host sysext unmerge\n\
         ExecStopPost=/usr/bin/rm -f {link}\n\
         ExecStopPost=/usr/bin/systemd-sysext refresh\n\
         \n\
         [Install]\n\
         WantedBy=sysinit.target\n"
    )
}

/// SteamOS keeps of `/etc` what such lists name.
pub(super) const STEAMOS_LIST: &str = "atomic-update.conf.d/punktfunk.conf";

/// That list: itself and our unit.
pub(super) fn steamos_list() -> String {
    format!(
        "/etc/{STEAMOS_LIST}\n/etc/systemd/system/{UNIT}\n/etc/systemd/system/sysinit.target.wants/{UNIT}\n\
         /etc/systemd/system/{STEAMOS_UPDATER}\n"
    )
}

/// What SteamOS's updater is told besides, below `/etc/systemd/system`.
pub(super) const STEAMOS_UPDATER: &str = "rauc.service.d/50-punktfunk.conf";

/// That it and our unit do not go together. Our unit says so, too, but that is only a wish of
/// another unit's: systemd drops it when something else of the same start wants our unit, as
/// sysinit.target does.
pub(super) fn steamos_updater() -> String {
    format!(
        "# Written by `punktfunk-host sysext install`, taken away by `punktfunk-host sysext remove`.\n\
         [Unit]\nConflicts={UNIT}\nAfter={UNIT}\n"
    )
}

/// Whether a kernel's (or a container's init's) command line keeps it off.
pub(super) fn says_off(command_line: &[u8]) -> bool {
    let words = command_line.split(|byte| byte.is_ascii_whitespace() || *byte == 0);
    words.into_iter().any(|word| word == KERNEL_SWITCH.as_bytes())
}

/// A value of a file like `/etc/os-release`.
pub(super) fn release_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.map(|value| value.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_names_what_is_current_and_every_switch() {
        let unit = unit(Path::new("/var/x/current"), Path::new("/run/extensions/punktfunk.raw"));
        assert!(unit.contains("ExecStart=/usr/bin/ln -sfn /var/x/current /run/extensions/punktfunk.raw\n"));
        assert!(unit.contains("ExecStart=/usr/bin/mkdir -p /run/extensions\n"));
        assert!(unit.contains("ConditionPathExists=!/home/.punktfunk-off\n"));
        assert!(unit.contains("ConditionKernelCommandLine=!punktfunk=off\n"));
        assert!(unit.lines().all(|line| line.starts_with('#') || !line.starts_with(' ')));
    }

    #[test]
    fn steamos_keeps_all_that_was_written_there() {
        let list = steamos_list();
        for file in [UNIT, &format!("sysinit.target.wants/{UNIT}"), STEAMOS_UPDATER] {
            assert!(list.lines().any(|line| line == format!("/etc/systemd/system/{file}")), "{file}");
        }
        assert!(steamos_updater().contains(&format!("\nConflicts={UNIT}\n")));
    }

    #[test]
    fn the_kernel_argument_is_a_word_of_its_own() {
        assert!(says_off(b"quiet punktfunk=off\n"));
        assert!(says_off(b"/sbin/init\0punktfunk=off\0"));
        assert!(!says_off(b"quiet punktfunk=offer xpunktfunk=off"));
    }

    #[test]
    fn values_of_os_release_lose_their_quotes() {
        let text = "NAME=\"SteamOS\"\nID=steamos\nID_LIKE='arch'\n";
        assert_eq!(release_value(text, "ID"), Some("steamos"));
        assert_eq!(release_value(text, "ID_LIKE"), Some("arch"));
        assert_eq!(release_value(text, "VERSION_ID"), None);
    }
}
