//! Numbers as a report shows them.

use std::borrow::Borrow;

use indicatif::HumanFloatCount;

/// Formats a number with thousands separated and few significant digits.
pub(super) fn number(value: impl Borrow<f64>) -> String {
    let value = *value.borrow();
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{:.digits$}", HumanFloatCount(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits() {
        for (value, text) in [
            (0.456, "0.46"),
            (3.0, "3"),
            (12.34, "12.3"),
            (1234.9, "1,235"),
            (-999.0, "-999"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
