//! The names of tasks that run now.

use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug, Default)]
pub struct Names {
    /// By ticket, so in the order in which the tasks began.
    running: BTreeMap<u64, Arc<str>>,
    next: u64,
}

impl Names {
    pub fn add(&mut self, name: Arc<str>) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.running.insert(ticket, name);
        ticket
    }

    pub fn remove(&mut self, ticket: u64) {
        self.running.remove(&ticket);
    }

    pub fn list(&self) -> Vec<String> {
        self.running.values().map(ToString::to_string).collect()
    }
}
