//! The README stays short.

use std::fs;

use crate::workspace;

#[test]
fn readme_has_at_most_200_lines() {
    let text = fs::read_to_string(workspace().join("README.md")).expect("the README is readable");
    assert!(text.lines().count() <= 200);
}
