//! Options of a server as a report shows them: what is secret in them is not.

use crate::config::RedisUrl;

/// Those whose values are secrets.
const SECRETS: [&str; 2] = ["--token-secret", "--secret"];
const REDIS: &str = "--redis";

/// The words of a command line without secrets.
pub(super) fn without_secrets(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut shown = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some((option, value)) if is_secret(option) => {
                shown.push(format!("{option}={}", hidden(option, value)));
            }
            _ if is_secret(&word) => {
                let value = words.next().map(|value| hidden(&word, &value));
                shown.push(word);
                shown.extend(value);
            }
            _ => shown.push(word),
        }
    }
    shown
}

fn is_secret(option: &str) -> bool {
    SECRETS.contains(&option) || option == REDIS
}

fn hidden(option: &str, value: &str) -> String {
    if option != REDIS {
        return "...".to_owned();
    }
    let urls = value.split(',').map(|url| RedisUrl::from(url).to_string());
    urls.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_shown_without_what_is_secret() {
        let line = "load --serve -- --token-secret-file file --token-secret secret --secret=secret --fanout 7 \
                    --redis redis://:secret@a,redis://u:secret@b:1 --redis=redis://:secret@c";
        let shown = without_secrets(line.split_whitespace().map(str::to_owned)).join(" ");
        assert_eq!(
            shown,
            "load --serve -- --token-secret-file file --token-secret ... --secret=... --fanout 7 \
             --redis redis://a:6379,redis://b:1 --redis=redis://c:6379"
        );
    }

    #[test]
    fn a_secret_may_be_missing() {
        assert_eq!(without_secrets(["--secret".to_owned()]), ["--secret"]);
    }
}
