//! Builds the console into the program: a table of what `web/dist` holds, compressed where
//! that helps. Without `web/dist` the table is empty and the program says how to build it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Endings, content types, and whether compressing helps.
const KINDS: [(&str, &str, bool); 13] = [
    ("css", "text/css; charset=utf-8", true),
    ("gif", "image/gif", false),
    ("html", "text/html; charset=utf-8", true),
    ("ico", "image/x-icon", true),
    ("jpg", "image/jpeg", false),
    ("js", "text/javascript; charset=utf-8", true),
    ("json", "application/json", true),
    ("png", "image/png", false),
    ("svg", "image/svg+xml", true),
    ("txt", "text/plain; charset=utf-8", true),
    ("webmanifest", "application/manifest+json", true),
    ("webp", "image/webp", false),
    ("woff2", "font/woff2", false),
];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    let web = root.join("../web");
    let dist = web.join("dist");
    println!("cargo::rerun-if-changed=build.rs");
    if web.is_dir() && (dist.is_dir() || fs::create_dir(&dist).is_ok()) {
        // What is missing cannot be watched without building anew each time, so an empty
        // folder stands for a console that is not built yet.
        println!("cargo::rerun-if-changed={}", dist.display());
    }
    let mut files = Vec::new();
    collect(&dist, &mut files)?;
    let mut assets: Vec<(String, PathBuf)> = files
        .into_iter()
        .filter_map(|file| {
            let name = file.strip_prefix(&dist).ok()?.to_str()?.replace('\\', "/");
            Some((format!("/{name}"), file))
        })
        .collect();
    assets.sort();
    let mut table = String::from("static ASSETS: &[Asset] = &[\n");
    for (number, (path, file)) in assets.iter().enumerate() {
        let ending = path.rsplit('.').next().unwrap_or_default();
        let kind = KINDS.iter().find(|(known, _, _)| *known == ending);
        let (_, content_type, compresses) = kind.copied().unwrap_or(("", "application/octet-stream", true));
        let bytes = fs::read(file)?;
        let kept = out.join(format!("asset-{number}"));
        fs::write(&kept, if compresses { gzip(&bytes)? } else { bytes.clone() })?;
        writeln!(
            table,
            "    Asset {{ path: {path:?}, content_type: {content_type:?}, etag: \"\\\"{:016x}{:x}\\\"\", gzip: {compresses}, bytes: include_bytes!({kept:?}) }},",
            hash(&bytes),
            bytes.len()
        )
        .map_err(io::Error::other)?;
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table)
}

/// Every file below `dir`; hidden ones and source maps are left out.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') || name.to_string_lossy().ends_with(".map") {
            continue;
        }
        match entry.file_type()? {
            kind if kind.is_dir() => collect(&entry.path(), files)?,
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    // No name and no time in the header, so that the same console is the same bytes.
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes)?;
    writer.finish()
}

/// FNV-1a, 64 bits: tells versions of a file apart, no more.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
