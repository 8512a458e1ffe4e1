//! Finds circles in a graph of imports.

use crate::imports::Imports;

/// Returns the modules that are in a circle or between circles, with their imports among these
/// modules.
pub(crate) fn modules_in_circles(imports: &Imports) -> Imports {
    let mut rest = imports.clone();
    loop {
        let before = rest.len();
        // Modules that import none of the rest, then modules that none of the rest imports.
        let left: Vec<_> = rest.keys().cloned().collect();
        for imported in rest.values_mut() {
            imported.retain(|module| left.contains(module));
        }
        rest.retain(|_, imported| !imported.is_empty());
        let imported: Vec<_> = rest.values().flatten().cloned().collect();
        rest.retain(|module, _| imported.contains(module));
        if rest.len() == before {
            return rest;
        }
    }
}
