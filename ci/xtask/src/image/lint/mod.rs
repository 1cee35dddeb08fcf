//! `cargo xtask image lint`: looks at the files of an image. [`bootc`] has the rules of
//! bootc's own lint, for machines that have no bootc; [`ours`] those of this project.
//! A warning of bootc's is an error here.

mod bootc;
mod ours;
mod tree;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::program;
use crate::tally::Tally;

/// One rule.
struct Check {
    /// As bootc calls it, where it is one of bootc's.
    name: &'static str,
    /// Looks at the files below a root and says what is wrong, one finding each.
    look: fn(&Path) -> Result<Vec<String>>,
}

/// Checks the files below `root`.
pub fn all(root: &Path) -> Result<Tally> {
    ensure!(root.join("usr").is_dir(), "{} does not hold the files of an image", root.display());
    let mut tally = Tally::default();
    for check in bootc::CHECKS.iter().chain(&ours::CHECKS) {
        let found = (check.look)(root).with_context(|| check.name)?;
        if found.is_empty() {
            println!("ok {}", check.name);
            tally.passed += 1;
        }
        for finding in found {
            println!("FAILED {}: {finding}", check.name);
            tally.fail(format!("{}: {finding}", check.name));
        }
    }
    real(root, &mut tally)?;
    Ok(tally)
}

/// bootc itself, where there is one: it may know more than we do.
fn real(root: &Path, tally: &mut Tally) -> Result<()> {
    let name = "bootc container lint";
    if program::find("bootc").is_none() {
        tally.skip(name, "bootc is not installed; its rules were checked by ours");
        return Ok(());
    }
    let mut lint = Command::new("bootc");
    lint.args(["container", "lint", "--fatal-warnings", "--no-truncate", "--rootfs"]).arg(root);
    if program::succeeds(&mut lint)? {
        tally.passed += 1;
    } else {
        tally.fail(name);
    }
    Ok(())
}
