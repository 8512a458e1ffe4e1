//! Checks what the documents of the workspace refer to.

mod guides;
mod links;
mod markdown;
mod readme;

use std::path::{Path, PathBuf};

/// Returns the folder of the workspace.
fn workspace() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    folder.canonicalize().expect("the workspace exists")
}
