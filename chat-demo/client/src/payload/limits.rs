//! Limits of names and texts.

/// The longest name of a room or a user, in bytes.
pub const MAX_NAME: usize = 64;

/// The longest idempotency key, in bytes.
pub const MAX_KEY: usize = 64;

/// The longest text to search for, in bytes.
pub const MAX_SEARCH: usize = 256;

/// Returns whether a room or a user may have this name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME && !name.chars().any(char::is_control) && !name.chars().all(is_blank)
}

/// Returns whether a character is invisible: a space, or a format character without a width.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}')
}
