//! What bootc's own lint looks for, written anew from what it does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Check;
use super::tree::{known, lines, names, text, texts, walk};

/// All of them, under bootc's names.
pub const CHECKS: [Check; 14] = [
    Check { name: "var-run", look: var_run },
    Check { name: "etc-usretc", look: etc_usretc },
    Check { name: "bootc-kargs", look: kargs },
    Check { name: "kernel", look: kernel },
    Check { name: "utf8", look: utf8 },
    Check { name: "api-base-directories", look: api_base_directories },
    Check { name: "baseimage-root", look: baseimage_root },
    Check { name: "baseimage-composefs", look: baseimage_composefs },
    Check { name: "buildah-injected", look: buildah_injected },
    Check { name: "var-log", look: var_log },
    Check { name: "var-tmpfiles", look: var_tmpfiles },
    Check { name: "sysusers", look: sysusers },
    Check { name: "nonempty-boot", look: nonempty_boot },
    Check { name: "nonempty-run-tmp", look: nonempty_run_tmp },
];

/// What systemd and bootc mount over, or keep.
const BASE: [&str; 6] = ["dev", "proc", "sys", "run", "tmp", "var"];

fn var_run(root: &Path) -> Result<Vec<String>> {
    let folder = known(root, "var/run")?.is_some_and(|run| !run.is_symlink());
    Ok(said(folder, "/var/run is not a link to /run"))
}

fn etc_usretc(root: &Path) -> Result<Vec<String>> {
    let both = known(root, "etc")?.is_some() && known(root, "usr/etc")?.is_some();
    Ok(said(both, "/usr/etc is made when the image is installed; only /etc may be in it"))
}

fn kargs(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (path, text) in texts(root, "usr/lib/bootc/kargs.d", ".toml")? {
        if let Err(why) = kernel_arguments(&text) {
            found.push(format!("/{path}: {why}"));
        }
    }
    Ok(found)
}

/// `kargs`, and on which machines: both are lists of words, and nothing else is known.
fn kernel_arguments(text: &str) -> Result<(), String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    if !table.contains_key("kargs") {
        return Err("names no `kargs`".to_owned());
    }
    for (key, value) in &table {
        if !matches!(key.as_str(), "kargs" | "match-architectures") {
            return Err(format!("knows nothing of `{key}`"));
        }
        let words = value.as_array().is_some_and(|words| words.iter().all(toml::Value::is_str));
        if !words {
            return Err(format!("`{key}` is no list of words"));
        }
    }
    Ok(())
}

/// The kernels of an image, by their versions.
pub fn kernels(root: &Path) -> Result<Vec<String>> {
    let folder = "usr/lib/modules";
    let mut kernels = names(root, folder)?;
    kernels.retain(|name| root.join(folder).join(name).is_dir());
    Ok(kernels)
}

fn kernel(root: &Path) -> Result<Vec<String>> {
    let kernels = kernels(root)?;
    let [version] = kernels.as_slice() else {
        return Ok(vec![format!("one kernel in /usr/lib/modules, not {kernels:?}")]);
    };
    let mut found = Vec::new();
    for name in ["vmlinuz", "initramfs.img"] {
        let path = format!("usr/lib/modules/{version}/{name}");
        let there = known(root, &path)?.is_some_and(|file| file.is_file() && file.len() > 0);
        found.extend(said(!there, &format!("/{path} is not there")));
    }
    Ok(found)
}

fn utf8(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (path, known) in walk(root, "")? {
        if path.to_str().is_none() {
            found.push(format!("the name {path:?} is no text"));
        }
        if known.is_symlink() && fs::read_link(root.join(&path))?.to_str().is_none() {
            found.push(format!("{path:?} leads to a name that is no text"));
        }
    }
    Ok(found)
}

fn api_base_directories(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in BASE {
        let folder = known(root, name)?.is_some_and(|known| known.is_dir());
        found.extend(said(!folder, &format!("/{name} is not a folder")));
    }
    Ok(found)
}

fn baseimage_root(root: &Path) -> Result<Vec<String>> {
    use std::os::unix::fs::PermissionsExt;
    let sysroot = known(root, "sysroot")?;
    let open = sysroot.is_some_and(|known| known.is_dir() && known.permissions().mode() & 0o7777 == 0o755);
    let mut found = said(!open, "/sysroot is not a folder with mode 0755");
    let link = fs::read_link(root.join("ostree")).is_ok_and(|to| to == Path::new("sysroot/ostree"));
    found.extend(said(!link, "/ostree is not a link to sysroot/ostree"));
    Ok(found)
}

