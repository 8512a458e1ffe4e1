//! The plots of the README: SVG files for a light and a dark page, drawn from recorded figures.

mod mixed;
mod noop;
mod theme;

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::coord::Shift;
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
            ("mixed", mixed::plot(recorded, &theme)?),
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

/// Returns the name of a peer for readers.
fn title(peer: &str) -> &str {
    match peer {
        "ants" => "ants (Go)",
        "async-executor-blocking" => "async-executor + blocking",
        "crossbeam-channel" => "crossbeam-channel + threads",
        "tokio-blocking" => "tokio + spawn_blocking",
        "tokio-inline" => "tokio, closures inline",
        "tokio-rayon" => "tokio + rayon",
        name => name,
    }
}
