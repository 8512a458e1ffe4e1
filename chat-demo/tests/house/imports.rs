//! The imports of the modules of a crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, File, ItemMod, ItemUse, Macro, UseTree, Visibility};

/// The modules that each module refers to, by their paths. The path of the crate's root is empty.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

/// The segments of a path.
type Segments = Vec<String>;

/// Reads the crate with this root file, without its tests. A re-export is no import of the module
/// with it; it stands for the item that it exports.
pub(crate) fn of_crate(root: &Path) -> Imports {
    let mut modules = Modules::default();
    let folder = root.parent().expect("a file is in a folder");
    modules.read(root, folder, &[]);
    let mut imports = Imports::new();
    for (module, references) in &modules.references {
        let resolved = references.iter().map(|path| modules.resolve(path));
        let others = resolved.filter(|other| other != module);
        imports.insert(
            module.join("::"),
            others.map(|other| other.join("::")).collect(),
        );
    }
    imports
}

#[derive(Default)]
struct Modules {
    /// The references of each module, as paths from the root.
    references: BTreeMap<Segments, BTreeSet<Segments>>,
    /// The items that each module re-exports, by name.
    exports: BTreeMap<Segments, Segments>,
}

impl Modules {
    /// Reads the file of a module, whose children are in `folder`.
    fn read(&mut self, file: &Path, folder: &Path, module: &[String]) {
        let source = fs::read_to_string(file).expect("a module has a file");
        let source: File = syn::parse_file(&source).expect("the file compiles");
        let mut reader = Reader {
            module: module.to_vec(),
            inline: Vec::new(),
            children: Vec::new(),
            modules: self,
        };
        reader
            .modules
            .references
            .insert(module.to_vec(), BTreeSet::new());
        let declared = source.items.iter().filter_map(|item| match item {
            syn::Item::Mod(child) => Some(child.ident.to_string()),
            _ => None,
        });
        reader.children.extend(declared);
        reader.visit_file(&source);
        for item in &source.items {
            let syn::Item::Mod(child) = item else {
                continue;
            };
            if child.content.is_some() || is_test(&child.attrs) {
                continue;
            }
            let name = child.ident.to_string();
            let folder = folder.join(&name);
            let files = [folder.with_extension("rs"), folder.join("mod.rs")];
            let file: Option<PathBuf> = files.into_iter().find(|file| file.exists());
            let path = [module, &[name]].concat();
            self.read(&file.expect("a module has a file"), &folder, &path);
        }
    }

    /// Returns the module that a path from the root leads to.
    fn resolve(&self, path: &[String]) -> Segments {
        let mut prefixes = (0..=path.len()).rev().map(|len| &path[..len]);
        let module = prefixes.find(|prefix| self.references.contains_key(*prefix));
        let module = module.expect("the root is a module");
        let name = path.get(..=module.len());
        match name.and_then(|name| self.exports.get(name)) {
            Some(export) => self.resolve(&[export, &path[module.len() + 1..]].concat()),
            None => module.to_vec(),
        }
    }
}

/// Collects the references of one file.
struct Reader<'a> {
    module: Segments,
    /// The nested modules at the current place in the file.
    inline: Segments,
    children: Vec<String>,
    modules: &'a mut Modules,
}

impl Reader<'_> {
    /// Makes a path begin at the root; `None` for a path into another crate.
    fn absolute(&self, path: &[String]) -> Option<Segments> {
        let here = || [self.module.as_slice(), &self.inline].concat();
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([here(), rest.to_vec()].concat()),
            "super" => {
                let mut base = here();
                let up = path
                    .iter()
                    .take_while(|segment| *segment == "super")
                    .count();
                base.truncate(base.len().saturating_sub(up));
                Some([&base, &path[up..]].concat())
            }
            child if self.children.iter().any(|known| known == child) => {
                Some([self.module.as_slice(), path].concat())
            }
            _ => None,
        }
    }

    fn refer(&mut self, path: &[String]) {
        if let Some(path) = self.absolute(path) {
            let references = self.modules.references.get_mut(&self.module);
            references.expect("it is being read").insert(path);
        }
    }

    /// Reads a tree of imports behind `path`; re-exports if `public`.
    fn read_use(&mut self, tree: &UseTree, path: &mut Segments, public: bool) {
        let (name, known_as) = match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.read_use(&inner.tree, path, public);
                path.pop();
                return;
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.read_use(tree, path, public);
                }
                return;
            }
            UseTree::Glob(_) => return self.refer(path),
            UseTree::Name(name) => (name.ident.to_string(), name.ident.to_string()),
            UseTree::Rename(rename) => (rename.ident.to_string(), rename.rename.to_string()),
        };
        let mut full = path.clone();
        if name != "self" {
            full.push(name);
        }
        if !public {
            return self.refer(&full);
        }
        if let Some(full) = self.absolute(&full) {
            let name = [self.module.as_slice(), &[known_as]].concat();
            self.modules.exports.insert(name, full);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if is_test(&item.attrs) || item.content.is_none() {
            return;
        }
        self.inline.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.inline.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_test(&item.attrs) {
            let public = !matches!(item.vis, Visibility::Inherited);
            self.read_use(&item.tree, &mut Vec::new(), public);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        let segments: Vec<_> = segments.map(|segment| segment.ident.to_string()).collect();
        // A single name is a variable or an item, even if a module has the same name.
        if segments.len() > 1 {
            self.refer(&segments);
        }
        visit::visit_path(self, path);
    }

    /// The parser sees no paths in the arguments of a macro.
    fn visit_macro(&mut self, item: &'ast Macro) {
        let text = item.tokens.to_string();
        let words: Vec<_> = text.split_whitespace().collect();
        for (place, word) in words.iter().enumerate() {
            if !["crate", "self", "super"].contains(word) {
                continue;
            }
            let mut path = vec![(*word).to_owned()];
            for pair in words[place + 1..].chunks_exact(2) {
                if pair[0] != "::" {
                    break;
                }
                path.push(pair[1].to_owned());
            }
            if path.len() > 1 {
                self.refer(&path);
            }
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    /// `pub(super)` is no import.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// Returns whether an item exists only for tests or documentation.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        list.is_ok_and(|list| {
            let condition = list.tokens.to_string();
            let mut words = condition.split(|letter: char| !letter.is_ascii_alphanumeric());
            list.path.is_ident("cfg")
                && words.any(|word| ["test", "doc", "doctest"].contains(&word))
        })
    })
}