fn baseimage_composefs(root: &Path) -> Result<Vec<String>> {
    let text = text(root, "usr/lib/ostree/prepare-root.conf")?.unwrap_or_default();
    let mut section = "";
    let mut enabled = false;
    for line in lines(&text) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = line.split_once('=')
            && (section, key.trim()) == ("composefs", "enabled")
        {
            enabled = matches!(value.trim(), "yes" | "true" | "1" | "verity" | "signed");
        }
    }
    Ok(said(!enabled, "/usr/lib/ostree/prepare-root.conf does not switch composefs on"))
}

fn buildah_injected(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in ["etc/hostname", "etc/resolv.conf"] {
        let empty = known(root, path)?.is_some_and(|file| file.is_file() && file.len() == 0);
        found.extend(said(empty, &format!("/{path} is empty: left there by what builds images")));
    }
    Ok(found)
}

fn var_log(root: &Path) -> Result<Vec<String>> {
    let logs = walk(root, "var/log")?;
    let full = logs.iter().filter(|(_, known)| known.is_file() && known.len() > 0);
    Ok(full.map(|(path, _)| format!("/{} has something in it", path.display())).collect())
}

fn var_tmpfiles(root: &Path) -> Result<Vec<String>> {
    let mut rules = BTreeSet::new();
    for (_, text) in texts(root, "usr/lib/tmpfiles.d", ".conf")? {
        let path = |line: &str| line.split_whitespace().nth(1).map(|path| path.trim_matches('"').to_owned());
        rules.extend(lines(&text).filter_map(path).map(|path| path.trim_end_matches('/').to_owned()));
    }
    let mut found = Vec::new();
    for (path, known) in walk(root, "var")? {
        let full = format!("/{}", path.display());
        if !known.is_dir() && !known.is_symlink() {
            found.push(format!("{full} reaches a machine once and is never updated"));
        } else if !rules.contains(&full) {
            found.push(format!("nothing in /usr/lib/tmpfiles.d makes {full}"));
        }
    }
    Ok(found)
}

fn sysusers(root: &Path) -> Result<Vec<String>> {
    let (mut users, mut groups) = (BTreeSet::new(), BTreeSet::new());
    for (_, text) in texts(root, "usr/lib/sysusers.d", ".conf")? {
        for line in lines(&text) {
            let mut words = line.split_whitespace();
            let (Some(kind), Some(name)) = (words.next(), words.next()) else { continue };
            if kind.starts_with('u') {
                users.insert(name.to_owned());
            }
            // A user has a group of its name, too.
            if kind.starts_with(['u', 'g']) {
                groups.insert(name.to_owned());
            }
        }
    }
    let mut found = Vec::new();
    for (file, rules, kind) in [("etc/passwd", users, "user"), ("etc/group", groups, "group")] {
        let text = text(root, file)?.unwrap_or_default();
        let accounts = lines(&text).filter_map(|line| line.split(':').next()).filter(|name| *name != "root");
        let unknown = accounts.filter(|name| !rules.contains(*name));
        found.extend(unknown.map(|name| format!("nothing in /usr/lib/sysusers.d makes the {kind} {name}")));
    }
    Ok(found)
}

fn nonempty_boot(root: &Path) -> Result<Vec<String>> {
    if !known(root, "boot")?.is_some_and(|boot| boot.is_dir()) {
        return Ok(vec!["/boot is not there".to_owned()]);
    }
    Ok(names(root, "boot")?.iter().map(|name| format!("/boot has {name} in it")).collect())
}

fn nonempty_run_tmp(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in ["run", "tmp"] {
        found.extend(names(root, folder)?.iter().map(|name| format!("/{folder} has {name} in it")));
    }
    Ok(found)
}

