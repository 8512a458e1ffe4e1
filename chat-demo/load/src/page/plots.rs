//! The plots of a report, drawn as SVG.

use std::{borrow::Borrow, error::Error, ops::Range};

use indicatif::HumanFloatCount;
use plotters::{
    coord::{
        combinators::IntoLogRange,
        ranged1d::{AsRangedCoord, Ranged, ValueFormatter},
    },
    prelude::{
        ChartBuilder, Circle, IntoDrawingArea, LineSeries, PathElement, RGBColor, SVGBackend, Text,
    },
    style::{Color, IntoFont},
};

use super::super::{
    goals::Step,
    moments::{Moment, PoolMoment, ServerMoment},
    report::Report,
    verdict::Limit,
};

/// The size in units of the SVG; the page scales it.
const SIZE: (u32, u32) = (480, 256);
const FONT_SIZE: u32 = 14;
const MAX_LABELS: usize = 10;
/// Blue, vermilion, green, purple and orange of Okabe and Ito, which colour-blind readers can
/// distinguish. The style sheet of the page selects these values and replaces them in dark mode.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
];
const GOAL: RGBColor = RGBColor(0x66, 0x66, 0x66);
const LIMIT: RGBColor = RGBColor(0x55, 0x55, 0x55);
const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);

const SECONDS: Axis = Axis::Linear("seconds since publishing began");
const RATE: Axis = Axis::Log("intended messages a second");
const MIB: f64 = 1_048_576.0;

type PoolFigure = fn(&PoolMoment) -> u64;

const POOL: [(&str, PoolFigure); 5] = [
    ("in flight", |pool| pool.in_flight),
    ("running", |pool| pool.running),
    ("queued", |pool| pool.queued),
    ("waiting", |pool| pool.waiting),
    ("threads", |pool| pool.threads),
];

/// One plot. The page writes its title, legend and explanation as text.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) title: String,
    /// Whether points are drawn as dots, because their order means nothing.
    pub(super) dots: bool,
    pub(super) lines: Vec<Line>,
    /// A value of `x` to mark.
    pub(super) limit: Option<f64>,
    /// A value of `y` to mark, and its name.
    pub(super) goal: Option<(String, f64)>,
    x: Axis,
    y: Axis,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: &'static str,
    points: Vec<(f64, f64)>,
}

impl Line {
    fn new(name: &'static str, points: impl Iterator<Item = (f64, f64)>) -> Self {
        let points = points.collect();
        Self { name, points }
    }
}

#[derive(Clone, Copy, Debug)]
enum Axis {
    Linear(&'static str),
    Log(&'static str),
}

impl Axis {
    fn unit(self) -> &'static str {
        let (Self::Linear(unit) | Self::Log(unit)) = self;
        unit
    }

    /// Returns the label of a value. The values of a logarithmic axis are too close for all labels.
    fn label(self, value: f64) -> String {
        let text = number(value);
        let digits = text.trim_start_matches(['0', '.']);
        if matches!(self, Self::Linear(_)) || digits.starts_with(['1', '2', '5']) {
            text
        } else {
            String::new()
        }
    }

    /// Returns the range of the axis: from 0, or between powers of ten.
    fn range(self, values: impl Iterator<Item = f64>) -> Range<f64> {
        if let Self::Linear(_) = self {
            let high = values.fold(0.0, f64::max);
            return 0.0..if high > 0.0 { high * 1.05 } else { 1.0 };
        }
        let powers = values.filter(|value| *value > 0.0).map(f64::log10);
        let powers: Vec<_> = powers.collect();
        let powers = || powers.iter().copied();
        let low = powers().reduce(f64::min).unwrap_or(0.0).floor();
        let high = powers().reduce(f64::max).unwrap_or(0.0).ceil();
        10_f64.powf(low)..10_f64.powf(high.max(low + 1.0))
    }
}

impl Plot {
    fn new(title: impl Into<String>, (x, y): (Axis, Axis), lines: Vec<Line>) -> Self {
        Self {
            title: title.into(),
            dots: false,
            lines,
            limit: None,
            goal: None,
            x,
            y,
        }
    }

