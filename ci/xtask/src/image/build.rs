//! `cargo xtask image build`: a base, the folder that `Containerfile` is given, and buildah.
//! What comes out is kept as an image of buildah's and as a tree of files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::inputs::{Base, Inputs, Trust};
use super::{Flavour, empty, folder};
use crate::package::manifest::Format;
use crate::package::stage::Stage;
use crate::program;

/// What the image is called where it was built.
const IMAGE: &str = "localhost/punktfunk";

/// Builds with the programs in `built`, and returns where the files of the image lie.
pub fn run(flavour: Flavour, release: bool, built: &Path, inputs: &Inputs, base: &Base) -> Result<PathBuf> {
    let folder = folder()?;
    let base = if base.suite.is_empty() { base.reference()? } else { debian(base, &folder)? };
    let stage = Stage::make(Format::Image, built, 1)?;
    let context = context(&folder, &stage, &inputs.trust, release)?;
    let mut make = buildah()?;
    // The scripts cut themselves off from the network; that is what the capability is for.
    make.args(["bud", "--isolation", "chroot", "--cap-add", "CAP_SYS_ADMIN", "--tag", IMAGE]);
    make.arg(format!("--build-arg=BASE_IMAGE={base}"));
    make.arg(format!("--build-arg=FLAVOUR={}", flavour.name()));
    make.arg(format!("--build-arg=VERSION={}", stage.version));
    make.arg("--file").arg(program::root().join("Containerfile")).arg(&context);
    program::must(&mut make)?;
    labels()?;
    lay_out(&folder)
}

/// buildah, with a place of its own: what it keeps goes away with `target`.
fn buildah() -> Result<Command> {
    let folder = folder()?;
    let mut buildah = Command::new("buildah");
    buildah.arg("--root").arg(folder.join("storage")).arg("--runroot").arg(folder.join("running"));
    buildah.args(["--storage-driver", "overlay"]);
    Ok(buildah)
}

/// Makes a Debian that boots, or finds it, and returns its name.
fn debian(base: &Base, folder: &Path) -> Result<String> {
    let name = format!("localhost/punktfunk-base:{}", base.suite);
    let wanted = format!("{} {} {}", base.suite, base.components.join(","), base.packages.join(","));
    // What is in it; written last.
    let list = folder.join(format!("base-{}.list", base.suite));
    let known = program::output(buildah()?.args(["images", "--quiet", &name])).is_some();
    if known && fs::read_to_string(&list).is_ok_and(|is| is == wanted) {
        println!("image: the base is there from an earlier run");
        return Ok(name);
    }
    let tar = folder.join(format!("base-{}.tar", base.suite));
    let mut make = Command::new("mmdebstrap");
    make.args(["--variant=minbase", "--quiet", "--format=tar"]);
    make.arg(format!("--components={}", base.components.join(",")));
    make.arg(format!("--include={}", base.packages.join(",")));
    // Of this machine, and not for others.
    make.arg("--customize-hook=rm -f \"$1/etc/resolv.conf\" \"$1/etc/hostname\"");
    program::must(make.arg(&base.suite).arg(&tar))?;
    let scratch = program::output(buildah()?.args(["from", "scratch"]));
    let scratch = scratch.context("`buildah from scratch` failed")?.trim().to_owned();
    program::must(buildah()?.args(["add", "--quiet", &scratch]).arg(&tar).arg("/"))?;
    program::must(buildah()?.args(["commit", "--quiet", "--rm", &scratch, &name]))?;
    fs::remove_file(&tar)?;
    fs::write(&list, wanted)?;
    Ok(name)
}

/// The folder that `Containerfile` copies from.
fn context(folder: &Path, stage: &Stage, trust: &Trust, release: bool) -> Result<PathBuf> {
    let context = empty(&folder.join("context"))?;
    let image = program::root().join("image");
    for (from, to) in [
        (image.join("build"), "build"),
        (image.join("packages"), "packages"),
        (stage.tree.clone(), "payload"),
    ] {
        program::must(Command::new("cp").arg("--archive").arg(from).arg(context.join(to)))?;
    }
    let keys = context.join("trust");
    fs::create_dir(&keys)?;
    // Always there: an empty folder is not copied.
    fs::write(keys.join("image"), if release { trust.image.as_str() } else { "" })?;
    if release {
        fs::write(keys.join("primary.pub"), &trust.primary)?;
        fs::write(keys.join("backup.pub"), &trust.backup)?;
    }
    Ok(context)
}

/// Without these bootc takes no image.
fn labels() -> Result<()> {
    let said = program::output(buildah()?.args(["inspect", "--type", "image", IMAGE]));
    let said: serde_json::Value = serde_json::from_str(&said.context("`buildah inspect` failed")?)?;
    for label in ["containers.bootc", "ostree.bootable"] {
        ensure!(said["OCIv1"]["config"]["Labels"][label] == "1", "the image has no label {label}=1");
    }
    Ok(())
}

/// Takes away what building has left, and lays the files of the image out in a folder.
fn lay_out(folder: &Path) -> Result<PathBuf> {
    let root = empty(&folder.join("root"))?;
    let container = program::output(buildah()?.args(["from", IMAGE]));
    let container = container.context("`buildah from` failed")?.trim().to_owned();
    let copied = finish(&container, &root);
    let removed = program::succeeds(buildah()?.args(["rm", &container]))?;
    copied?;
    ensure!(removed, "buildah cannot remove the container {container}");
    ensure!(fs::metadata(&root)?.uid() == 0, "the files are not root's");
    println!("image: its files are in {}", program::relative(&root));
    Ok(root)
}

fn finish(container: &str, root: &Path) -> Result<()> {
    let mounted = program::output(buildah()?.args(["mount", container])).context("`buildah mount` failed")?;
    let mounted = Path::new(mounted.trim());
    // buildah puts these there for the scripts, empty, and leaves them behind.
    for name in ["etc/hostname", "etc/resolv.conf"] {
        let file = mounted.join(name);
        if file.symlink_metadata().is_ok_and(|known| known.is_file() && known.len() == 0) {
            fs::remove_file(&file)?;
        }
    }
    for name in ["run", "tmp"] {
        clear(&mounted.join(name))?;
    }
    program::must(buildah()?.args(["commit", "--quiet", container, IMAGE]))?;
    program::must(Command::new("cp").arg("--archive").arg(mounted.join(".")).arg(root))
}

/// Takes everything out of a folder, which stays as it is.
fn clear(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
