//! The tables in `loom-tests/REPORT.md`, each between two marks.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The table between the marks of `name`.
pub(crate) fn read(name: &str) -> Result<String, Box<dyn Error>> {
    Ok(text(name)?[1].clone())
}

/// Changes the table between the marks of `name`.
pub(crate) fn write(name: &str, change: impl FnOnce(&str) -> String) -> Result<(), Box<dyn Error>> {
    let [before, table, after] = text(name)?;
    fs::write(path(), before + &change(&table) + &after)?;
    Ok(())
}

/// The text up to the first mark, the table, and the text from the second mark on.
fn text(name: &str) -> Result<[String; 3], Box<dyn Error>> {
    let text = fs::read_to_string(path())?;
    let place = |mark: &str| {
        let mark = format!("<!-- {name}: {mark} -->\n");
        let place = text.find(&mark);
        place
            .map(|place| (place, place + mark.len()))
            .ok_or_else(|| format!("{} has no mark {mark}", path().display()))
    };
    let ((_, begin), (end, _)) = (place("begin")?, place("end")?);
    Ok([&text[..begin], &text[begin..end], &text[end..]].map(str::to_owned))
}

fn path() -> PathBuf {
    workspace().join("loom-tests/REPORT.md")
}

pub(crate) fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}
