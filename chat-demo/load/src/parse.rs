//! Reads the values of options.

use std::time::Duration;

use chat_demo_client::subprotocol::Subprotocol;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use humantime::parse_duration;

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads the short name of a subprotocol, like `json` for `chat.json.v1`.
pub(super) fn encoding() -> impl TypedValueParser<Value = Subprotocol> {
    let short = |subprotocol: &Subprotocol| subprotocol.name().split('.').nth(1);
    let all = Subprotocol::ALL.into_iter();
    let values = all.clone().filter_map(|subprotocol| {
        Some(PossibleValue::new(short(&subprotocol)?).help(subprotocol.name()))
    });
    PossibleValuesParser::new(values).map(move |name| {
        let named = all.clone().find(|known| short(known) == Some(&name));
        named.expect("the parser refuses unknown names")
    })
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1e9).contains(&rate) => Ok(rate),
        Ok(_) => Err("must be from 0.001 to 1e9".to_owned()),
        Err(error) => Err(format!("{error}")),
    }
}

/// Reads a percentage above 0 and up to 100, with or without a `%`.
pub(super) fn percent(text: &str) -> Result<f64, &'static str> {
    number(text.strip_suffix('%').unwrap_or(text), 100.0)
        .filter(|percent| *percent > 0.0)
        .ok_or("not a percentage above 0 and up to 100")
}

/// Reads a time in which something must happen.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than 0s".to_owned()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

/// Reads a time in which something must happen, in milliseconds.
pub(super) fn some_ms(text: &str) -> Result<f64, String> {
    some_time(text).map(|time| time.as_secs_f64() * 1000.0)
}

/// Reads a share from 0 to 1, or from 0% to 100%.
pub(super) fn share(text: &str) -> Result<f64, &'static str> {
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent, 100.0).map(|percent| percent / 100.0),
        None => number(text, 1.0),
    };
    share.ok_or("not a share, like 0.05 or 5%")
}

/// Reads a number from 0 to `most`.
fn number(text: &str, most: f64) -> Option<f64> {
    let number = text.parse().ok();
    number.filter(|number| (0.0..=most).contains(number))
}
