//! The tables in `loom-tests/REPORT.md`, each between two marks.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The table between the marks of `name`.
#[cfg(test)]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a test file of the pool or of the models.
    fn module(path: &str) -> Option<String> {
        let file = path.replace("::", "/");
        let folders = [
            "loom-tests/tests/models",
            "pool/tests/behaviour",
            "pool/tests/own_process",
        ];
        let paths = folders.map(|folder| workspace().join(folder).join(format!("{file}.rs")));
        let texts: Vec<_> = paths
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .collect();
        (!texts.is_empty()).then(|| texts.concat())
    }

    #[test]
    fn found_names_models_and_tests_that_exist() {
        let text = fs::read_to_string(workspace().join("loom-tests/FOUND.md")).unwrap();
        let names: Vec<_> = text.split('`').filter(|name| name.contains("::")).collect();
        assert!(names.len() > 20);
        for name in names {
            let (path, test) = name.rsplit_once("::").unwrap();
            let source = module(path).unwrap_or_else(|| panic!("no file of {name}"));
            assert!(source.contains(&format!("fn {test}()")), "{name}");
        }
    }
}
