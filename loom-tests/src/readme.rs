//! The tables in `loom-tests/README.md`, each between two marks.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Changes the table between the marks of `name`.
pub(crate) fn write(name: &str, change: impl FnOnce(&str) -> String) -> Result<(), Box<dyn Error>> {
    let path = workspace().join("loom-tests/README.md");
    let text = fs::read_to_string(&path)?;
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->\n"),
    );
    let (before, rest) = text
        .split_once(&begin)
        .ok_or_else(|| format!("the README has no {begin}"))?;
    let (table, after) = rest
        .split_once(&end)
        .ok_or_else(|| format!("the README has no {end}"))?;
    let table = change(table);
    fs::write(path, format!("{before}{begin}{table}{end}{after}"))?;
    Ok(())
}

pub(crate) fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}
