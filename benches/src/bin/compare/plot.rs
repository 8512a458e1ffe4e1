//! Bar charts of all figures, in one self-contained page.

use std::error::Error;
use std::fmt::Write;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::machine;
use crate::record::{Record, Spread};
use crate::table;
use crate::work::{Shown, Work};

const COLUMNS: usize = 2;
const WIDTH: u32 = 1000;
const BAR: u32 = 20;
/// Height of a chart's title, axis and margins.
const FRAME: u32 = 80;
const OURS: RGBColor = RGBColor(200, 80, 40);
const OTHERS: RGBColor = RGBColor(120, 150, 180);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Returns a page with a plot for each shown figure of each work.
pub(crate) fn page(works: &[(&Work, Vec<Record>)]) -> Result<String, Box<dyn Error>> {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>anthill beside its peers</title>\n\
         <style>body {{ font: 16px/1.4 sans-serif; max-width: {WIDTH}px; margin: 2em auto }} svg {{ max-width: 100% }}</style>\n\
         <h1>anthill beside its peers</h1>\n<p>{}. <code>{}</code></p>\n<p>Bars are medians; the line in each goes from the minimum \
         to the maximum of all rounds.</p>\n",
        escaped(&machine::described()),
        escaped(&machine::command()),
    );
    for (work, records) in works {
        write!(
            page,
            "<h2>{}</h2>\n<p>{}.</p>\n",
            work.name,
            escaped(work.about)
        )?;
        for shown in work.shown {
            if records
                .iter()
                .any(|record| record.figures.contains_key(shown.figure))
            {
                page.push_str(&plot(work, records, shown)?);
            }
        }
    }
    Ok(page)
}

/// Plots one figure, with a chart for each case.
fn plot(work: &Work, records: &[Record], shown: &Shown) -> Result<String, Box<dyn Error>> {
    let cases = records
        .chunk_by(|one, next| one.case == next.case)
        .collect::<Vec<_>>();
    let columns = COLUMNS.min(cases.len());
    let rows = cases.len().div_ceil(columns);
    let bars = cases.iter().map(|records| records.len()).max().unwrap_or(0);
    let height = FRAME + BAR * u32::try_from(bars)?;
    let mut svg = String::new();
    {
        let size = (WIDTH, height * u32::try_from(rows)?);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        for (area, records) in root.split_evenly((rows, columns)).iter().zip(cases) {
            let label = (work.label)(&records[0].case);
            let comma = if label.is_empty() { "" } else { ", " };
            chart(
                area,
                &format!("{label}{comma}{}", shown.heading),
                records,
                shown,
            )?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn chart(
    area: &Area<'_>,
    title: &str,
    records: &[Record],
    shown: &Shown,
) -> Result<(), Box<dyn Error>> {
    let mut bars = records
        .iter()
        .filter_map(|record| Some((record.peer.as_str(), *record.figures.get(shown.figure)?)))
        .collect::<Vec<_>>();
    if bars.is_empty() {
        return Ok(());
    }
    // Bars are drawn from the bottom, and the first peer belongs at the top.
    bars.reverse();
    let largest = bars
        .iter()
        .map(|(_, bar)| bar.max / shown.unit)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 14))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(130)
        .build_cartesian_2d(0.0..largest * 1.05, (0..bars.len() - 1).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_labels(5)
        .x_max_light_lines(1)
        .x_label_formatter(&|at| table::short(*at))
        .y_labels(bars.len())
        .y_label_formatter(&|at| match at {
            SegmentValue::CenterOf(bar) => {
                bars.get(*bar).map_or(String::new(), |bar| bar.0.to_owned())
            }
            _ => String::new(),
        })
        .label_style(("sans-serif", 12))
        .draw()?;
    chart.draw_series(
        bars.iter()
            .enumerate()
            .map(|(at, (peer, Spread { median, .. }))| {
                let colour = if peer.starts_with("anthill") {
                    OURS
                } else {
                    OTHERS
                };
                let corners = [
                    (0.0, SegmentValue::Exact(at)),
                    (median / shown.unit, SegmentValue::Exact(at + 1)),
                ];
                let mut bar = Rectangle::new(corners, colour.filled());
                bar.set_margin(3, 3, 0, 0);
                bar
            }),
    )?;
    chart.draw_series(
        bars.iter()
            .enumerate()
            .map(|(at, (_, Spread { min, max, .. }))| {
                let ends = [min, max].map(|end| (end / shown.unit, SegmentValue::CenterOf(at)));
                PathElement::new(ends, BLACK)
            }),
    )?;
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
