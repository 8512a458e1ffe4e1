//! The report as one HTML page without scripts or requests to other hosts.

mod plots;

use std::{env, time::SystemTime};

use askama::Template;
use sysinfo::System;

use self::plots::{Plot, number};
use super::{redact::without_secrets, report::Report, verdict::Limit};

#[derive(Template)]
#[template(path = "load.html")]
struct Page<'a> {
    report: &'a Report,
    limit: Option<&'a Limit>,
    /// Plots of the search, if there was one.
    steps: Vec<Plot>,
    /// Plots of the run, or of the step at the limit.
    plots: Vec<Plot>,
    command: &'a str,
    date: String,
    machine: String,
    system: String,
}

/// Returns the page of a report that the command line made.
pub(super) fn html(report: &Report, command: &str) -> askama::Result<String> {
    let mut system = System::new();
    system.refresh_memory();
    system.refresh_cpu_all();
    let cpus = system.cpus();
    let cpu = cpus.first().map_or("", |cpu| cpu.brand());
    let memory = number(system.total_memory() as f64 / f64::from(1 << 30));
    let name = System::long_os_version().unwrap_or_default();
    let kernel = System::kernel_version().unwrap_or_default();
    let limit = report.limit.as_ref();
    let page = Page {
        report,
        limit,
        steps: limit.map(plots::of_search).unwrap_or_default(),
        plots: plots::of_run(report),
        command,
        date: httpdate::fmt_http_date(SystemTime::now()),
        machine: format!("{cpu}, {} cores, {memory} GiB of memory", cpus.len()),
        system: format!("{name}, kernel {kernel}"),
    };
    page.render()
}

