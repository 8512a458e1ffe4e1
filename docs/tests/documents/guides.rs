//! Tests and models that the guides name exist.

use std::fs;

use crate::workspace;

/// Returns the names in the text of a table: `file::test`, where `file` may include folders.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let names = quoted.filter(|quoted| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:/".contains(c);
        quoted.chars().all(plain)
    });
    names.filter_map(|name| name.rsplit_once("::"))
}

/// Returns the path of a named file.
fn path(file: &str) -> String {
    match file.split_once('/') {
        Some(("loom", file)) => format!("loom-tests/tests/models/{file}"),
        Some(("bugs", file)) => format!("pool/tests/behaviour/ants_bugs/{file}"),
        Some(("parity", file)) => format!("pool/tests/behaviour/ants_parity/{file}"),
        Some(("own_process", _)) => format!("pool/tests/{file}"),
        _ => format!("pool/tests/behaviour/{file}"),
    }
}

fn assert_is_a_test(file: &str, name: &str) {
    let path = workspace().join(file);
    let text = fs::read_to_string(path.with_extension("rs"));
    let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
    let tests = [
        format!("#[test]\nfn {name}() {{"),
        // Of tokio.
        format!("]\nasync fn {name}() {{"),
    ];
    let is_there = tests.iter().any(|test| text.contains(test));
    assert!(is_there, "{file} has no test {name}");
}

#[test]
fn every_test_named_in_the_guide_exists() {
    let guide = include_str!("../../../pool/docs/from-ants.md");
    let (_, tests) = guide.split_once("# The tests of ants, and ours\n").unwrap();
    let (parity, bugs) = tests.split_once("\n# Bugs of ants").unwrap();
    for (file, name) in named(parity) {
        assert_is_a_test(&format!("pool/tests/behaviour/ants_parity/{file}"), name);
    }
    for (file, name) in named(bugs) {
        assert_is_a_test(&path(file), name);
    }
    // Most rows name a test.
    let rows = tests.lines().filter(|line| line.starts_with('|')).count();
    assert!(named(tests).count() > rows / 2);
}

#[test]
fn every_test_named_in_the_found_bugs_exists() {
    let found = include_str!("../../../loom-tests/FOUND.md");
    for (file, name) in named(found) {
        assert_is_a_test(&path(file), name);
    }
    let bugs = found.lines().filter(|line| line.starts_with('|')).count();
    assert!(named(found).count() > bugs / 2);
}
