//! Colours for a light and a dark page.

use plotters::prelude::*;

pub(super) struct Theme {
    /// What the names of this theme's files end with.
    pub(super) suffix: &'static str,
    pub(super) text: RGBColor,
    pub(super) grid: RGBColor,
    pub(super) ours: RGBColor,
    /// A bar of a peer.
    pub(super) peer: RGBColor,
    /// Lines of peers, in their order.
    pub(super) peers: [RGBColor; 4],
}

impl Theme {
    pub(super) fn light() -> Self {
        Self {
            suffix: "",
            text: RGBColor(31, 35, 40),
            grid: RGBColor(209, 217, 224),
            ours: RGBColor(196, 73, 0),
            peer: RGBColor(139, 158, 179),
            peers: [
                RGBColor(9, 105, 218),
                RGBColor(26, 127, 55),
                RGBColor(130, 80, 223),
                RGBColor(110, 119, 129),
            ],
        }
    }

    pub(super) fn dark() -> Self {
        Self {
            suffix: "-dark",
            text: RGBColor(230, 237, 243),
            grid: RGBColor(61, 68, 77),
            ours: RGBColor(255, 140, 66),
            peer: RGBColor(88, 110, 134),
            peers: [
                RGBColor(88, 166, 255),
                RGBColor(63, 185, 80),
                RGBColor(188, 140, 255),
                RGBColor(145, 152, 161),
            ],
        }
    }
}
