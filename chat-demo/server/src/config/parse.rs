//! Parsers of option values.

use std::ops::RangeBounds;
use std::time::Duration;

/// What a closure for debugging may take. A drain cannot interrupt one, so it must be short.
const BUSY_MIN: Duration = Duration::from_millis(1);
const BUSY_MAX: Duration = Duration::from_secs(1);

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

/// Times that options accept end here: a deadline in a thousand years is still a time of the
/// system.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time <= LONGEST => Ok(time),
        Ok(_) => Err("out of range: use at most 1000 years".to_owned()),
        Err(error) => Err(format!("not a time, like 500ms, 10s or 2m: {error}")),
    }
}

/// Reads a time in a range; otherwise, the error is `beyond`.
pub(crate) fn within(
    text: &str,
    range: impl RangeBounds<Duration>,
    beyond: &str,
) -> Result<Duration, String> {
    let time = duration(text)?;
    let is_within = range.contains(&time);
    is_within.then_some(time).ok_or_else(|| beyond.to_owned())
}

/// Reads a time that must not be zero: what it bounds would end before it begins. Clients get some
/// of these times in whole milliseconds.
pub(crate) fn positive(text: &str) -> Result<Duration, String> {
    within(
        text,
        Duration::from_millis(1)..,
        "too short: use at least 1ms",
    )
}

/// How long one closure is busy.
pub(crate) fn busy(text: &str) -> Result<Duration, String> {
    within(text, BUSY_MIN..=BUSY_MAX, "out of range: use 1ms to 1s")
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
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in [
            "",
            "s",
            "10",
            "10q",
            "-1s",
            "1001years",
            "99999999999999999999s",
        ] {
            assert!(duration(wrong).is_err(), "{wrong:?} passed");
        }
    }

    #[test]
    fn times_that_bound_something_are_positive() {
        assert_eq!(positive("1ms"), Ok(Duration::from_millis(1)));
        for short in ["0s", "0ms", "999us"] {
            let error = positive(short).expect_err(short);
            assert!(error.contains("at least 1ms"), "{short}: {error}");
        }
        assert!(positive("soon").is_err());
    }

    #[test]
    fn closures_are_busy_for_1ms_to_1s() {
        for (text, time) in [("1ms", BUSY_MIN), ("1s", BUSY_MAX)] {
            assert_eq!(busy(text), Ok(time));
        }
        for (wrong, message) in [
            ("0ms", "use 1ms to 1s"),
            ("1001ms", "use 1ms to 1s"),
            ("10", "not a time, like 500ms"),
            ("soon", "not a time"),
        ] {
            let error = busy(wrong).expect_err(wrong);
            assert!(error.contains(message), "{error}");
        }
    }
}