    fn has_points(&self) -> bool {
        self.lines.iter().any(|line| !line.points.is_empty())
    }

    pub(super) fn svg(&self) -> askama::Result<String> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let goal = self.goal.as_ref().map(|goal| goal.1);
        let xs = self.x.range(points().map(|at| at.0).chain(self.limit));
        let ys = self.y.range(points().map(|at| at.1).chain(goal));
        let drawn = match (self.x, self.y) {
            (Axis::Linear(_), Axis::Linear(_)) => self.draw(xs, ys),
            (Axis::Linear(_), Axis::Log(_)) => self.draw(xs, ys.log_scale()),
            (Axis::Log(_), Axis::Linear(_)) => self.draw(xs.log_scale(), ys),
            (Axis::Log(_), Axis::Log(_)) => self.draw(xs.log_scale(), ys.log_scale()),
        };
        drawn.map_err(askama::Error::custom)
    }

    fn draw<X, Y>(&self, xs: X, ys: Y) -> Result<String, Box<dyn Error + Send + Sync>>
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let text = ("sans-serif", FONT_SIZE).into_font();
        area.draw(&Text::new(self.y.unit(), (4, 4), text.clone()))?;
        let mut chart = ChartBuilder::on(&area)
            .margin_top(FONT_SIZE + 12)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(xs, ys)?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .bold_line_style(GRID)
            .axis_style(LIMIT)
            .label_style(text)
            .x_labels(MAX_LABELS)
            .y_labels(MAX_LABELS)
            .x_label_formatter(&|x| self.x.label(*x))
            .y_label_formatter(&|y| self.y.label(*y))
            .x_desc(self.x.unit())
            .draw()?;
        let (xs, ys) = (chart.x_range(), chart.y_range());
        if let Some(x) = self.limit {
            let ends = [(x, ys.start), (x, ys.end)];
            chart.draw_series([PathElement::new(ends, LIMIT.stroke_width(2))])?;
        }
        if let Some((_, y)) = self.goal {
            let ends = [(xs.start, y), (xs.end, y)];
            chart.draw_series([PathElement::new(ends, GOAL.stroke_width(2))])?;
        }
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            // A logarithmic axis has no place for 0: draw it at the edge.
            let points = line.points.iter().map(|&(x, y)| (x, y.max(ys.start)));
            if self.dots || points.len() == 1 {
                chart.draw_series(points.map(|at| Circle::new(at, 4, colour.filled())))?;
            } else {
                chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
            }
        }
        drop(chart);
        area.present()?;
        drop(area);
        Ok(svg)
    }
}

/// Returns the plots of the run, or of the step at the limit.
pub(super) fn of_run(report: &Report) -> Vec<Plot> {
    let moments = &report.timeline;
    let latency = |name, value: fn(&Moment) -> f64| {
        let moments = moments.iter().filter(|moment| moment.delivered > 0);
        Line::new(name, moments.map(|moment| (moment.at_s, value(moment))))
    };
    let slower = |&(share, ms): &(f64, f64)| (share < 1.0).then(|| (1.0 / (1.0 - share), ms));
    let slower = report.percentiles.iter().filter_map(slower);
    let mut plots = vec![
        Plot::new(
            "Latency over time",
            (SECONDS, Axis::Log("ms")),
            vec![
                latency("p50", |moment| moment.p50_ms),
                latency("p99", |moment| moment.p99_ms),
                latency("slowest", |moment| moment.max_ms),
            ],
        ),
        Plot::new(
            "Distribution of the latency",
            (Axis::Log("one delivery of so many"), Axis::Log("ms")),
            vec![Line::new("all deliveries", slower)],
        ),
        Plot::new(
            "Messages sent",
            (SECONDS, Axis::Linear("messages a second")),
            vec![per_second("sent", moments, |moment| moment.sent)],
        ),
        Plot::new(
            "Deliveries",
            (SECONDS, Axis::Linear("deliveries a second")),
            vec![per_second("delivered", moments, |moment| moment.delivered)],
        ),
    ];
    if let Some(limit) = &report.limit {
        for plot in &mut plots[..2] {
            plot.goal = Some(("goal for p99".to_owned(), limit.goals.p99_ms));
        }
    }
    of_server(moments, &mut plots);
    plots.retain(Plot::has_points);
    plots
}

