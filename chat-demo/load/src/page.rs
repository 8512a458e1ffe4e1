//! The report as one HTML page without scripts or requests to other hosts.

mod about;
mod figures;
mod plot;
mod plots;
mod scale;

use askama::Template;
use thiserror::Error;

pub(super) use self::about::About;
pub use self::plot::PlotError;
use self::{
    figures::{Figure, number},
    plot::Drawing,
};
use super::{report::Report, verdict::Limit};

/// Why the page could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PageError {
    /// A plot could not be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The template could not be rendered.
    #[error("cannot make the page: {0}")]
    Page(#[from] askama::Error),
}

/// The data of `templates/load.html`.
#[derive(Template)]
#[template(path = "load.html")]
struct Page<'a> {
    report: &'a Report,
    about: &'a About,
    figures: Vec<Figure>,
    limit: Option<&'a Limit>,
    /// Plots of the search, if there was one.
    steps: Vec<Drawing>,
    drawings: Vec<Drawing>,
}

/// Returns the page of a report.
pub(super) fn html(report: &Report, about: &About) -> Result<String, PageError> {
    let steps = report
        .limit
        .as_ref()
        .map(|limit| draw(&plots::of_search(limit)));
    let page = Page {
        report,
        about,
        figures: figures::of(report),
        limit: report.limit.as_ref(),
        steps: steps.transpose()?.unwrap_or_default(),
        drawings: draw(&plots::of_run(report))?,
    };
    Ok(page.render()?)
}

/// Filters of the template.
#[expect(
    clippy::inline_always,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    unreachable_pub,
    reason = "the macro's"
)]
mod filters {
    use std::borrow::Borrow;

    use askama::{Values, filter_fn};

    #[filter_fn]
    pub(super) fn number<N: Borrow<f64>>(value: N, _: &dyn Values) -> askama::Result<String> {
        Ok(crate::page::figures::number(*value.borrow()))
    }
}

fn draw(plots: &[plot::Plot]) -> Result<Vec<Drawing>, PlotError> {
    let plots = plots.iter().filter(|plot| plot.has_points());
    plots.map(plot::Plot::draw).collect()
}

impl Limit {
    /// Returns the limits of all searches.
    fn found(&self) -> String {
        let limits = self.limits.iter().map(|limit| number(*limit));
        limits.collect::<Vec<_>>().join(" and ")
    }
}

impl Page<'_> {
    /// Returns the result of the run in a sentence.
    fn outcome(&self) -> String {
        let Report {
            connections,
            rooms,
            delivered,
            deliveries_per_s,
            p50_ms,
            p99_ms,
            ..
        } = self.report;
        let clean = if self.report.is_clean() {
            "each once and in order"
        } else {
            "with errors: see the figures"
        };
        format!(
            "{} members of {} rooms got {} messages, {clean}. That is {} deliveries a second; half of them took no longer than {} ms, 99 of 100 no longer than {} ms.",
            number(*connections as f64),
            number(*rooms as f64),
            number(*delivered as f64),
            number(*deliveries_per_s),
            number(*p50_ms),
            number(*p99_ms),
        )
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

    fn about() -> About {
        About {
            command: "chat-demo load --rooms '<b>'".to_owned(),
            ..About::here()
        }
    }

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
            advice: Bound::Latency.advice().to_owned(),
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
        let page = html(&report(), &about()).expect("it is made");
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
        let page = html(&searched(), &about()).expect("it is made");
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
    }

    #[test]
    fn the_page_has_no_scripts_and_no_external_links() {
        let page = html(&searched(), &about()).expect("it is made");
        for needs in ["<script", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(needs), "{needs}");
        }
    }

    #[test]
    fn texts_of_errors_are_escaped() {
        let page = html(&report(), &about()).expect("it is made");
        assert!(
            page.contains("&#60;b&#62;") && !page.contains("<b>"),
            "{}",
            about().command
        );
    }

    #[test]
    fn a_search_without_a_limit_has_a_page() {
        let page = html(&Report::default(), &About::default()).expect("it is made");
        assert!(page.contains("</html>"));
        let limit = Some(Limit::default());
        let nothing = Report {
            limit,
            ..Report::default()
        };
        let page = html(&nothing, &About::default()).expect("it is made");
        assert!(page.contains("No rate met the goals"), "{page}");
    }
}
