//! Which media libraries this process runs with.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Parts of the names of libraries that decide what can be coded.
const DECISIVE: [&str; 6] = ["libavcodec", "libavutil", "libx264", "libx265", "libaom", "libSvtAv1"];

/// A text that changes when `version` or one of the media libraries changes: their
/// file names, which carry versions, their sizes and times.
pub fn media_libraries(version: &str) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut text = version.to_owned();
    for file in decisive(&maps) {
        let facts = Path::new(file).metadata().map(|meta| (meta.len(), meta.mtime())).unwrap_or_default();
        text.push_str(&format!(" {file}:{}:{}", facts.0, facts.1));
    }
    text
}

fn decisive(maps: &str) -> BTreeSet<&str> {
    let files = maps.lines().filter_map(|line| line.find('/').and_then(|at| line.get(at..)));
    files.filter(|file| DECISIVE.iter().any(|name| file.contains(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_that_decide_count_and_each_once() {
        let maps = "7f00-7f01 r--p 0 08:01 1  /lib/libx265.so.199\n\
                    7f01-7f02 r-xp 0 08:01 1  /lib/libx265.so.199\n\
                    7f02-7f03 r-xp 0 08:01 2  /lib/libc.so.6\n\
                    7f03-7f04 rw-p 0 00:00 0\n";
        assert_eq!(decisive(maps).into_iter().collect::<Vec<_>>(), ["/lib/libx265.so.199"]);
    }

    #[test]
    fn another_version_of_the_program_is_another_text() {
        assert_ne!(media_libraries("1"), media_libraries("2"));
        assert_eq!(media_libraries("1"), media_libraries("1"));
    }
}