fn of_server(moments: &[Moment], plots: &mut Vec<Plot>) {
    let servers = || {
        let moments = moments.iter();
        moments.filter_map(|moment| Some((moment.at_s, moment.server.as_ref()?)))
    };
    let line = |name, value: fn(&ServerMoment) -> Option<f64>| {
        let point = |(at_s, server)| Some((at_s, value(server)?));
        Line::new(name, servers().filter_map(point))
    };
    plots.push(Plot::new(
        "Processors",
        (SECONDS, Axis::Linear("%")),
        vec![
            line("the server", |server| Some(server.cpu_percent)),
            line("its machine", |server| server.machine_cpu_percent),
        ],
    ));
    plots.push(Plot::new(
        "Memory of the server",
        (SECONDS, Axis::Linear("MiB")),
        vec![line("resident", |server| {
            Some(server.rss_bytes as f64 / MIB)
        })],
    ));
    plots.push(Plot::new(
        "Frames that wait for clients",
        (SECONDS, Axis::Log("frames")),
        vec![line("frames", |server| Some(server.outbox_frames as f64))],
    ));
    let last = servers().next_back().map(|(_, server)| &server.pools);
    for (name, PoolMoment { capacity, .. }) in last.into_iter().flatten() {
        let lines = POOL.map(|(figure, value)| {
            let pool = |(at_s, server): (f64, &ServerMoment)| {
                Some((at_s, value(server.pools.get(name)?) as f64))
            };
            Line::new(figure, servers().filter_map(pool))
        });
        let axes = (SECONDS, Axis::Log("tasks, threads"));
        let title = format!("Pool “{name}”");
        let mut plot = Plot::new(title, axes, lines.into());
        plot.goal = Some((format!("capacity {capacity}"), *capacity as f64));
        plots.push(plot);
    }
}

pub(super) fn of_search(limit: &Limit) -> Vec<Plot> {
    let dots = |name, value: fn(&Step) -> Option<f64>| {
        let point = |step: &Step| Some((step.rate, value(step)?));
        Line::new(name, limit.steps.iter().filter_map(point))
    };
    let latency = Plot::new(
        "Rate and latency",
        (RATE, Axis::Log("p99 in ms")),
        vec![
            dots("met the goals", |step| step.held().then_some(step.p99_ms)),
            dots("missed one", |step| (!step.held()).then_some(step.p99_ms)),
        ],
    );
    let resources = Plot::new(
        "Rate and resources",
        (RATE, Axis::Linear("% of the machine")),
        vec![
            dots("processors", |step| step.cpu_percent),
            dots("memory", |step| step.memory_percent),
        ],
    );
    let goals = limit.goals;
    let plots = [
        (latency, "goal for p99", goals.p99_ms),
        (resources, "goal for the processors", goals.cpu_percent),
    ];
    let plots = plots.map(|(plot, name, goal)| Plot {
        dots: true,
        limit: (limit.rate > 0.0).then_some(limit.rate),
        goal: Some((name.to_owned(), goal)),
        ..plot
    });
    plots.into_iter().filter(Plot::has_points).collect()
}

/// Returns a count of each moment as a rate.
fn per_second(name: &'static str, moments: &[Moment], count: fn(&Moment) -> u64) -> Line {
    let mut before = 0.0;
    let points = moments.iter().filter_map(|moment| {
        let span = moment.at_s - std::mem::replace(&mut before, moment.at_s);
        (span > 0.0).then(|| (moment.at_s, count(moment) as f64 / span))
    });
    Line::new(name, points)
}

/// Formats a number with thousands separated and few significant digits.
pub(crate) fn number(value: impl Borrow<f64>) -> String {
    let value = *value.borrow();
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{:.digits$}", HumanFloatCount(value))
}

#[cfg(test)]
mod tests;
