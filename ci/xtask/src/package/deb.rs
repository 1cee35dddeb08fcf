//! The package for Debian and its relatives, from the texts in `deb/`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::manifest::{Format, Manifest};
use super::stage::Stage;
use super::{depends, fill};
use crate::program;

/// The programs whose libraries are looked at.
const PROGRAMS: [&str; 3] = ["punktfunk-host", "punktfunk-seat", "punktfunk-inputd"];

/// What a host needs of the system around it. `setpriv` is in an essential package.
const SYSTEM: [&str; 4] = ["systemd (>= 252)", "libpam-systemd", "udev", "kmod"];

/// Packs what `stage` has laid out.
pub fn build(stage: &Stage, into: &Path) -> Result<PathBuf> {
    let architecture = program::output(Command::new("dpkg").arg("--print-architecture"));
    let architecture = architecture.context("`dpkg --print-architecture` failed")?.trim().to_owned();
    let control = stage.tree.join("DEBIAN");
    fs::create_dir_all(&control)?;
    let mut depends = libraries(stage)?;
    depends.extend(SYSTEM.map(str::to_owned));
    depends.extend(depends::of(Format::Deb)?);
    depends.sort();
    depends.dedup();
    let text = fs::read_to_string(program::root().join("deb/control"))?;
    let values = [
        ("VERSION", stage.version.clone()),
        ("REVISION", stage.revision.to_string()),
        ("ARCHITECTURE", architecture.clone()),
        ("SIZE", super::size(&stage.tree)?.div_ceil(1024).to_string()),
        ("DEPENDS", depends.join(", ")),
    ];
    fs::write(control.join("control"), fill(&text, &values)?)?;
    let config: Vec<_> =
        Manifest::read()?.of(Format::Deb).filter(|it| it.config).map(|it| it.to.clone()).collect();
    fs::write(control.join("conffiles"), config.join("\n") + "\n")?;
    fs::write(control.join("md5sums"), sums(&stage.tree)?)?;
    for script in ["postinst", "prerm", "postrm"] {
        let to = control.join(script);
        fs::copy(program::root().join("deb").join(script), &to)?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
    }
    for text in ["control", "conffiles", "md5sums"] {
        fs::set_permissions(control.join(text), fs::Permissions::from_mode(0o644))?;
    }
    stage.same_modes_and_times(&stage.tree)?;
    let file = into.join(format!("punktfunk_{}-{}_{architecture}.deb", stage.version, stage.revision));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"]).arg(&stage.tree).arg(&file);
    // How many threads pack decides where blocks end.
    pack.env("SOURCE_DATE_EPOCH", stage.epoch.to_string()).env("DPKG_DEB_THREADS_MAX", "1");
    program::must(&mut pack)?;
    // Not part of what is installed.
    fs::remove_dir_all(&control)?;
    Ok(file)
}

/// The changelog of the package, in Debian's form.
pub fn changelog(stage: &Stage) -> Result<String> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", "--date", &format!("@{}", stage.epoch)]).env("LC_ALL", "C");
    let date = program::output(&mut date).context("`date` failed")?;
    Ok(format!(
        "punktfunk ({}-{}) unstable; urgency=medium\n\n  * What changes for people is in changelog.gz.\n\n \
         -- punktfunk <punktfunk@punktfunk.invalid>  {}\n",
        stage.version,
        stage.revision,
        date.trim()
    ))
}

/// The packages that hold the libraries our programs are linked to, with their versions.
fn libraries(stage: &Stage) -> Result<Vec<String>> {
    // The tool wants the source package it usually works in.
    let folder = stage.work.join("debian");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("control"), "Source: punktfunk\n\nPackage: punktfunk\nArchitecture: any\n")?;
    let mut ask = Command::new("dpkg-shlibdeps");
    ask.current_dir(&stage.work).args(["-O", "--warnings=0"]);
    for name in PROGRAMS {
        ask.arg("-e").arg(stage.tree.join("usr/lib/punktfunk").join(name));
    }
    let said = program::output(&mut ask).context("`dpkg-shlibdeps` cannot say what our programs need")?;
    let list = said.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    Ok(list
        .unwrap_or_default()
        .split(',')
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect())
}

fn sums(tree: &Path) -> Result<String> {
    let mut files = Vec::new();
    super::manifest::walk(tree, &mut files)?;
    let inside = |file: &PathBuf| file.strip_prefix(tree).map(Path::to_path_buf);
    let mut names =
        files.iter().filter(|file| !file.is_symlink()).map(inside).collect::<Result<Vec<_>, _>>()?;
    names.retain(|name| !name.starts_with("DEBIAN"));
    let mut sum = Command::new("md5sum");
    program::output(sum.current_dir(tree).args(names)).context("`md5sum` failed")
}
