//! Figures that an earlier run wrote with `--json`.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The records of all given files.
pub(crate) struct Recorded(Vec<Figures>);

/// A file of `--json`.
#[derive(Deserialize)]
struct Run {
    records: Vec<Figures>,
}

/// One peer in one case. A work without a dimension has 0 or `None` for it.
#[derive(Deserialize)]
pub(crate) struct Figures {
    work: String,
    #[serde(rename = "impl")]
    pub(crate) peer: String,
    pub(crate) capacity: Option<usize>,
    #[serde(default)]
    pub(crate) producers: usize,
    #[serde(default)]
    pub(crate) threads: usize,
    /// Clients of the chat server.
    pub(crate) connections: Option<usize>,
    /// Members of each room of the chat server.
    pub(crate) members: Option<usize>,
    wire: Option<String>,
    pub(crate) busy_us: Option<u64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Figures {
    /// Returns the median of a figure, or `None` if the record lacks it.
    pub(crate) fn median(&self, figure: &str) -> Option<f64> {
        self.rest.get(figure)?.get("median")?.as_f64()
    }
}

impl Recorded {
    /// Reads files that `--json` wrote.
    pub(crate) fn read(paths: &[impl AsRef<Path>]) -> Result<Self, Box<dyn Error>> {
        let mut all = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let text = fs::read_to_string(path)
                .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
            let run: Run = serde_json::from_str(&text).map_err(|error| {
                let path = path.display();
                format!("`{path}` is not a file of --json: {error}")
            })?;
            all.extend(run.records);
        }
        Ok(Self(all))
    }

    /// Returns the records of a work.
    pub(crate) fn of<'a>(&'a self, work: &'a str) -> impl Iterator<Item = &'a Figures> {
        self.0.iter().filter(move |one| one.work == work)
    }

    /// Returns the `noop` records of one bounded case.
    pub(crate) fn noop(&self, capacity: usize, producers: usize) -> Vec<&Figures> {
        let of_case = |one: &&Figures| one.capacity == Some(capacity) && one.producers == producers;
        self.of("noop").filter(of_case).collect()
    }

    /// Returns the `growth` records of one peer.
    pub(crate) fn growth(&self, peer: &str) -> Vec<&Figures> {
        self.of("growth").filter(|one| one.peer == peer).collect()
    }

    /// Returns the `mixed` records over TCP, in the order of the closures' length.
    pub(crate) fn mixed(&self) -> Vec<&Figures> {
        let over_tcp = |one: &&Figures| one.wire.as_deref() == Some("tcp");
        let mut records = self.of("mixed").filter(over_tcp).collect::<Vec<_>>();
        records.sort_by_key(|one| one.busy_us);
        records
    }
}