/// Returns the command line as typed in a shell, without secrets and the program's folder.
pub(super) fn command_line() -> String {
    let mut words = without_secrets(env::args());
    if let Some(program) = words.first_mut() {
        *program = program.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=:/.,%+@".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        goals::{Goal, Goals, Step},
        moments::{Moment, PoolMoment, ServerMoment},
        verdict::Bound,
    };
    use super::*;

    const COMMAND: &str = "chat-demo load --rooms '<b>'";

    /// A run of ten moments.
    pub(super) fn report() -> Report {
        let moment = |n: u32| {
            let up = f64::from(n);
            let pool = |capacity, in_flight| PoolMoment {
                capacity,
                in_flight,
                queued: u64::from(n),
                threads: 2,
                ..PoolMoment::default()
            };
            Moment {
                at_s: 0.5 * (up + 1.0),
                sent: 100,
                delivered: 10_000 - u64::from(n) * 100,
                p50_ms: 1.4 + 0.1 * up,
                p99_ms: 3.0 + up * up,
                max_ms: 9.0 + up * up * up,
                members: 1000,
                server: Some(ServerMoment {
                    cpu_percent: 60.0 + up,
                    rss_bytes: (40 << 20) + (u64::from(n) << 18),
                    machine_cpu_percent: Some(70.0 + 2.0 * up),
                    machine_memory_percent: Some(30.0),
                    outbox_frames: u64::from(n) * 7,
                    pools: [
                        ("connections", pool(16_384, 1000)),
                        ("fanout", pool(1024, 3)),
                    ]
                    .map(|(name, pool)| (name.to_owned(), pool))
                    .into(),
                }),
                ..Moment::default()
            }
        };
        Report {
            connections: 1000,
            rooms: 10,
            sent: 1000,
            expected: 100_000,
            delivered: 100_000,
            deliveries_per_s: 20_000.0,
            p50_ms: 1.7,
            p99_ms: 40.0,
            p999_ms: 90.0,
            max_ms: 120.5,
            publish_seconds: 5.0,
            timeline: (0..10).map(moment).collect(),
            percentiles: vec![
                (0.0, 0.5),
                (0.5, 1.7),
                (0.9, 4.0),
                (0.99, 40.0),
                (0.9999, 120.0),
                (1.0, 120.5),
            ],
            ..Report::default()
        }
    }

    /// A report with a search.
    pub(super) fn searched() -> Report {
        let step = |rate: f64, p99_ms: f64| Step {
            rate,
            search: 1,
            deliveries_per_s: rate * 100.0,
            p50_ms: 1.0,
            p99_ms,
            cpu_percent: Some(rate / 3.0),
            memory_percent: Some(31.0),
            broke: if p99_ms > 50.0 {
                vec![Goal::Latency]
            } else {
                Vec::new()
            },
            ..Step::default()
        };
        let limit = Limit {
            rate: 200.0,
            deliveries_per_s: 20_000.0,
            p99_ms: 38.0,
            cpu_percent: Some(70.0),
            memory_percent: Some(31.0),
            bound_by: Bound::Latency,
            advice: Bound::Latency.advice(),
            noise_percent: 9.0,
            goals: Goals {
                p99_ms: 50.0,
                cpu_percent: 85.0,
                memory_percent: 90.0,
            },
            options: vec!["--threads".to_owned(), "4".to_owned()],
            limits: vec![200.0, 195.0, 210.0],
            steps: vec![
                step(128.0, 4.0),
                step(204.0, 38.0),
                step(220.0, 80.0),
                step(330.0, 900.0),
            ],
        };
        Report {
            limit: Some(limit),
            ..report()
        }
    }

    /// Writes pages for inspection, if a folder is set.
    fn keep(name: &str, page: &str) {
        if let Ok(folder) = std::env::var("PAGES") {
            std::fs::write(format!("{folder}/{name}.html"), page).unwrap();
        }
    }
    #[test]
    fn the_page_of_a_run_shows_its_figures_and_its_plots() {
        let page = html(&report(), COMMAND).expect("it is made");
        keep("run", &page);
        for text in [
            "each once and in order",
            "20,000",
            "Latency over time",
            "Pool “fanout”",
            "GMT",
        ] {
            assert!(page.contains(text), "{text} is missing");
        }
        assert!(!page.contains("Rate and latency"), "there was no search");
    }

    #[test]
    fn the_page_of_a_search_shows_its_limit_and_its_advice() {
        let page = html(&searched(), COMMAND).expect("it is made");
        keep("search", &page);
        for text in [
            "Rate and latency",
            "3 times",
            "--threads 4",
            "the network",
            "± 9&nbsp;%",
        ] {
            assert!(page.contains(text), "{text} is missing");
        }
        let fallback = "Queued tasks wait for a thread";
        assert!(!page.contains(fallback), "a plot has no text of its own");
    }

    #[test]
    fn the_page_has_no_scripts_and_no_external_links() {
        let page = html(&searched(), COMMAND).expect("it is made");
        for needs in ["<script", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(needs), "{needs}");
        }
    }

    #[test]
    fn texts_of_errors_are_escaped() {
        let page = html(&report(), COMMAND).expect("it is made");
        assert!(
            page.contains("&#60;b&#62;") && !page.contains("<b>"),
            "{}",
            COMMAND
        );
    }

    #[test]
    fn a_search_without_a_limit_has_a_page() {
        let page = html(&Report::default(), "").expect("it is made");
        assert!(page.contains("</html>"));
        let limit = Some(Limit::default());
        let nothing = Report {
            limit,
            ..Report::default()
        };
        let page = html(&nothing, "").expect("it is made");
        assert!(page.contains("No rate met the goals"), "{page}");
    }

    #[test]
    fn words_of_the_command_can_be_pasted_into_a_shell() {
        let words = ["--json", "a b", "it's", ""].map(quoted);
        assert_eq!(words.join(" "), r"--json 'a b' 'it'\''s' ''");
    }

    #[test]
    fn errors_are_listed_by_kind() {
        let report = Report {
            errors: 2,
            error_kinds: [("hung up".to_owned(), 2)].into(),
            ..Report::default()
        };
        let page = html(&report, "").expect("it is made");
        assert!(page.contains("2 × hung up"), "{page}");
    }

    #[test]
    fn numbers_have_few_digits() {
        for (value, text) in [
            (0.456, "0.46"),
            (3.0, "3"),
            (12.34, "12.3"),
            (1234.9, "1,235"),
            (-999.0, "-999"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
