//! The plots of the README and the documents: SVG files for a light and a dark page, drawn from
//! recorded figures.

mod chat;
mod growth;
mod mixed;
mod noop;
mod theme;

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;

use crate::recorded::Recorded;
use theme::Theme;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Writes each plot whose figures were recorded, once for each theme, into a folder.
pub(crate) fn write(recorded: &Recorded, folder: &Path) -> Result<(), Box<dyn Error>> {
    let unwritable = |error| format!("cannot write to `{}`: {error}", folder.display());
    fs::create_dir_all(folder).map_err(unwritable)?;
    for theme in [Theme::light(), Theme::dark()] {
        for (name, svg) in [
            ("noop", noop::plot(recorded, &theme)?),
            ("growth", growth::plot(recorded, &theme)?),
            ("mixed", mixed::plot(recorded, &theme)?),
            ("chat-plot", chat::plot(recorded, &theme)?),
        ] {
            if let Some(svg) = svg {
                let file = format!("{name}{}.svg", theme.suffix);
                fs::write(folder.join(file), svg + "\n").map_err(unwritable)?;
            }
        }
    }
    Ok(())
}

/// Draws an SVG of this size without a background, so that the page shows through.
fn drawn(
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&root)?;
        root.present()?;
    }
    Ok(svg)
}

/// Sets what the meshes of all plots with lines share.
fn style<X: Ranged, Y: Ranged>(mesh: &mut MeshStyle<'_, '_, X, Y, SVGBackend<'_>>, theme: &Theme) {
    mesh.disable_x_mesh()
        .bold_line_style(theme.grid)
        .light_line_style(TRANSPARENT)
        .axis_style(theme.grid)
        .label_style(("sans-serif", 13).into_font().color(&theme.text));
}

/// Draws a line of a peer with a dot at each point. The pool's line is thicker.
fn draw_line<X: Ranged<ValueType = f64>, Y: Ranged<ValueType = f64>>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    (peer, colour): (&str, RGBColor),
    points: Vec<(f64, f64)>,
) -> Result<(), Box<dyn Error>> {
    let width = if peer == "anthill" { 4 } else { 2 };
    let dots = points
        .iter()
        .map(|&point| Circle::new(point, width + 1, colour.filled()));
    chart.draw_series(dots.collect::<Vec<_>>())?;
    chart.draw_series(LineSeries::new(points, colour.stroke_width(width)))?;
    Ok(())
}

/// Draws a legend of peers and the colours of their lines.
fn name_lines<'a>(
    area: &Area<'_>,
    lines: impl Iterator<Item = (&'a str, RGBColor)>,
    theme: &Theme,
) -> Result<(), Box<dyn Error>> {
    let font = ("sans-serif", 13).into_font().color(&theme.text);
    let mut at = 20;
    for (peer, colour) in lines {
        let stroke = colour.stroke_width(4);
        area.draw(&PathElement::new([(at, 14), (at + 18, 14)], stroke))?;
        let name = title(peer);
        area.draw(&Text::new(name.to_owned(), (at + 24, 8), font.clone()))?;
        at += 52 + 7 * i32::try_from(name.len())?;
    }
    Ok(())
}

/// Formats a number of an axis.
fn short(number: f64) -> String {
    if number >= 1e6 {
        format!("{}M", number / 1e6)
    } else if number >= 1e3 {
        format!("{}k", number / 1e3)
    } else {
        number.to_string()
    }
}

/// Returns the name of a peer for readers.
fn title(peer: &str) -> &str {
    match peer {
        "ants" => "ants (Go)",
        "async-lock" => "async-executor + async_lock",
        "async-executor-blocking" => "async-executor + blocking",
        "crossbeam-channel" => "crossbeam-channel + threads",
        "kanal" => "kanal + threads",
        "pond" => "pond (Go)",
        "tokio-blocking" => "tokio + spawn_blocking",
        "tokio-inline" => "tokio, closures inline",
        "tokio-rayon" => "tokio + rayon",
        "tokio-semaphore" => "tokio + its semaphore",
        name => name,
    }
}
