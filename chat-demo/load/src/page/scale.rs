//! The scale of an axis, and its labels.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// The approximate number of marks on an axis.
const MARKS: f64 = 6.0;

/// How an axis maps its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Linear, from 0.
    Linear,
    /// Logarithmic; values must be above 0.
    Log,
    /// Logarithmic with a place for 0, for counts of very different sizes.
    Counts,
    /// Quantiles by their number of nines: 0.9, 0.99, 0.999.
    Nines,
}

/// An axis: a range of places, with marks.
#[derive(Clone, Debug)]
pub(super) struct Places {
    scale: Scale,
    pub(super) first: f64,
    pub(super) last: f64,
    marks: Vec<f64>,
}

impl Scale {
    /// Returns the place of a value, if it is on the scale.
    pub(super) fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear => value,
            Self::Log => value.log10(),
            Self::Counts => (1.0 + value).log10(),
            Self::Nines => -(1.0 - value).log10(),
        };
        place.is_finite().then_some(place)
    }

    /// Returns an axis that covers the values.
    pub(super) fn places(self, places: impl Iterator<Item = f64>) -> Places {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for place in places {
            (low, high) = (low.min(place), high.max(place));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let (first, last, marks) = match self {
            Self::Linear => linear(high),
            Self::Log => log(low, high),
            Self::Counts => {
                let high = high.max(1.0);
                let powers = (0..=whole(high.ceil())).map(|power| 10_f64.powi(power));
                let marks = std::iter::once(0.0).chain(powers);
                let marks = marks.filter_map(|mark| self.place(mark));
                let last = high * 1.05;
                (0.0, last, marks.filter(|mark| *mark <= last).collect())
            }
            Self::Nines => {
                let last = high.ceil().max(1.0);
                (0.0, last, (0..=whole(last)).map(f64::from).collect())
            }
        };
        Places {
            scale: self,
            first,
            last,
            marks,
        }
    }

    /// Returns the label of a place.
    pub(super) fn label(self, place: f64) -> String {
        match self {
            Self::Linear => short(place),
            Self::Log => short(10_f64.powf(place)),
            Self::Counts => short((10_f64.powf(place) - 1.0).round()),
            Self::Nines => {
                let percent = (1.0 - 10_f64.powf(-place)) * 100.0;
                let digits = usize::try_from(whole(place) - 2).unwrap_or(0);
                format!("{percent:.digits$}%")
            }
        }
    }
}

impl Ranged for Places {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, limit: (i32, i32)) -> i32 {
        let share = (place - self.first) / (self.last - self.first);
        limit.0 + whole((share * f64::from(limit.1 - limit.0)).round())
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.first..self.last
    }
}

impl ValueFormatter<f64> for Places {
    fn format_ext(&self, place: &f64) -> String {
        self.scale.label(*place)
    }
}

/// Returns a range from 0 with marks at multiples of 1, 2 or 5.
fn linear(high: f64) -> (f64, f64, Vec<f64>) {
    let high = if high > 0.0 { high * 1.05 } else { 1.0 };
    let rough = high / MARKS;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let marks = (0..=whole(high / step)).map(|n| f64::from(n) * step);
    (0.0, high, marks.collect())
}

/// Returns marks at powers of ten, with more between them where there are few.
fn log(low: f64, high: f64) -> (f64, f64, Vec<f64>) {
    let (low, high) = (low - 0.05, high.max(low + 0.3) + 0.05);
    let powers = || (whole(low.floor())..=whole(high.ceil())).map(f64::from);
    let marks: Vec<f64> = if high - low < 1.0 {
        let (_, _, round) = linear(10_f64.powf(high) - 10_f64.powf(low));
        let step = round.get(1).copied().unwrap_or(1.0);
        let first = (10_f64.powf(low) / step).ceil();
        (0..=round.len())
            .map(|n| ((first + n as f64) * step).log10())
            .collect()
    } else if high - low < 3.0 {
        powers()
            .flat_map(|power| [power, power + 3_f64.log10()])
            .collect()
    } else {
        powers().collect()
    };
    let marks = marks.into_iter().filter(|mark| (low..=high).contains(mark));
    (low, high, marks.collect())
}

/// Formats a number briefly: 1500 is 1.5k.
pub(super) fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        1e9.. => (value / 1e9, "G"),
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match value.abs() {
        10.0.. => 0,
        1.0.. => 1,
        0.1.. => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let text = match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.'),
        None => &text,
    };
    format!("{text}{unit}")
}

#[expect(clippy::cast_possible_truncation, reason = "marks on an axis are few")]
fn whole(value: f64) -> i32 {
    value as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of an axis for those values.
    fn labels(scale: Scale, values: &[f64]) -> Vec<String> {
        let places: Vec<_> = values
            .iter()
            .filter_map(|value| scale.place(*value))
            .collect();
        let axis = scale.places(places.iter().copied());
        for place in places.iter().chain(&axis.marks) {
            assert!(
                axis.first <= *place && *place <= axis.last,
                "{place} of {axis:?}"
            );
        }
        axis.marks.iter().map(|mark| scale.label(*mark)).collect()
    }

    #[test]
    fn a_linear_axis_begins_at_0_with_round_marks() {
        assert_eq!(
            labels(Scale::Linear, &[3.0, 10.0]),
            ["0", "2", "4", "6", "8", "10"]
        );
        assert_eq!(
            labels(Scale::Linear, &[41_000.0]),
            ["0", "10k", "20k", "30k", "40k"]
        );
        assert_eq!(
            labels(Scale::Linear, &[0.0]),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
    }

    #[test]
    fn a_short_logarithmic_axis_has_marks() {
        assert_eq!(labels(Scale::Log, &[0.5, 800.0]), ["1", "10", "100"]);
        assert_eq!(labels(Scale::Log, &[2.0, 30.0]), ["3", "10", "30"]);
        assert_eq!(
            labels(Scale::Log, &[128.0, 330.0]),
            ["150", "200", "250", "300", "350"]
        );
        assert_eq!(labels(Scale::Log, &[7.0]), ["8", "10", "12", "14"]);
    }

    #[test]
    fn counts_have_a_place_for_0_and_logarithms_none() {
        assert_eq!(
            labels(Scale::Counts, &[0.0, 250.0]),
            ["0", "1", "10", "100"]
        );
        assert_eq!(Scale::Log.place(0.0), None);
    }

    #[test]
    fn shares_are_written_with_all_their_nines() {
        let nines = labels(Scale::Nines, &[0.0, 0.5, 0.9995]);
        assert_eq!(nines, ["0%", "90%", "99%", "99.9%", "99.99%"]);
        assert_eq!(
            Scale::Nines.place(1.0),
            None,
            "all of them have no end of nines"
        );
    }

    #[test]
    fn an_axis_without_values_is_valid() {
        for scale in [Scale::Linear, Scale::Log, Scale::Counts, Scale::Nines] {
            assert!(!labels(scale, &[]).is_empty(), "{scale:?}");
        }
    }
}
