//! The format of `/metrics`, and the dashboard over it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::harness::{Server, run};
use crate::metrics::name;

const DASHBOARD: &str = include_str!("../../grafana.json");

#[test]
fn each_figure_has_help_a_type_and_its_unit_in_its_name() {
    run(async {
        let server = Server::start();
        let metrics = server.http("GET /metrics HTTP/1.1").await;
        let kind = "content-type: application/openmetrics-text";
        assert!(metrics.head.contains(kind), "{}", metrics.head);
        assert!(metrics.body.ends_with("# EOF\n"));

        let said = |word: &str| -> HashMap<&str, &str> {
            let lines = metrics.body.lines();
            lines
                .filter_map(|line| line.strip_prefix(&format!("# {word} "))?.split_once(' '))
                .collect()
        };
        let (help, types, units) = (said("HELP"), said("TYPE"), said("UNIT"));
        let figures = server.figures().await;
        let mut used = HashSet::new();
        for name in figures.names() {
            let of_ours = name.starts_with("chat_") || name.starts_with("process_");
            assert!(of_ours, "{name}");
            // The suffixes that a type adds to the name of a figure.
            let suffixes = ["", "_total", "_bucket", "_sum", "_count"];
            let (figure, suffix) = suffixes
                .iter()
                .filter_map(|suffix| Some((name.strip_suffix(suffix)?, *suffix)))
                .find(|(figure, _)| types.contains_key(figure))
                .unwrap_or_else(|| panic!("{name} has no type"));
            match types[figure] {
                "gauge" => assert_eq!(suffix, "", "{name}"),
                "counter" => assert_eq!(suffix, "_total", "{name}"),
                "histogram" => assert!(suffixes[2..].contains(&suffix), "{name}"),
                other => panic!("{name} is a {other}"),
            }
            let help = help
                .get(figure)
                .unwrap_or_else(|| panic!("{name}: no help"));
            assert!(help.len() > 5 && help.ends_with('.'), "{name}: {help}");
            let unit = figure.rsplit('_').next();
            let unit = unit.filter(|unit| ["seconds", "bytes", "ratio"].contains(unit));
            assert_eq!(units.get(figure).copied(), unit, "{name}");
            used.insert(figure);
        }
        assert_eq!(used, types.keys().copied().collect(), "each has a value");
        let of_all = |series: &&String| name(series) == "chat_pool_threads";
        assert_eq!(figures.0.keys().filter(of_all).count(), 1);
    });
}

/// Returns the words of `text` that are names of figures.
fn figures_in(text: &str) -> impl Iterator<Item = &str> {
    let ours = |word: &&str| word.starts_with("chat_") || word.starts_with("process_");
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(ours)
}

/// Returns all values of a key, at any depth.
fn all<'a>(json: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match json {
        Value::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|value| all(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| all(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_figures_that_there_are() {
    run(async {
        let server = Server::start();
        let figures = server.figures().await;
        let names = figures.names();
        let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
        let mut queries = Vec::new();
        all(&dashboard["panels"], "expr", &mut queries);
        let mut shown = HashSet::new();
        for query in queries {
            let query = query.as_str().expect("text");
            let asked: Vec<_> = figures_in(query).collect();
            assert!(!asked.is_empty(), "{query} asks for nothing");
            for name in &asked {
                assert!(names.contains(name), "{query}: there is no {name}");
            }
            shown.extend(asked);
        }
        assert!(shown.len() > 25, "{shown:?}");
        // The labels exist, and the ids of panels differ.
        for label in ["reason", "code", "type", "pool", "le"] {
            let by = format!("{label}=\"");
            assert!(figures.0.keys().any(|series| series.contains(&by)), "{by}");
        }
        let panels = dashboard["panels"].as_array().expect("panels");
        let ids: HashSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
        assert_eq!(ids.len(), panels.len());
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        }
    });
}
