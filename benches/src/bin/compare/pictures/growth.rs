//! Lines: the cost of a closure that does nothing against submitters, workers and capacity.

use std::error::Error;

use plotters::prelude::*;

use super::theme::Theme;
use super::{Area, draw_line, drawn, name_lines, short, style};
use crate::recorded::{Figures, Recorded};

const SIZE: (u32, u32) = (860, 320);
/// Height of the legend below the panels.
const LEGEND: i32 = 34;
const PEERS: [&str; 4] = ["tokio-semaphore", "kanal", "crossbeam-channel", "anthill"];
/// The vertical axis, in nanoseconds.
const AXIS: std::ops::Range<f64> = 10.0..20_000.0;

/// One panel: its heading, its dimension, and whether a record differs in no other dimension.
struct Panel {
    heading: &'static str,
    at: fn(&Figures) -> usize,
    is_in: fn(&Figures, &Figures) -> bool,
}

const PANELS: [Panel; 3] = [
    Panel {
        heading: "submitters",
        at: |one| one.producers,
        is_in: |one, base| one.threads == base.threads && one.capacity == base.capacity,
    },
    Panel {
        heading: "workers",
        at: |one| one.threads,
        is_in: |one, base| one.producers == base.producers && one.capacity == base.capacity,
    },
    Panel {
        heading: "capacity",
        at: |one| one.capacity.unwrap_or(usize::MAX),
        is_in: |one, base| one.producers == base.producers && one.threads == base.threads,
    },
];

/// One peer's records. The first is the base of all panels.
struct Line<'a> {
    peer: &'static str,
    colour: RGBColor,
    records: Vec<&'a Figures>,
}

/// Returns the plot, or `None` if its figures were not recorded.
pub(super) fn plot(recorded: &Recorded, theme: &Theme) -> Result<Option<String>, Box<dyn Error>> {
    let mut peers = theme.peers.iter();
    let lines = PEERS.map(|peer| {
        let ours = peer == "anthill";
        let colour = if ours {
            Some(&theme.ours)
        } else {
            peers.next()
        };
        Line {
            peer,
            colour: *colour.unwrap_or(&theme.peer),
            records: recorded.growth(peer),
        }
    });
    if lines.iter().all(|line| line.records.is_empty()) {
        return Ok(None);
    }
    let svg = drawn(SIZE, |root| {
        let (panels, legend) = root.split_vertically(i32::try_from(SIZE.1)? - LEGEND);
        let areas = panels.split_evenly((1, PANELS.len()));
        for (area, panel) in areas.iter().zip(&PANELS) {
            draw(area, panel, &lines, theme)?;
        }
        let names = lines.iter().map(|line| (line.peer, line.colour));
        name_lines(&legend, names.rev(), theme)
    })?;
    Ok(Some(svg))
}

/// Returns the points of a line in a panel, from left to right.
fn points(panel: &Panel, line: &Line<'_>) -> Vec<(f64, f64)> {
    let Some(base) = line.records.first() else {
        return Vec::new();
    };
    let of_panel = line.records.iter().filter(|one| (panel.is_in)(one, base));
    let point = |one: &&Figures| Some(((panel.at)(one) as f64, one.median("ns_per_task")?));
    let mut points = of_panel.filter_map(point).collect::<Vec<_>>();
    points.sort_by(|(one, _), (next, _)| one.total_cmp(next));
    points
}

fn draw(
    area: &Area<'_>,
    panel: &Panel,
    lines: &[Line<'_>],
    theme: &Theme,
) -> Result<(), Box<dyn Error>> {
    let lines = lines.iter().map(|line| (line, points(panel, line)));
    let lines = lines.collect::<Vec<_>>();
    let all = lines.iter().flat_map(|(_, points)| points);
    let (least, most) = all.fold((f64::MAX, 1.0), |(least, most), &(at, _)| {
        (at.min(least), at.max(most))
    });
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(
            format!("ns against {}", panel.heading),
            ("sans-serif", 16).into_font().color(&theme.text),
        )
        .x_label_area_size(28)
        .y_label_area_size(56)
        .build_cartesian_2d((least * 0.8..most * 1.25).log_scale(), AXIS.log_scale())?;
    let mut mesh = chart.configure_mesh();
    style(&mut mesh, theme);
    mesh.x_labels(6)
        .x_label_formatter(&|at| short(*at))
        .y_label_formatter(&|at| short(*at))
        .draw()?;
    for (line, points) in lines {
        draw_line(&mut chart, (line.peer, line.colour), points)?;
    }
    Ok(())
}
