//! Figures, as a table on the terminal and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

/// All that was measured.
#[derive(Default)]
pub(crate) struct Report(Vec<Record>);

/// One peer at one point.
#[derive(Serialize)]
struct Record {
    work: &'static str,
    #[serde(rename = "impl")]
    peer: &'static str,
    lang: &'static str,
    version: String,
    /// What tells this point from others of the same work.
    #[serde(flatten)]
    point: Map<String, Value>,
    rounds: usize,
    #[serde(flatten)]
    figures: BTreeMap<&'static str, Spread>,
}

/// A figure over all rounds.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    min: f64,
    max: f64,
}

/// The rounds of one peer at one point.
#[derive(Default)]
pub(crate) struct Rounds(BTreeMap<&'static str, Vec<f64>>);

impl Rounds {
    pub(crate) fn add(&mut self, figures: impl IntoIterator<Item = (&'static str, f64)>) {
        for (name, value) in figures {
            self.0.entry(name).or_default().push(value);
        }
    }

    pub(crate) fn median(&self, name: &str) -> f64 {
        self.0
            .get(name)
            .map_or(f64::NAN, |values| Spread::of(values).median)
    }
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Self {
            median,
            min: values[0],
            max: values[values.len() - 1],
        }
    }
}

impl Report {
    pub(crate) fn add(
        &mut self,
        work: &'static str,
        peer: &'static str,
        crate_name: &str,
        point: Value,
        rounds: &Rounds,
    ) {
        let Value::Object(point) = point else {
            unreachable!("a point is named values")
        };
        let count = rounds.0.values().map(Vec::len).max().unwrap_or(0);
        let figures = rounds
            .0
            .iter()
            .map(|(name, values)| (*name, Spread::of(values)));
        self.0.push(Record {
            work,
            peer,
            lang: "rust",
            version: version(crate_name),
            point,
            rounds: count,
            figures: figures.collect(),
        });
    }

    pub(crate) fn write_json(&self, mut file: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut file, &json!(self.0))?;
        writeln!(file)
    }
}

/// The version that was compiled in.
fn version(crate_name: &str) -> String {
    let lock = include_str!("../../../../Cargo.lock");
    let entry = format!("name = \"{crate_name}\"\nversion = \"");
    let (_, rest) = lock.split_once(&entry).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let median = |values: &[f64]| Spread::of(values).median.to_string();
        assert_eq!(median(&[3.0, 1.0, 2.0]), "2");
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), "2.5");
    }

    #[test]
    fn versions_are_those_of_the_lock_file() {
        assert_eq!(version("anthill"), env!("CARGO_PKG_VERSION"));
        assert!(version("tokio").starts_with("1."));
    }
}
