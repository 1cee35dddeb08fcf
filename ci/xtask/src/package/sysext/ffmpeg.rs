//! The FFmpeg that is shipped: the distribution's source with only what the host uses,
//! under the LGPL (`sysext/ffmpeg.toml`). Debian's own build is under the GPL and brings a
//! hundred libraries. Built once for a recipe and a version of the headers.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::program;

/// Where it lies on the system, and so what it says of itself.
const PREFIX: &str = "/usr/lib/punktfunk";

#[derive(Debug, Deserialize, Hash)]
#[serde(deny_unknown_fields)]
struct Recipe {
    /// The source package.
    source: String,
    /// The package whose headers the host was built with.
    headers: String,
    /// Parts that become libraries.
    libraries: Vec<String>,
    configure: Vec<String>,
}

/// Builds it below `folder` unless that was done, and returns where the libraries are.
pub fn build(folder: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(program::root().join("sysext/ffmpeg.toml"))?;
    let recipe: Recipe = toml::from_str(&text).context("reading sysext/ffmpeg.toml")?;
    let mut query = Command::new("dpkg-query");
    let headers = program::output(query.args(["-W", "-f", "${Version}", &recipe.headers]));
    let Some(headers) = headers else {
        bail!(
            "the private FFmpeg is built on Debian and its relatives only, with {} installed",
            recipe.headers
        );
    };
    let mut hasher = DefaultHasher::new();
    (&recipe, &headers).hash(&mut hasher);
    let folder = folder.join(format!("ffmpeg-{:016x}", hasher.finish()));
    let libraries = folder.join("lib");
    if libraries.is_dir() {
        return Ok(libraries);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    println!("ffmpeg: building {} for the headers {headers}; this happens once", recipe.source);
    let source = fetch(&folder, &recipe)?;
    let mut configure = Command::new(source.join("configure"));
    configure.arg(format!("--prefix={PREFIX}")).arg(format!("--libdir={PREFIX}/lib")).args(&recipe.configure);
    program::must(configure.current_dir(&source))?;
    let config = fs::read_to_string(source.join("config.h"))?;
    ensure!(
        config.contains("#define FFMPEG_LICENSE \"LGPL version 2.1 or later\""),
        "this FFmpeg would be under the GPL; look at sysext/ffmpeg.toml"
    );
    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    let mut make = Command::new("make");
    program::must(make.arg("--silent").arg(format!("-j{jobs}")).current_dir(&source))?;
    let fresh = folder.join("lib.new");
    fs::create_dir_all(&fresh)?;
    for part in &recipe.libraries {
        let built = soname(&source.join(part), part)?;
        let to = fresh.join(built.file_name().context("a library without a name")?);
        let mut strip = Command::new("strip");
        program::must(
            strip.args(["--strip-unneeded", "--remove-section=.comment", "-o"]).arg(&to).arg(&built),
        )?;
    }
    // Whole or not at all.
    fs::rename(&fresh, &libraries)?;
    Ok(libraries)
}

/// `libavcodec.so.59`: the name under which it is looked for.
fn soname(folder: &Path, part: &str) -> Result<PathBuf> {
    let wanted = format!("{part}.so.");
    let found = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.strip_prefix(&wanted).is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
    });
    found.with_context(|| format!("{} was not built", part))
}

/// The source as the distribution patches it. The lists of sources go into a folder of
/// ours, so that nothing of the machine is changed.
fn fetch(folder: &Path, recipe: &Recipe) -> Result<PathBuf> {
    let policy = program::output(Command::new("apt-cache").args(["policy", &recipe.headers]));
    let list = sources(&policy.unwrap_or_default());
    ensure!(!list.is_empty(), "apt knows no archive with {}; run apt-get update", recipe.headers);
    let file = folder.join("sources.list");
    fs::write(&file, list)?;
    let state = folder.join("apt");
    fs::create_dir_all(state.join("lists/partial"))?;
    let apt = |words: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.arg("-q").arg("-o").arg(format!("Dir::Etc::SourceList={}", file.display()));
        apt.args(["-o", "Dir::Etc::SourceParts=/dev/null", "-o", "APT::Sandbox::User=root"]);
        apt.arg("-o").arg(format!("Dir::State::Lists={}", state.join("lists").display()));
        apt.arg("-o").arg(format!("Dir::Cache::srcpkgcache={}", state.join("srcpkgcache.bin").display()));
        apt.arg("-o").arg(format!("Dir::Cache::pkgcache={}", state.join("pkgcache.bin").display()));
        apt.args(words).current_dir(folder);
        apt
    };
    program::must(&mut apt(&["update"])).context("asking for the archive's list of sources")?;
    program::must(&mut apt(&["source", "--download-only", "--only-source", &recipe.source]))?;
    let mut found = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let description = found.find(|path| path.extension().is_some_and(|extension| extension == "dsc"));
    let description = description.context("apt-get brought no source")?;
    let source = folder.join("source");
    let mut unpack = Command::new("dpkg-source");
    program::must(unpack.args(["--no-check", "--extract"]).arg(description).arg(&source))?;
    Ok(source)
}

/// The archives that hold a package, asked for sources, from what `apt-cache policy` says.
fn sources(policy: &str) -> String {
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let signed = if Path::new(keys).is_file() { format!("[signed-by={keys}] ") } else { String::new() };
    let mut lines: Vec<_> = policy
        .lines()
        .filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            // Priority, address, suite/component, architecture, "Packages".
            let [priority, address, place, _, "Packages"] = words[..] else { return None };
            priority.parse::<i32>().ok()?;
            let (suite, component) = place.rsplit_once('/')?;
            Some(format!("deb-src {signed}{address} {suite} {component}\n"))
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archives_of_a_package_are_asked_for_its_source() {
        let policy = "\
libavcodec-dev:
  Installed: 7:5.1.9-0+deb12u1
  Version table:
 *** 7:5.1.9-0+deb12u1 500
        500 mirror://archive/debian bookworm/main amd64 Packages
        500 mirror://archive/security bookworm-security/main amd64 Packages
        100 /var/lib/dpkg/status
";
        let list = sources(policy);
        assert_eq!(list.lines().count(), 2);
        assert!(list.lines().all(|line| line.starts_with("deb-src ")), "{list}");
        assert!(list.contains("mirror://archive/debian bookworm main\n"));
        assert_eq!(sources("N: Unable to locate package"), "");
    }

    #[test]
    fn the_recipe_is_under_the_lgpl() {
        let text = fs::read_to_string(program::root().join("sysext/ffmpeg.toml")).unwrap();
        let recipe: Recipe = toml::from_str(&text).unwrap();
        assert!(recipe.configure.iter().all(|flag| !flag.contains("gpl") && !flag.contains("nonfree")));
        assert!(recipe.configure.contains(&"--disable-everything".to_owned()));
    }
}
