//! The file of a report, opened before the run: hours of load are not spent on a path that cannot
//! be written.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use crate::error::LoadError;

/// A file that is open for writing. Until it is written it keeps its old content; a new file is
/// removed if nothing is written.
pub(super) struct ReportFile {
    path: PathBuf,
    file: File,
    /// Whether there was none, and nothing is in it yet.
    is_new: bool,
}

impl ReportFile {
    /// Opens the file, or creates an empty one.
    pub(super) fn open(path: &PathBuf) -> Result<Self, LoadError> {
        let mut options = OpenOptions::new();
        options.write(true);
        let created = options.clone().create_new(true).open(path);
        let is_new = created.is_ok();
        let file = match created {
            // A link to no file exists, and its target does not.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                options.create(true).open(path)
            }
            opened => opened,
        };
        let path = path.clone();
        match file {
            Ok(file) => Ok(Self { path, file, is_new }),
            Err(error) => Err(LoadError::Write(path, error)),
        }
    }

    /// Replaces the content.
    pub(super) fn write(mut self, content: &[u8]) -> Result<(), LoadError> {
        self.is_new = false;
        let mut write = || {
            // A pipe has no length.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            self.file.write_all(content)
        };
        let path = self.path.clone();
        write().map_err(|error| LoadError::Write(path, error))
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        if self.is_new {
            // No caller is left to report an error to.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_report_replaces_a_longer_one() {
        let path = std::env::temp_dir().join(format!("report-file-{}", std::process::id()));
        for content in ["a long report", "short"] {
            let file = ReportFile::open(&path).expect("a writable folder");
            file.write(content.as_bytes()).expect("a writable file");
            assert_eq!(fs::read_to_string(&path).expect("a file"), content);
        }
        fs::remove_file(&path).expect("a file");
    }
}
