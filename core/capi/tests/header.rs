//! The header is made from the sources, committed, and says exactly what the library
//! exports.
//!
//! After a change of the interface:
//! `PUNKTFUNK_WRITE_HEADER=1 cargo test -p punktfunk-capi --test header`.

mod built;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use object::{Object, ObjectSymbol};

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// The header, as the sources have it.
fn made() -> String {
    let folder = Path::new(FOLDER);
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("cbindgen.toml");
    // It follows the modules from there.
    let builder = cbindgen::Builder::new().with_config(config).with_src(folder.join("src/lib.rs"));
    let mut header = Vec::new();
    builder.generate().expect("header").write(&mut header);
    let header = String::from_utf8(header).expect("UTF-8");
    // A heading of Rust's documentation.
    header.replace(" # Safety\n", " Pointers:\n")
}

/// The functions that a header declares.
fn declared(header: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in header.match_indices('(') {
        let before = &header[..at];
        let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let comment = before.rfind("/*").is_some_and(|open| before.rfind("*/").is_none_or(|end| end < open));
        if before[start..].starts_with("punktfunk_") && !comment {
            let name = &before[start..];
            assert!(names.insert(name.to_owned()), "{name} is declared twice");
        }
    }
    names
}

#[test]
fn the_header_is_that_of_the_sources() {
    let file = Path::new(FOLDER).join("include/punktfunk.h");
    let header = made();
    if std::env::var_os("PUNKTFUNK_WRITE_HEADER").is_some() {
        fs::write(&file, &header).expect("written");
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == header,
        "include/punktfunk.h is not that of the sources; \
         PUNKTFUNK_WRITE_HEADER=1 cargo test -p punktfunk-capi --test header writes it"
    );
}

#[test]
fn the_library_exports_what_the_header_declares() {
    let bytes = fs::read(built::folder().join("libpunktfunk.so")).expect("library");
    let library = object::File::parse(&*bytes).expect("ELF");
    let exported: BTreeSet<String> = library
        .dynamic_symbols()
        .filter(ObjectSymbol::is_definition)
        .map(|symbol| symbol.name().expect("name").to_owned())
        .collect();
    let declared = declared(&made());
    assert!(declared.len() > 50, "{declared:?}");
    assert_eq!(exported, declared);
}

#[test]
fn the_program_of_wrong_calls_calls_every_function() {
    let program = fs::read_to_string(Path::new(FOLDER).join("tests/c/wrong.c")).expect("wrong.c");
    for name in declared(&made()) {
        assert!(program.contains(&format!("{name}(")), "{name} is not in tests/c/wrong.c");
    }
}
