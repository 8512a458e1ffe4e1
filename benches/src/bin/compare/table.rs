//! Figures as Markdown: in full for the terminal, and in short for a README.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::iter;

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::machine;
use crate::record::Record;
use crate::work::{Case, Shown, Work, grouped};

/// Returns a table with a row for each case and peer, and a column for each figure: median, minimum
/// and maximum.
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
    finished(work, &table.to_string(), records)
}

/// Returns tables of medians, with the best of each row in bold. Each figure has a table with a row
/// for each case and a column for each peer. If there is one case, the figures are the rows.
fn summary(work: &Work, records: &[Record]) -> String {
    let mut cases = Vec::new();
    let mut peers = Vec::<&Record>::new();
    for record in records {
        if !cases.contains(&&record.case) {
            cases.push(&record.case);
        }
        match peers.iter_mut().find(|known| known.peer == record.peer) {
            None => peers.push(record),
            // A peer may have a semaphore in one case and no bound in another.
            Some(known) if starred(record) => *known = record,
            Some(_) => (),
        }
    }
    let row = |case: &Case, shown: &Shown| {
        let value = |peer: &&Record| {
            let mut same = records.iter().filter(|record| record.peer == peer.peer);
            let figures = &same.find(|record| &record.case == case)?.figures;
            Some(figures.get(shown.figure)?.median / shown.unit)
        };
        with_best_in_bold(&peers.iter().map(value).collect::<Vec<_>>(), shown)
    };
    let table = |heading: &str| {
        let names = peers.iter().map(|&peer| named(peer));
        new_table(iter::once(heading.to_owned()).chain(names).collect(), 1)
    };
    let mut tables = Vec::new();
    if let [case] = cases[..] {
        let mut table = table("");
        for shown in work.shown {
            let cells = iter::once(shown.heading.to_owned());
            table.add_row(cells.chain(row(case, shown)));
        }
        tables.push(table.to_string());
    } else {
        for shown in work.shown {
            let mut table = table(shown.heading);
            for case in &cases {
                let cells = iter::once((work.label)(case));
                table.add_row(cells.chain(row(case, shown)));
            }
            tables.push(table.to_string());
        }
    }
    finished(work, &tables.join("\n\n"), records)
}

/// Returns the machine, versions, date and command, and the short tables of all works.
pub(crate) fn page(measured: &[(&Work, Vec<Record>)], all: &[Record]) -> String {
    let mut page = preamble(all);
    for (work, records) in measured {
        page.push('\n');
        page.push_str(&summary(work, records));
    }
    page
}

fn preamble(records: &[Record]) -> String {
    // Lists `tokio` but not `tokio-blocking`, which has the same version.
    let variant = |record: &Record| {
        let is_of = |other: &Record| {
            let rest = record.peer.strip_prefix(&other.peer);
            rest.is_some_and(|rest| rest.starts_with('-')) && other.version == record.version
        };
        records.iter().any(is_of)
    };
    let versions = records
        .iter()
        .filter(|record| !variant(record))
        .map(|record| format!("{} {}", record.peer, record.version))
        .collect::<BTreeSet<_>>();
    let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
    format!(
        "Measured on {}, with `{}`. Each peer has a process of its own, and rounds are interleaved; the figures are \
         medians, the best of each row bold. {versions}.\n",
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

fn finished(work: &Work, tables: &str, records: &[Record]) -> String {
    let rounds = records
        .iter()
        .map(|record| record.rounds)
        .max()
        .unwrap_or(0);
    let plural = if rounds == 1 { "" } else { "s" };
    let tasks = records.iter().map(|record| record.case.tasks);
    let least = tasks.clone().min().map_or_else(String::new, grouped);
    let most = tasks.max().map_or_else(String::new, grouped);
    let tasks = if least == most {
        least
    } else {
        format!("{least} to {most}")
    };
    let mut text = format!(
        "{} (`{}`, {tasks} tasks, {rounds} round{plural}).\n\n{tables}\n",
        work.about, work.name
    );
    if records.iter().any(starred) {
        text.push_str(
            "\n\\* has no bound of its own; where there is a capacity, a semaphore holds it.\n",
        );
    }
    text
}

fn starred(record: &Record) -> bool {
    record.bound == Some("semaphore")
}

fn named(record: &Record) -> String {
    let star = if starred(record) { "\\*" } else { "" };
    format!("{}{star}", record.peer)
}

/// Formats a row. The best value is bold, and so are values that look the same.
fn with_best_in_bold(values: &[Option<f64>], shown: &Shown) -> Vec<String> {
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

/// Formats with about three significant digits.
pub(crate) fn short(value: f64) -> String {
    let mut text = String::new();
    let size = value.abs();
    let written = if size >= 100.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the value is rounded and not negative"
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
    written.expect("writing to a string cannot fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work;

    #[test]
    fn numbers_have_about_three_digits() {
        let written = [0.0, 0.0123, 1.236, 12.34, 123.4, 1_234_567.0].map(short);
        assert_eq!(written, ["0", "0.012", "1.24", "12.3", "123", "1,234,567"]);
    }

    #[test]
    fn best_and_equal_looking_values_are_bold() {
        let shown = &work::ALL[0].shown[0];
        let marks = with_best_in_bold(&[Some(200.0), None, Some(100.1), Some(100.2)], shown);
        assert_eq!(marks, ["200", "–", "**100**", "**100**"]);
    }
}
