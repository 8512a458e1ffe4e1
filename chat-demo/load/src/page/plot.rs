//! One plot as SVG. Title, legend and explanation are text around it.

use plotters::{
    prelude::{
        ChartBuilder, Circle, IntoDrawingArea, LineSeries, PathElement, RGBColor, SVGBackend, Text,
    },
    style::{Color, IntoFont},
};
use thiserror::Error;

use super::scale::Scale;

/// The size in the plot's own units; the page scales it.
const SIZE: (u32, u32) = (480, 256);
const LETTERS: u32 = 14;
/// The most labels that do not overlap.
const MAX_LABELS: usize = 16;
/// Blue, vermilion, green, purple and orange by Okabe and Ito, which colour-blind readers can
/// distinguish. The style sheet selects by these values for the dark mode and the dashes.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
];
/// Goals are dotted; the limit is solid.
const GOAL: RGBColor = RGBColor(0x66, 0x66, 0x66);
const LIMIT: RGBColor = RGBColor(0x55, 0x55, 0x55);
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);

/// A plot could not be drawn.
#[derive(Debug, Error)]
#[error("cannot draw {title:?}: {why}")]
pub struct PlotError {
    title: String,
    why: String,
}

/// The data of a plot.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) title: String,
    /// How to read it.
    pub(super) reading: &'static str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) unit: &'static str,
    pub(super) scale: Scale,
}

/// A series of values.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
    /// Whether to draw dots without lines, for values without order.
    pub(super) dots: bool,
}

/// A straight line across the plot: vertical for a limit, horizontal for a goal.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) name: String,
    pub(super) at: At,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    X(f64),
    Y(f64),
}

/// A drawn plot.
#[derive(Clone, Debug)]
pub(super) struct Drawing {
    pub(super) title: String,
    pub(super) reading: &'static str,
    pub(super) legend: Vec<Key>,
    pub(super) svg: String,
}

/// An entry of the legend: a name, and the class of its colour.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) class: String,
}

impl Plot {
    /// The legend.
    fn legend(&self) -> Vec<Key> {
        let lines = self.lines.iter().enumerate().map(|(number, line)| Key {
            name: line.name.to_owned(),
            class: format!(
                "{} c{}",
                if line.dots { "dots" } else { "line" },
                number % COLOURS.len()
            ),
        });
        let marks = self.marks.iter().map(|mark| Key {
            name: mark.name.clone(),
            class: match mark.at {
                At::X(_) => "line limit",
                At::Y(_) => "line goal",
            }
            .to_owned(),
        });
        lines.chain(marks).collect()
    }

    /// Returns whether there are points to draw.
    pub(super) fn has_points(&self) -> bool {
        self.lines.iter().any(|line| !self.places(line).is_empty())
    }

    /// Draws the plot.
    pub(super) fn draw(&self) -> Result<Drawing, PlotError> {
        let mut svg = String::new();
        self.draw_on(&mut svg).map_err(|why| PlotError {
            title: self.title.clone(),
            why,
        })?;
        Ok(Drawing {
            title: self.title.clone(),
            reading: self.reading,
            legend: self.legend(),
            // The heading precedes it as text.
            svg: svg.replacen("<svg ", "<svg aria-hidden=\"true\" ", 1),
        })
    }

