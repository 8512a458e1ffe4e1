//! Figures as Markdown: in all detail for the terminal, and in short for a README.

use std::collections::BTreeSet;
use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::machine;
use crate::record::Record;
use crate::work::{Shown, Work, grouped};

/// Each case and peer a row, each figure a column: median, least and most of all rounds.
pub(crate) fn detailed(work: &Work, records: &[Record]) -> String {
    let figures = records.iter().flat_map(|record| record.figures.keys());
    let figures = figures.collect::<BTreeSet<_>>();
    let mut header = vec!["case".to_owned(), "peer".to_owned()];
    header.extend(figures.iter().map(|&figure| figure.clone()));
    let mut table = new_table(header, 2);
    for record in records {
        let mut row = vec![(work.label)(&record.case), named(record)];
        row.extend(figures.iter().map(|&figure| {
            record.figures.get(figure).map_or_else(
                || "–".to_owned(),
                |spread| {
                    let [median, min, max] = [spread.median, spread.min, spread.max].map(short);
                    if min == max {
                        median
                    } else {
                        format!("{median} ({min} to {max})")
                    }
                },
            )
        }));
        table.add_row(row);
    }
    finished(work, &table, records)
}

/// Each case and figure a row, each peer a column: medians, the best of each row in bold.
pub(crate) fn summary(work: &Work, records: &[Record]) -> String {
    let mut peers = Vec::new();
    for record in records {
        if !peers.iter().any(|&(peer, _)| peer == &record.peer) {
            peers.push((&record.peer, named(record)));
        }
    }
    // A peer may hold the bound of one case by a semaphore, and have no bound in another.
    for record in records.iter().filter(|record| starred(record)) {
        let peer = peers.iter_mut().find(|(peer, _)| peer == &&record.peer);
        peer.expect("it was put there").1 = named(record);
    }
    let mut cases = Vec::new();
    for record in records {
        if !cases.contains(&&record.case) {
            cases.push(&record.case);
        }
    }
    let mut header = vec![String::new()];
    header.extend(peers.iter().map(|(_, name)| name.clone()));
    let mut table = new_table(header, 1);
    for shown in work.shown {
        for &case in &cases {
            let values = peers.iter().map(|&(peer, _)| {
                let here = |record: &&Record| &record.peer == peer && &record.case == case;
                let figures = &records.iter().find(here)?.figures;
                Some(figures.get(shown.figure)?.median / shown.unit)
            });
            let values = values.collect::<Vec<_>>();
            if values.iter().any(Option::is_some) {
                let label = (work.label)(case);
                let comma = if label.is_empty() { "" } else { ", " };
                let mut row = vec![format!("{label}{comma}{}", shown.heading)];
                row.extend(marked(&values, shown));
                table.add_row(row);
            }
        }
    }
    finished(work, &table, records)
}

/// What stands above all tables: where, with what, when and how.
pub(crate) fn preamble(records: &[Record], rounds: usize) -> String {
    let mut versions = BTreeSet::new();
    for record in records {
        let name = record
            .peer
            .strip_suffix("-blocking")
            .unwrap_or(&record.peer);
        if record.lang != "rust" || !name.contains('-') || machine::version(name) == record.version
        {
            versions.insert(format!("{name} {}", record.version));
        }
    }
    let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
    let plural = if rounds == 1 { "" } else { "s" };
    format!(
        "Measured on {}, with `{}`: medians of {rounds} round{plural}, each peer in a process of its own, rounds \
         interleaved. {versions}. The best of each row is bold.\n",
        machine::described(),
        machine::command(),
    )
}

fn new_table(header: Vec<String>, texts: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let columns = header.len();
    table.set_header(header.into_iter().map(Cell::new));
    for column in texts..columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn finished(work: &Work, table: &Table, records: &[Record]) -> String {
    let mut text = format!("{} (`{}`)\n\n{table}\n", work.about, work.name);
    if records.iter().any(starred) {
        text.push_str(
            "\n\\* has no bound of its own; where there is a capacity, a semaphore holds it.\n",
        );
    }
    text
}

fn starred(record: &Record) -> bool {
    record.bound == Some("semaphore") && record.work != "echo"
}

fn named(record: &Record) -> String {
    let star = if starred(record) { "\\*" } else { "" };
    format!("{}{star}", record.peer)
}

/// The values of a row, the best in bold, and those that look the same as it.
fn marked(values: &[Option<f64>], shown: &Shown) -> Vec<String> {
    let best = values
        .iter()
        .flatten()
        .copied()
        .reduce(if shown.more_is_better {
            f64::max
        } else {
            f64::min
        });
    let best = best.map(short);
    let text = |value: &Option<f64>| match value.map(short) {
        None => "–".to_owned(),
        text if text == best => format!("**{}**", text.unwrap_or_default()),
        Some(text) => text,
    };
    values.iter().map(text).collect()
}

/// Three digits or so.
fn short(value: f64) -> String {
    let mut text = String::new();
    let size = value.abs();
    let written = if size >= 100.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is rounded, and what is below 0 is small"
        )]
        let whole = value.round() as usize;
        text.write_str(&grouped(whole))
    } else if size >= 10.0 {
        write!(text, "{value:.1}")
    } else if size >= 1.0 {
        write!(text, "{value:.2}")
    } else if size < 0.0005 {
        text.write_str("0")
    } else {
        write!(text, "{value:.3}")
    };
    written.expect("strings grow");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work;

    #[test]
    fn numbers_have_three_digits_or_so() {
        let written = [0.0, 0.0123, 1.236, 12.34, 123.4, 1_234_567.0].map(short);
        assert_eq!(written, ["0", "0.012", "1.24", "12.3", "123", "1,234,567"]);
    }

    #[test]
    fn the_best_is_bold_and_so_is_what_looks_the_same() {
        let shown = &work::ALL[0].shown[0];
        let marks = marked(&[Some(200.0), None, Some(100.1), Some(100.2)], shown);
        assert_eq!(marks, ["200", "–", "**100**", "**100**"]);
    }
}
