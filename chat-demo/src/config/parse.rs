//! How the values of options are read.

use std::time::Duration;

pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("not a whole number".to_owned()),
    }
}

/// 0 to 100.
pub(crate) fn percent(text: &str) -> Result<u8, String> {
    match text.strip_suffix('%').unwrap_or(text).parse() {
        Ok(percent @ 0..=100) => Ok(percent),
        _ => Err("not a percentage, from 0 to 100".to_owned()),
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u32 = number
        .parse()
        .map_err(|_| "not a time, like 500ms, 10s or 2m".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number.into())),
        "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_secs(u64::from(number) * 60)),
        "h" => Ok(Duration::from_secs(u64::from(number) * 3600)),
        "" => Err(format!(
            "a unit is missing: {number}ms, {number}s, {number}m or {number}h"
        )),
        _ => Err(format!("unknown unit {unit:?}: use ms, s, m or h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_whole_and_at_most_a_hundred() {
        for (text, is) in [("0", 0), ("85", 85), ("90%", 90), ("100", 100)] {
            assert_eq!(percent(text), Ok(is));
        }
        for wrong in ["", "%", "101", "-1", "8.5", "many"] {
            assert!(percent(wrong).is_err(), "{wrong:?} passed");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for wrong in ["", "s", "10", "10d", "-1s", "1.5s", "99999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong:?} passed");
        }
    }
}
