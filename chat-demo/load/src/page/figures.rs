//! The figures of a report, each with its meaning.

use super::super::report::Report;

/// One line of the table.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) meaning: &'static str,
}

/// Returns the figures of a report.
pub(super) fn of(report: &Report) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut add = |name, value: String, meaning| {
        figures.push(Figure {
            name,
            value,
            meaning,
        });
    };
    let count = |count: u64| number(count as f64);
    let ms = |ms: f64| format!("{} ms", number(ms));
    add(
        "connections",
        format!(
            "{} in {} rooms",
            count(report.connections),
            count(report.rooms)
        ),
        "clients that were members of a room",
    );
    add(
        "connect time",
        format!("{} s", number(report.connect_seconds)),
        "from the first attempt to the last member",
    );
    add("sent", count(report.sent), "published messages");
    add(
        "delivered",
        format!("{} of {}", count(report.delivered), count(report.expected)),
        "each message goes to each member of its room",
    );
    add(
        "lost",
        count(report.lost),
        "expected deliveries that did not arrive",
    );
    add(
        "duplicated",
        count(report.duplicated),
        "deliveries that arrived again",
    );
    add(
        "reordered",
        count(report.reordered),
        "deliveries that arrived after a later one",
    );
    let kinds = report.error_kinds.iter();
    let kinds: Vec<_> = kinds
        .map(|(kind, times)| format!("{} × {kind}", count(*times)))
        .collect();
    add(
        "errors",
        if kinds.is_empty() {
            count(report.errors)
        } else {
            kinds.join("; ")
        },
        "refusals, broken connections and other errors",
    );
    if report.dropped_slow > 0 {
        add(
            "dropped as slow",
            count(report.dropped_slow),
            "slow readers that the server dropped, as intended",
        );
    }
    if report.reconnects > 0 {
        add(
            "reconnects",
            count(report.reconnects),
            "times that a client reconnected",
        );
    }
    add(
        "deliveries a second",
        number(report.deliveries_per_s),
        "the mean, until the last delivery",
    );
    add(
        "p50",
        ms(report.p50_ms),
        "half of the deliveries took no longer",
    );
    add("p99", ms(report.p99_ms), "99 of 100 took no longer");
    add("p99.9", ms(report.p999_ms), "999 of 1,000 took no longer");
    add("slowest", ms(report.max_ms), "none took longer");
    if let Some(bytes) = report.server_rss_bytes_per_connection {
        add(
            "memory of a connection",
            format!("{} bytes", count(bytes)),
            "growth of the server's resident memory for each connection",
        );
    }
    add(
        "load generator",
        format!("{} s of CPU", number(report.cpu_seconds)),
        "CPU time of the measurement",
    );
    figures
}

/// Formats a number with thousands separated and few significant digits.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let text = match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.'),
        None => &text,
    };
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.456, "0.46"),
            (3.0, "3"),
            (1.7, "1.7"),
            (5.000_001, "5"),
            (10.0, "10"),
            (100.0, "100"),
            (12.34, "12.3"),
            (50.0, "50"),
            (1234.5, "1,234"),
            (1_234_567.0, "1,234,567"),
            (-999.0, "-999"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn errors_are_listed_by_kind() {
        let report = Report {
            errors: 2,
            error_kinds: [("hung up".to_owned(), 2)].into(),
            ..Report::default()
        };
        assert!(
            of(&report)
                .iter()
                .any(|figure| figure.value == "2 × hung up")
        );
    }
}