/// A finding, if it is one.
fn said(wrong: bool, what: &str) -> Vec<String> {
    if wrong { vec![what.to_owned()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::super::tree::made_up::{Spoil, Tree};
    use super::*;

    /// An image that bootc has nothing against.
    fn good(name: &str) -> Tree {
        let tree = Tree::new(name);
        for folder in BASE.iter().chain(&["boot", "sysroot", "var/log/journal", "etc"]) {
            tree.folder(folder);
        }
        tree.mode("sysroot", 0o755).link("ostree", "sysroot/ostree").link("var/run", "../run");
        tree.file("usr/lib/modules/6.1/vmlinuz", "k").file("usr/lib/modules/6.1/initramfs.img", "i");
        tree.file(
            "usr/lib/bootc/kargs.d/1.toml",
            "kargs = ['quiet', 'a=1']\nmatch-architectures = ['x86_64']\n",
        );
        tree.file("usr/lib/ostree/prepare-root.conf", "# x\n[composefs]\nenabled = yes\n");
        tree.file(
            "usr/lib/tmpfiles.d/a.conf",
            "# x\nd /var/log 0755\nd /var/log/journal/ 2755 - -\nL /var/run - - - - ../run\n",
        );
        tree.file("usr/lib/sysusers.d/a.conf", "u! bus - \"B\"\ng tape 26\n");
        tree.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nbus:x:9:9::/:/bin/false\n");
        tree.file("etc/group", "root:x:0:\nbus:x:9:\ntape:x:26:\n");
        tree.file("etc/hostname", "box\n");
        tree
    }

    #[test]
    fn a_good_image_has_no_findings() {
        assert_eq!(good("good").found(&CHECKS), Vec::<&str>::new());
    }

    #[test]
    fn each_fault_is_found_by_the_check_it_is_for() {
        let odd = OsStr::from_bytes(b"usr/\xff");
        let spoil: [(&str, Spoil); 26] = [
            ("var-run", &|tree| {
                tree.without("var/run").folder("var/run").file("usr/lib/tmpfiles.d/b.conf", "d /var/run\n")
            }),
            ("etc-usretc", &|tree| tree.folder("usr/etc")),
            ("bootc-kargs", &|tree| tree.file("usr/lib/bootc/kargs.d/2.toml", "kargs = 'quiet'\n")),
            ("bootc-kargs", &|tree| tree.file("usr/lib/bootc/kargs.d/2.toml", "kargs = [1]\n")),
            ("bootc-kargs", &|tree| tree.file("usr/lib/bootc/kargs.d/2.toml", "kargs = []\nwhen = []\n")),
            ("bootc-kargs", &|tree| tree.file("usr/lib/bootc/kargs.d/2.toml", "kargs = [\n")),
            ("bootc-kargs", &|tree| tree.file("usr/lib/bootc/kargs.d/2.toml", "\n")),
            ("kernel", &|tree| tree.folder("usr/lib/modules/6.2")),
            ("kernel", &|tree| tree.without("usr/lib/modules/6.1")),
            ("kernel", &|tree| tree.without("usr/lib/modules/6.1/initramfs.img")),
            ("kernel", &|tree| tree.file("usr/lib/modules/6.1/vmlinuz", "")),
            ("utf8", &|tree| tree.file(odd, "x")),
            ("utf8", &|tree| tree.link("usr/link", odd)),
            ("api-base-directories", &|tree| tree.without("dev")),
            ("api-base-directories", &|tree| tree.without("proc").file("proc", "x")),
            ("baseimage-root", &|tree| tree.mode("sysroot", 0o700)),
            ("baseimage-root", &|tree| tree.without("ostree").link("ostree", "/sysroot/ostree")),
            ("baseimage-composefs", &|tree| tree.without("usr/lib/ostree/prepare-root.conf")),
            ("baseimage-composefs", &|tree| {
                tree.file("usr/lib/ostree/prepare-root.conf", "[composefs]\nenabled=no\n[x]\nenabled=yes\n")
            }),
            ("buildah-injected", &|tree| tree.file("etc/hostname", "")),
            ("var-tmpfiles", &|tree| tree.folder("var/lib")),
            ("var-tmpfiles", &|tree| tree.link("var/x", "y")),
            ("sysusers", &|tree| tree.file("etc/passwd", "tape:x:26:26::/:/bin/false\n")),
            ("sysusers", &|tree| tree.file("etc/group", "audio:x:29:\n")),
            ("nonempty-boot", &|tree| tree.file("boot/vmlinuz", "k")),
            ("nonempty-run-tmp", &|tree| tree.file("run/x", "")),
        ];
        for (at, (check, spoil)) in spoil.into_iter().enumerate() {
            let tree = good(&format!("fault-{at}"));
            spoil(&tree);
            assert_eq!(tree.found(&CHECKS), [check], "number {at}");
        }
        // A log is something in /var, besides.
        let tree = good("log");
        tree.file("var/log/dpkg.log", "x");
        assert_eq!(tree.found(&CHECKS), ["var-log", "var-tmpfiles"]);
    }
}
