//! All policies in one table, which is in the documentation, too.

use std::fmt::Write;

use super::scenarios::{ALL, CONTENDERS, outcome};

const DOCUMENT: &str = include_str!("../../../docs/tuner.md");

fn table() -> String {
    let mut table = String::from(
        "| scenario | policy | tasks/s | p99, ms | refused, % | failed, % | changes | limit in the last 20 s |\n\
         |---|---|---:|---:|---:|---:|---:|---|\n",
    );
    for scenario in ALL {
        for (name, _, _) in CONTENDERS {
            let outcome = outcome(scenario, name);
            let (least, most) = outcome.range(scenario.seconds - 20.0, scenario.seconds);
            let limits = if least == most {
                least.to_string()
            } else {
                format!("{least} to {most}")
            };
            let ended = outcome.done + outcome.broken;
            let percent = |part: usize, all: usize| part as f64 * 100.0 / all as f64;
            writeln!(
                table,
                "| {} | {name} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {limits} |",
                scenario.name,
                outcome.throughput(),
                outcome.p99().as_secs_f64() * 1000.0,
                percent(outcome.refused, ended + outcome.refused),
                percent(outcome.failed, ended),
                outcome.steps(),
            )
            .unwrap();
        }
    }
    table
}

#[test]
fn documented_table_matches_the_policies() {
    let table = table();
    assert!(
        DOCUMENT.contains(&table),
        "pool/docs/tuner.md should have this table:\n{table}"
    );
}