    fn draw_on(&self, svg: &mut String) -> Result<(), String> {
        let lines: Vec<_> = self.lines.iter().map(|line| self.places(line)).collect();
        let marks: Vec<_> = self
            .marks
            .iter()
            .filter_map(|mark| self.mark(mark))
            .collect();
        let all = || lines.iter().flatten();
        let across = |wanted: fn(&At) -> Option<f64>| marks.iter().filter_map(wanted);
        let xs = all().map(|at| at.0).chain(across(At::x));
        let ys = all().map(|at| at.1).chain(across(At::y));
        let xs = self.x.scale.places(xs);
        let ys = self.y.scale.places(ys);
        let (left, right, bottom, top) = (xs.first, xs.last, ys.first, ys.last);

        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let text = ("sans-serif", LETTERS).into_font().color(&INK);
        area.draw(&Text::new(self.y.unit, (4, 4), text.clone()))
            .map_err(|error| error.to_string())?;
        let mut chart = ChartBuilder::on(&area)
            .margin_top(LETTERS + 12)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(44)
            .build_cartesian_2d(xs, ys)
            .map_err(|error| error.to_string())?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .bold_line_style(GRID)
            .axis_style(LIMIT)
            .label_style(text)
            .x_labels(MAX_LABELS)
            .y_labels(MAX_LABELS)
            .x_desc(self.x.unit)
            .draw()
            .map_err(|error| error.to_string())?;
        for mark in marks {
            let (ends, colour) = match mark {
                At::X(x) => ([(x, bottom), (x, top)], LIMIT),
                At::Y(y) => ([(left, y), (right, y)], GOAL),
            };
            let line = PathElement::new(ends, colour.stroke_width(2));
            chart
                .draw_series([line])
                .map_err(|error| error.to_string())?;
        }
        for (number, (line, places)) in self.lines.iter().zip(lines).enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            if line.dots || places.len() == 1 {
                let dot = |place| Circle::new(place, 4, colour.filled());
                chart
                    .draw_series(places.into_iter().map(dot))
                    .map_err(|error| error.to_string())?;
            } else {
                let drawn = LineSeries::new(places, colour.stroke_width(2));
                chart
                    .draw_series(drawn)
                    .map_err(|error| error.to_string())?;
            }
        }
        drop(chart);
        area.present().map_err(|error| error.to_string())
    }

    /// Returns the points of a line on the axes, without those off the scale.
    fn places(&self, line: &Line) -> Vec<(f64, f64)> {
        let place = |(x, y): &(f64, f64)| Some((self.x.scale.place(*x)?, self.y.scale.place(*y)?));
        line.points.iter().filter_map(place).collect()
    }

    /// Returns the ends of a mark.
    fn mark(&self, mark: &Mark) -> Option<At> {
        Some(match mark.at {
            At::X(x) => At::X(self.x.scale.place(x)?),
            At::Y(y) => At::Y(self.y.scale.place(y)?),
        })
    }
}

impl At {
    fn x(&self) -> Option<f64> {
        match self {
            Self::X(x) => Some(*x),
            Self::Y(_) => None,
        }
    }

    fn y(&self) -> Option<f64> {
        match self {
            Self::X(_) => None,
            Self::Y(y) => Some(*y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        let axis = |unit, scale| Axis { unit, scale };
        Plot {
            title: "Latency".to_owned(),
            reading: "Low is good.",
            x: axis("s", Scale::Linear),
            y: axis("ms", Scale::Log),
            lines: vec![Line {
                name: "p50",
                points,
                dots: false,
            }],
            marks: vec![Mark {
                name: "goal".to_owned(),
                at: At::Y(50.0),
            }],
        }
    }

    #[test]
    fn a_plot_has_its_lines_its_marks_and_its_units() {
        let svg = plot(vec![(0.0, 1.0), (1.0, 0.0), (2.0, 30.0)])
            .draw()
            .expect("it is drawn")
            .svg;
        assert!(svg.starts_with("<svg aria-hidden"), "{svg}");
        assert!(svg.contains("#0072B2") && svg.contains("#666666"), "{svg}");
        let lines = svg.lines().map(str::trim);
        for label in ["ms", "s", "10"] {
            assert!(lines.clone().any(|line| line == label), "{label}: {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn an_empty_plot_is_drawn() {
        assert!(!plot(vec![(1.0, 0.0)]).has_points() && plot(vec![(1.0, 2.0)]).has_points());
        assert!(plot(Vec::new()).draw().is_ok());
        assert!(plot(vec![(f64::NAN, 1.0)]).draw().is_ok());
    }

    #[test]
    fn the_legend_names_lines_and_marks() {
        let names: Vec<_> = plot(Vec::new())
            .legend()
            .into_iter()
            .map(|key| key.name)
            .collect();
        assert_eq!(names, ["p50", "goal"]);
    }
}
