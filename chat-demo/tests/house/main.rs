//! The modules of the chat's crates form no circles, and the server's documentation lists them.

mod circles;
mod imports;

use std::fs;
use std::path::Path;

use crate::circles::modules_in_circles;
use crate::imports::{Imports, of_crate};

/// The roots of the crates, and a lower bound on their numbers of modules.
const CRATES: [(&str, usize); 4] = [
    ("client/src/lib.rs", 15),
    ("load/src/lib.rs", 25),
    ("server/src/lib.rs", 80),
    ("src/main.rs", 3),
];

#[test]
fn modules_import_each_other_in_no_circle() {
    for (root, fewest) in CRATES {
        let imports = of_crate(&Path::new(env!("CARGO_MANIFEST_DIR")).join(root));
        assert!(imports.len() >= fewest, "{root}: {} modules", imports.len());
        let circles = modules_in_circles(&imports);
        assert!(circles.is_empty(), "{root}: {circles:#?}");
    }
}

/// The documentation of the server lists its modules, each above the modules that it uses.
#[test]
fn server_modules_are_listed_from_top_to_bottom() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("server/src/lib.rs");
    let source = fs::read_to_string(&root).expect("the crate has a root");
    let rows = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! - "));
    let names = rows.filter_map(|row| row.split(':').next());
    let names = names.flat_map(|names| names.split(", "));
    let listed: Vec<_> = names.map(|it| it.trim_matches(['[', '`', ']'])).collect();
    let place = |module: &str| {
        let name = module.split("::").next();
        let place = listed.iter().position(|listed| Some(*listed) == name);
        place.unwrap_or_else(|| panic!("{module} is not listed"))
    };
    let mut upward = Vec::new();
    for (module, imported) in of_crate(&root) {
        // The root is not listed.
        if module.is_empty() {
            continue;
        }
        let from = place(&module);
        let above = imported
            .iter()
            .filter(|it| !it.is_empty() && place(it) < from);
        upward.extend(above.map(|it| format!("{module} uses {it}")));
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

/// Reads a crate made of these files.
fn imports(files: &[(&str, &str)]) -> Imports {
    let folder = tempfile::tempdir().expect("a writable folder");
    for (name, source) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a writable folder");
        fs::write(file, source).expect("a writable folder");
    }
    of_crate(&folder.path().join("lib.rs"))
}

fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let circles = modules_in_circles(&imports(files));
    circles.into_keys().collect()
}

#[test]
fn circle_of_two_modules_is_found() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::{self, B}; pub struct A;"),
        ("b.rs", "pub struct B; fn of(a: super::a::A) {}"),
        ("c.rs", "use crate::a::A;"),
    ];
    assert_eq!(circles(&files), ["a", "b"]);
}

#[test]
fn circle_through_a_re_export_is_found() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod inner; pub use self::inner::A;"),
        ("a/inner.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::a::A; pub struct B;"),
    ];
    assert_eq!(circles(&files), ["a::inner", "b"]);
}

#[test]
fn circle_of_a_module_and_its_child_is_found() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a.rs", "mod inner; pub struct A(inner::B);"),
        (
            "a/inner.rs",
            "pub struct B; fn of() { println!(\"{}\", super::A::NAME) }",
        ),
    ];
    assert_eq!(circles(&files), ["a", "a::inner"]);
}

#[test]
fn re_exports_and_tests_are_no_imports() {
    let files = [
        ("lib.rs", "mod a;"),
        (
            "a.rs",
            "mod inner; pub use inner::B; pub struct A; fn of() { let inner = 1; drop(inner) } \
             #[cfg(test)] mod tests { use crate::a::inner::B; }",
        ),
        ("a/inner.rs", "use super::A; pub struct B;"),
    ];
    assert_eq!(circles(&files), [""; 0]);
}
