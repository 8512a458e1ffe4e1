//! Lines: the latency of echoes while closures of growing length fill the pool.

use std::error::Error;

use plotters::prelude::*;

use super::theme::Theme;
use super::{Area, draw_line, drawn, name_lines, style};
use crate::recorded::{Figures, Recorded};

const SIZE: (u32, u32) = (860, 360);
/// Height of the legend below both panels.
const LEGEND: i32 = 34;
/// The panels: a figure and its heading.
const PANELS: [(&str, &str); 2] = [("p50_ns", "echo p50, ms"), ("p99_ns", "echo p99, ms")];
/// The vertical axis, in milliseconds.
const AXIS: std::ops::Range<f64> = 0.05..10_000.0;

/// One peer's records, from no closures to the longest.
struct Line<'a> {
    peer: &'a str,
    colour: RGBColor,
    records: Vec<&'a Figures>,
}

/// Returns the plot, or `None` if its figures were not recorded.
pub(super) fn plot(recorded: &Recorded, theme: &Theme) -> Result<Option<String>, Box<dyn Error>> {
    let lines = lines(&recorded.mixed(), theme);
    if lines.is_empty() {
        return Ok(None);
    }
    let svg = drawn(SIZE, |root| {
        let (panels, legend) = root.split_vertically(i32::try_from(SIZE.1)? - LEGEND);
        let areas = panels.split_evenly((1, PANELS.len()));
        for (area, (figure, heading)) in areas.iter().zip(PANELS) {
            panel(area, figure, heading, &lines, theme)?;
        }
        let names = lines.iter().map(|line| (line.peer, line.colour));
        name_lines(&legend, names.rev(), theme)
    })?;
    Ok(Some(svg))
}

/// Returns the lines in the order of drawing: the pool last, so that it stays visible where lines
/// meet.
fn lines<'a>(records: &[&'a Figures], theme: &Theme) -> Vec<Line<'a>> {
    let mut lines = Vec::<Line<'_>>::new();
    for record in records {
        match lines.iter_mut().find(|line| line.peer == record.peer) {
            Some(line) => line.records.push(record),
            None => lines.push(Line {
                peer: &record.peer,
                colour: theme.ours,
                records: vec![record],
            }),
        }
    }
    // Two pools side by side are a control, not a peer.
    lines.retain(|line| line.peer != "anthill-two-pools");
    lines.sort_by_key(|line| line.peer == "anthill");
    for (line, colour) in lines
        .iter_mut()
        .filter(|line| line.peer != "anthill")
        .zip(theme.peers.iter().cycle())
    {
        line.colour = *colour;
    }
    lines
}

fn panel(
    area: &Area<'_>,
    figure: &str,
    heading: &str,
    lines: &[Line<'_>],
    theme: &Theme,
) -> Result<(), Box<dyn Error>> {
    let lengths = lines.iter().map(|line| line.records.len()).max();
    let last = lengths.unwrap_or(1).saturating_sub(1) as f64;
    let labels = lines.iter().max_by_key(|line| line.records.len());
    let length = |at: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a position on the axis is small and not negative"
        )]
        let record = labels.and_then(|line| line.records.get(at.round() as usize));
        record.map_or_else(String::new, |record| match record.busy_us {
            None => "none".to_owned(),
            Some(busy) => format!("{} ms", busy as f64 / 1e3),
        })
    };
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(heading, ("sans-serif", 16).into_font().color(&theme.text))
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(-0.2..last + 0.2, AXIS.log_scale())?;
    let mut mesh = chart.configure_mesh();
    style(&mut mesh, theme);
    mesh.x_labels(lengths.unwrap_or(1))
        .x_label_formatter(&|at| length(*at))
        .x_desc("closures that fill the pool")
        .y_label_formatter(&|at| at.to_string())
        .draw()?;
    for line in lines {
        let records = line.records.iter().enumerate();
        let points =
            records.filter_map(|(at, record)| Some((at as f64, record.median(figure)? / 1e6)));
        draw_line(&mut chart, (line.peer, line.colour), points.collect())?;
    }
    Ok(())
}
