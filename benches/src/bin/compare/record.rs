//! The measured figures, in the form of the JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::machine;
use crate::meter::Figures;
use crate::work::Case;

/// One peer in one case.
#[derive(Clone, Serialize)]
pub(crate) struct Record {
    pub(crate) work: &'static str,
    #[serde(rename = "impl")]
    pub(crate) peer: String,
    pub(crate) lang: String,
    pub(crate) version: String,
    /// What enforces the capacity, if there is one: the peer (`own`) or a semaphore around it
    /// (`semaphore`).
    pub(crate) bound: Option<&'static str>,
    #[serde(flatten)]
    pub(crate) case: Case,
    pub(crate) rounds: usize,
    #[serde(flatten)]
    pub(crate) figures: BTreeMap<String, Spread>,
}

/// A figure's spread over all rounds.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// The figures of one peer in one case, of all rounds.
#[derive(Default)]
pub(crate) struct Rounds(BTreeMap<String, Vec<f64>>);

impl Rounds {
    pub(crate) fn add(&mut self, figures: Figures) {
        for (name, value) in figures {
            self.0.entry(name).or_default().push(value);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn spreads(&self) -> BTreeMap<String, Spread> {
        let spread = |(name, values): (&String, &Vec<f64>)| (name.clone(), Spread::of(values));
        self.0.iter().map(spread).collect()
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

/// What `--json` writes.
#[derive(Serialize)]
struct Run<'a> {
    machine: String,
    command: String,
    records: &'a [Record],
}

pub(crate) fn json(records: &[Record]) -> serde_json::Result<String> {
    let run = Run {
        machine: machine::described(),
        command: machine::command(),
        records,
    };
    Ok(serde_json::to_string_pretty(&run)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_value() {
        let median = |values: &[f64]| Spread::of(values).median.to_string();
        assert_eq!(median(&[3.0, 1.0, 2.0]), "2");
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), "2.5");
    }
}
