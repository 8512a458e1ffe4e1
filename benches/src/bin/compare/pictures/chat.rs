//! Lines: what the chat server needs for a connection, and how fast it delivers, as numbers grow.

use std::error::Error;

use plotters::prelude::*;

use super::theme::Theme;
use super::{Area, draw_line, drawn, short, style};
use crate::recorded::{Figures, Recorded};

const SIZE: (u32, u32) = (860, 300);

/// One panel: its heading, its records' work, figure and dimension, and the end of the vertical axis.
struct Panel {
    heading: &'static str,
    work: &'static str,
    figure: &'static str,
    most: f64,
    at: fn(&Figures) -> Option<usize>,
}

const PANELS: [Panel; 2] = [
    Panel {
        heading: "bytes a connection against connections",
        work: "chat_connections",
        figure: "bytes_per_connection",
        most: 5_000.0,
        at: |one| one.connections,
    },
    Panel {
        heading: "deliveries a second against members of a room",
        work: "chat_rooms",
        figure: "deliveries_per_second",
        most: 2e6,
        at: |one| one.members,
    },
];

/// Returns the plot, or `None` if its figures were not recorded.
pub(super) fn plot(recorded: &Recorded, theme: &Theme) -> Result<Option<String>, Box<dyn Error>> {
    let lines = PANELS.map(|panel| points(&panel, recorded.of(panel.work)));
    if lines.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let svg = drawn(SIZE, |root| {
        let areas = root.split_evenly((1, PANELS.len()));
        for ((area, panel), line) in areas.iter().zip(&PANELS).zip(lines.clone()) {
            draw(area, panel, line, theme)?;
        }
        Ok(())
    })?;
    Ok(Some(svg))
}

/// Returns the points of a line, from left to right.
fn points<'a>(panel: &Panel, records: impl Iterator<Item = &'a Figures>) -> Vec<(f64, f64)> {
    let point = |one: &'a Figures| Some(((panel.at)(one)? as f64, one.median(panel.figure)?));
    let mut points = records.filter_map(point).collect::<Vec<_>>();
    points.sort_by(|(one, _), (next, _)| one.total_cmp(next));
    points
}

fn draw(
    area: &Area<'_>,
    panel: &Panel,
    line: Vec<(f64, f64)>,
    theme: &Theme,
) -> Result<(), Box<dyn Error>> {
    let (Some((least, _)), Some((most, _))) = (line.first(), line.last()) else {
        return Ok(());
    };
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(
            panel.heading,
            ("sans-serif", 16).into_font().color(&theme.text),
        )
        .x_label_area_size(28)
        .y_label_area_size(56)
        .build_cartesian_2d((least * 0.8..most * 1.25).log_scale(), 0.0..panel.most)?;
    let mut mesh = chart.configure_mesh();
    style(&mut mesh, theme);
    mesh.x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|at| short(*at))
        .y_label_formatter(&|at| short(*at))
        .draw()?;
    draw_line(&mut chart, ("anthill", theme.ours), line)
}
