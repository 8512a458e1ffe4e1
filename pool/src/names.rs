//! The names of the tasks that have begun and not ended.

use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By ticket, and so in the order in which they began.
    begun: BTreeMap<u64, Arc<str>>,
    next: u64,
}

impl Names {
    pub(crate) fn add(&mut self, name: Arc<str>) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.begun.insert(ticket, name);
        ticket
    }

    pub(crate) fn remove(&mut self, ticket: u64) {
        self.begun.remove(&ticket);
    }

    pub(crate) fn list(&self) -> Vec<String> {
        self.begun.values().map(ToString::to_string).collect()
    }
}
