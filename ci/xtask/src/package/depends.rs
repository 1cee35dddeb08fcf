//! What a package needs besides the libraries it is linked to: the `run` packages of
//! `ci/packages`, in the words of each format.

use anyhow::{Context, Result};

use super::manifest::Format;
use crate::packages::{self, Group};

/// The dependencies of `format`, one each.
pub fn of(format: Format) -> Result<Vec<String>> {
    let id = match format {
        Format::Deb => "debian",
        Format::Rpm => "fedora",
        Format::Arch => "arch",
        Format::Sysext | Format::Image => return Ok(Vec::new()),
    };
    let names =
        packages::names(id, Group::Run)?.with_context(|| format!("ci/packages has no list for {id}"))?;
    Ok(names.iter().map(|alternatives| word(format, alternatives)).collect())
}

fn word(format: Format, alternatives: &[String]) -> String {
    match (format, alternatives) {
        (Format::Deb, names) => names.join(" | "),
        (Format::Rpm, [one]) => one.clone(),
        (Format::Rpm, names) => format!("({})", names.join(" or ")),
        // Of several, the one that is installed when none is there.
        (_, names) => names.first().cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_told_as_each_format_can() {
        let names = ["dbus-daemon".to_owned(), "dbus".to_owned()];
        assert_eq!(word(Format::Deb, &names), "dbus-daemon | dbus");
        assert_eq!(word(Format::Rpm, &names), "(dbus-daemon or dbus)");
        assert_eq!(word(Format::Rpm, &names[..1]), "dbus-daemon");
        assert_eq!(word(Format::Arch, &names), "dbus-daemon");
        assert!(of(Format::Deb).unwrap().contains(&"wireplumber".to_owned()));
        assert!(of(Format::Sysext).unwrap().is_empty());
    }
}
