//! Bars: the cost of a closure that does nothing, at a large and at the smallest capacity.

use std::error::Error;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::theme::Theme;
use super::{Area, drawn, title};
use crate::recorded::{Figures, Recorded};
use crate::work::grouped;

/// Threads that submit.
const SUBMITTERS: usize = 4;
const CAPACITIES: [usize; 2] = [1_000, 2];
const WIDTH: u32 = 860;
const BAR: u32 = 24;
/// Height of a panel's heading and margins.
const FRAME: u32 = 56;
/// Width for the names of the peers.
const NAMES: u32 = 190;
/// Part of the width that the value of the longest bar needs.
const VALUES: f64 = 1.28;

/// Returns the plot, or `None` if its figures were not recorded.
pub(super) fn plot(recorded: &Recorded, theme: &Theme) -> Result<Option<String>, Box<dyn Error>> {
    let panels = CAPACITIES.map(|capacity| sorted(&recorded.noop(capacity, SUBMITTERS)));
    let bars = panels.each_ref().map(Vec::len).into_iter().max();
    let bars = u32::try_from(bars.unwrap_or(0))?;
    if bars == 0 {
        return Ok(None);
    }
    let svg = drawn((WIDTH, FRAME + BAR * bars), |root| {
        let areas = root.split_evenly((1, CAPACITIES.len()));
        for ((area, capacity), bars) in areas.iter().zip(CAPACITIES).zip(&panels) {
            let heading = format!("capacity {}", grouped(capacity));
            panel(area, &heading, bars, theme)?;
        }
        Ok(())
    })?;
    Ok(Some(svg))
}

/// Returns names and nanoseconds, the slowest first: bars are drawn from the bottom.
fn sorted<'a>(records: &[&'a Figures]) -> Vec<(&'a str, f64)> {
    let bar = |one: &&'a Figures| Some((title(&one.peer), one.median("ns_per_task")?));
    let mut bars = records.iter().filter_map(bar).collect::<Vec<_>>();
    bars.sort_by(|(_, one), (_, next)| next.total_cmp(one));
    bars
}

fn panel(
    area: &Area<'_>,
    heading: &str,
    bars: &[(&str, f64)],
    theme: &Theme,
) -> Result<(), Box<dyn Error>> {
    let Some(&(_, most)) = bars.first() else {
        return Ok(());
    };
    let text = |size: u32, anchor: HPos| {
        let pos = Pos::new(anchor, VPos::Center);
        ("sans-serif", size).into_font().color(&theme.text).pos(pos)
    };
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .caption(
            format!("{heading}: ns for one closure"),
            ("sans-serif", 16).into_font().color(&theme.text),
        )
        .y_label_area_size(NAMES)
        .build_cartesian_2d(0.0..most * VALUES, (0..bars.len() - 1).into_segmented())?;
    for (at, &(name, value)) in bars.iter().enumerate() {
        let ours = name == "anthill";
        let colour = if ours { theme.ours } else { theme.peer };
        let corners = [
            (0.0, SegmentValue::Exact(at)),
            (value, SegmentValue::Exact(at + 1)),
        ];
        let mut bar = Rectangle::new(corners, colour.filled());
        bar.set_margin(3, 3, 0, 0);
        let end = (value, SegmentValue::CenterOf(at));
        let label = EmptyElement::at(end) + Text::new(whole(value), (6, 0), text(13, HPos::Left));
        let start = (0.0, SegmentValue::CenterOf(at));
        let name =
            EmptyElement::at(start) + Text::new(name.to_owned(), (-8, 0), text(13, HPos::Right));
        chart.draw_series([bar])?;
        chart.draw_series([label])?;
        chart.draw_series([name])?;
    }
    Ok(())
}

/// Formats a value without decimals.
fn whole(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is rounded and not negative"
    )]
    let value = value.round() as usize;
    grouped(value)
}
