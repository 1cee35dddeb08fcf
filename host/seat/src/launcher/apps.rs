//! The applications that are installed, and their icons.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use punktfunk_desktop_entry::{self as entry, Entry, MAX_LEN};

/// Our name among the desktops that entries speak of.
const DESKTOP: &str = "punktfunk";
/// No machine has more applications than this.
const MAX_ENTRIES: usize = 4096;
/// Folders are followed this deep.
const MAX_DEPTH: u32 = 4;
/// A longer icon is none.
const MAX_ICON: u64 = 4 << 20;
/// The largest side of an icon, in pixels.
const MAX_ICON_SIDE: u32 = 1024;

/// An application the launcher offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// What its entry says.
    pub entry: Entry,
    /// Where its entry lies.
    pub location: PathBuf,
}

/// A picture as it was read: rows of red, green, blue, opacity, not premultiplied.
pub struct Icon {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Four bytes for each pixel.
    pub pixels: Vec<u8>,
}

/// Where data of applications lies, the most important folder first.
pub fn data_folders() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = variable("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/share")));
    let system = variable("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let mut folders: Vec<PathBuf> = home.into_iter().chain(std::env::split_paths(&system)).collect();
    // Flatpak puts its applications where only a login shell looks for them.
    let flatpak = variable("HOME").map(|home| PathBuf::from(home).join(".local/share/flatpak/exports/share"));
    folders.extend(flatpak.into_iter().chain([PathBuf::from("/var/lib/flatpak/exports/share")]));
    folders.retain(|folder| folder.is_absolute());
    let mut seen = HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

/// The locale that names are wanted in.
pub fn locale() -> Vec<String> {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    entry::locales(&set.unwrap_or_default())
}

/// Every application to be offered, by name.
pub fn installed(folders: &[PathBuf], locales: &[String]) -> Vec<App> {
    let mut known = HashSet::new();
    let mut apps = Vec::new();
    for folder in folders {
        let folder = folder.join("applications");
        let mut files = Vec::new();
        entries(&folder, 0, &mut files);
        files.sort();
        for file in files {
            // The first entry of a name is the one, even when it says to show nothing.
            let id = file.strip_prefix(&folder).unwrap_or(&file).to_string_lossy().replace('/', "-");
            if known.len() >= MAX_ENTRIES || !known.insert(id) {
                continue;
            }
            let entry = read(&file).and_then(|text| entry::parse(&text, locales, DESKTOP));
            if let Some(entry) = entry.filter(|entry| entry.shown)
                && entry.try_exec.as_deref().is_none_or(|program| find_program(program).is_some())
            {
                apps.push(App { entry, location: file });
            }
        }
    }
    apps.sort_by_cached_key(|app| app.entry.name.to_lowercase());
    apps
}

fn entries(folder: &Path, depth: u32, files: &mut Vec<PathBuf>) {
    let Ok(listed) = fs::read_dir(folder) else { return };
    for path in listed.flatten().map(|entry| entry.path()) {
        if files.len() >= MAX_ENTRIES {
            return;
        }
        if path.extension().is_some_and(|extension| extension == "desktop") {
            files.push(path);
        } else if depth < MAX_DEPTH && path.is_dir() {
            entries(&path, depth + 1, files);
        }
    }
}

fn read(file: &Path) -> Option<String> {
    // A named pipe would wait for ever.
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where a program lies, if it is there and may be run.
pub fn find_program(program: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(runs);
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(runs)
}

/// Reads the icon of this name or path, near `side` pixels large if there is a choice.
pub fn icon(name: &str, side: u32, folders: &[PathBuf]) -> Option<Icon> {
    if name.is_empty() {
        return None;
    }
    let path = Path::new(name);
    if path.is_absolute() {
        return decode(path);
    }
    // A name is one component, or it would leave the folder.
    let plain = Path::new(name.strip_suffix(".png").unwrap_or(name));
    if plain.components().count() != 1 || name.contains("..") {
        return None;
    }
    let file = format!("{}.png", plain.display());
    let mut sizes = [512, 256, 192, 128, 96, 72, 64, 48, 32];
    // Larger ones first, the nearest of them first: shrinking looks better than growing.
    sizes.sort_by_key(|size| if *size >= side { *size - side } else { 10_000 - *size });
    for folder in folders {
        for size in sizes {
            let found = folder.join(format!("icons/hicolor/{size}x{size}/apps")).join(&file);
            if let Some(icon) = decode(&found) {
                return Some(icon);
            }
        }
    }
    folders.iter().find_map(|folder| decode(&folder.join("pixmaps").join(&file)))
}

fn decode(path: &Path) -> Option<Icon> {
    let data = fs::metadata(path).ok()?;
    if !data.is_file() || data.len() > MAX_ICON {
        return None;
    }
    let mut decoder = png::Decoder::new(BufReader::new(File::open(path).ok()?));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    decoder.set_limits(png::Limits { bytes: 16 << 20 });
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = (reader.info().width, reader.info().height);
    if width > MAX_ICON_SIDE || height > MAX_ICON_SIDE {
        return None;
    }
    let mut bytes = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut bytes).ok()?;
    let step = info.color_type.samples();
    let pixels = bytes.get(..info.buffer_size())?.chunks_exact(step).flat_map(|pixel| match *pixel {
        [r, g, b, a] => [r, g, b, a],
        [r, g, b] => [r, g, b, 255],
        [grey, a] => [grey, grey, grey, a],
        [grey] => [grey, grey, grey, 255],
        _ => [0; 4],
    });
    Some(Icon { width: width as usize, height: height as usize, pixels: pixels.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("pf-apps-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn write(folder: &Path, name: &str, lines: &str) {
        let file = folder.join("applications").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("[Desktop Entry]\nType=Application\n{lines}\n")).unwrap();
    }

    #[test]
    fn the_first_folder_decides_what_an_entry_says() {
        let both = folder("first");
        let (home, system) = (both.join("home"), both.join("system"));
        write(&system, "b.desktop", "Name=Bee\nExec=b");
        write(&system, "a.desktop", "Name=ant\nExec=a");
        write(&system, "kde/c.desktop", "Name=Cat\nExec=c");
        write(&system, "gone.desktop", "Name=Gone\nExec=g");
        write(&system, "try.desktop", "Name=Try\nExec=t\nTryExec=/no/such/program");
        write(&system, "sh.desktop", "Name=Shell\nExec=sh\nTryExec=sh");
        write(&home, "b.desktop", "Name=My bee\nExec=bb");
        write(&home, "kde-c.desktop", "Hidden=true");
        write(&home, "gone.desktop", "Name=Gone\nExec=g\nNoDisplay=true");
        fs::write(system.join("applications/no.txt"), "x").unwrap();
        let apps = installed(&[home, system], &[]);
        let names: Vec<_> = apps.iter().map(|app| app.entry.name.as_str()).collect();
        assert_eq!(names, ["ant", "My bee", "Shell"]);
        fs::remove_dir_all(both).unwrap();
    }

    #[test]
    fn icons_are_found_by_size_and_never_outside_of_their_folder() {
        let data = folder("icons");
        let write = |side: u32, name: &str| {
            let at = data.join(format!("icons/hicolor/{side}x{side}/apps"));
            fs::create_dir_all(&at).unwrap();
            let mut encoder = png::Encoder::new(File::create(at.join(name)).unwrap(), side, side);
            encoder.set_color(png::ColorType::Rgb);
            let pixels = vec![7; (side * side * 3) as usize];
            encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        };
        write(32, "x.png");
        write(64, "x.png");
        write(256, "x.png");
        let folders = [data.clone()];
        let found = icon("x", 48, &folders).unwrap();
        assert_eq!((found.width, found.height), (64, 64));
        assert_eq!(found.pixels[..4], [7, 7, 7, 255]);
        assert_eq!(found.pixels.len(), 64 * 64 * 4);
        assert_eq!(icon("x.png", 300, &folders).unwrap().width, 256);
        for none in ["", "y", "../apps/x", "apps/x", "/etc/passwd", ".."] {
            assert!(icon(none, 48, &folders).is_none(), "{none}");
        }
        fs::remove_dir_all(data).unwrap();
    }
}
