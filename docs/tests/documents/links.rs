//! Relative links lead to files and headings that exist.

use std::fs;
use std::path::{Path, PathBuf};

use crate::markdown::Document;
use crate::workspace;

/// A link to the pages of the repository's host, which only resolves there.
const HOST: &str = "../../actions/";

/// Returns all Markdown files below a folder, without build output and hidden folders.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            let hidden = name.starts_with('.') && name != ".github";
            if !hidden && name != "target" && !path.join("CACHEDIR.TAG").exists() {
                documents(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Returns what is wrong with a link, or `None` if it leads somewhere or is not relative.
fn fault(file: &Path, link: &str) -> Option<String> {
    let elsewhere = link.contains("://") || link.starts_with("mailto:");
    // rustdoc resolves links to items.
    if elsewhere || link.contains("::") || link.starts_with(HOST) {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => file.to_owned(),
        path => file.parent().expect("a file is in a folder").join(path),
    };
    if !target.exists() {
        return Some("no such file".to_owned());
    }
    if anchor.is_empty() {
        return None;
    }
    if target.extension().is_none_or(|extension| extension != "md") {
        return Some("an anchor into a file that has no headings".to_owned());
    }
    let text = fs::read_to_string(&target).expect("the document is readable");
    let anchors = Document::parse(&text).anchors;
    (!anchors.contains(anchor)).then(|| "no such heading".to_owned())
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut files = Vec::new();
    documents(&workspace(), &mut files);
    assert!(files.len() > 10, "{files:?}");
    let mut faults = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("the document is readable");
        for link in Document::parse(&text).links {
            if let Some(fault) = fault(&file, &link) {
                faults.push(format!("{}: {link}: {fault}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn broken_links_are_found() {
    let readme = workspace().join("README.md");
    for broken in ["nowhere.md", "#no-such-heading", "test.sh#anchor"] {
        assert!(fault(&readme, broken).is_some(), "{broken}");
    }
    for good in [
        "pool/docs/tuner.md",
        "https://docs.rs/anthill",
        "crate::Pool",
    ] {
        assert_eq!(fault(&readme, good), None, "{good}");
    }
}
