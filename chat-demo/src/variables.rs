//! Names the environment variables behind an error of the command line. clap names only the option,
//! which the user may never have typed.

use std::env;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error};

/// Adds to an error which of the options that it names are set by environment variables.
pub(crate) fn name(mut error: Error, command: &Command, words: &[OsString]) -> Error {
    // Help and version are errors, too, but to standard output.
    if error.use_stderr() {
        let tips = tips(&error.to_string(), command, words);
        if !tips.is_empty() {
            let tips = tips.into_iter().map(Into::into).collect();
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}

/// Returns a line for each option in the text that an environment variable sets.
pub(crate) fn tips(text: &str, command: &Command, words: &[OsString]) -> Vec<String> {
    // Behind the message are the usage and its options.
    let message = text.split("\n\nUsage:").next().unwrap_or(text);
    let commands = std::iter::once(command).chain(command.get_subcommands());
    let mut tips: Vec<_> = commands
        .flat_map(Command::get_arguments)
        .filter_map(|option| Some((option.get_long()?, option.get_env()?)))
        .filter(|(_, variable)| env::var_os(variable).is_some())
        .filter(|(option, _)| is_named(message, option) && !is_given(words, option))
        .map(|(option, variable)| {
            let variable = variable.display();
            format!("--{option} is set by the environment variable {variable}")
        })
        .collect();
    tips.sort();
    tips.dedup();
    tips
}

fn is_named(message: &str, option: &str) -> bool {
    let option = format!("--{option}");
    let mut ends = message
        .match_indices(&option)
        .map(|(start, _)| &message[start + option.len()..]);
    ends.any(|end| !end.starts_with(|next: char| next == '-' || next.is_ascii_alphanumeric()))
}

/// Whether the option is on the command line, where it takes precedence over its variable.
fn is_given(words: &[OsString], option: &str) -> bool {
    let option = format!("--{option}");
    words
        .iter()
        .filter_map(|word| word.to_str()?.strip_prefix(&option))
        .any(|rest| rest.is_empty() || rest.starts_with('='))
}
