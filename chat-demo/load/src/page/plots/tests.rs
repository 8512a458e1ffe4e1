//! Tests of the plots.

use super::super::tests::{report, searched};
use super::*;

#[test]
fn counts_of_moments_become_rates() {
    let moments = [(0.5, 10), (1.0, 20), (1.0, 9), (3.0, 20)].map(|(at_s, sent)| Moment {
        at_s,
        sent,
        ..Moment::default()
    });
    let line = per_second("sent", &moments, |moment| moment.sent);
    assert_eq!(line.points, [(0.5, 20.0), (1.0, 40.0), (3.0, 10.0)]);
}

#[test]
fn figures_that_the_server_lacks_have_no_plot() {
    let mut report = report();
    assert_eq!(of_run(&report).len(), 9);
    for moment in &mut report.timeline {
        moment.server = None;
    }
    assert_eq!(of_run(&report).len(), 4);
}

#[test]
fn plots_of_a_search_mark_limit_and_goals() {
    let limit = searched().limit.expect("it was searched");
    let plots = of_search(&limit);
    assert_eq!(plots.len(), 2);
    for plot in plots {
        assert!(
            plot.limit.is_some() && plot.goal.is_some(),
            "{}",
            plot.title
        );
        let svg = plot.svg().expect("it is drawn");
        assert!(svg.contains("#555555") && svg.contains("#666666"), "{svg}");
    }
}

#[test]
fn zeros_have_a_place_on_a_logarithmic_axis() {
    for values in [&[0.0, 30.0][..], &[0.0], &[1000.0], &[]] {
        let points = values.iter().map(|y| (1.0, *y));
        let lines = vec![Line::new("ms", points)];
        let plot = Plot::new("Latency", (SECONDS, Axis::Log("ms")), lines);
        let svg = plot.svg().expect("it is drawn");
        let huge = svg.split('"').filter_map(|part| part.parse().ok());
        assert!(huge.map(f64::abs).all(|at| at < 1000.0), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn a_short_logarithmic_axis_has_labels() {
    let rates = [128.0, 330.0].into_iter();
    assert_eq!(RATE.range(rates), 100.0..1000.0);
    assert_eq!(RATE.label(0.05), "0.05");
    assert_eq!(RATE.label(900.0), "");
}
