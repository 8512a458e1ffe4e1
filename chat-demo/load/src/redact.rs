//! Removes secrets from the options that a report shows.

/// Options whose values are secrets or contain passwords.
const SECRETS: [&str; 3] = ["--token-secret", "--secret", "--redis"];
const HIDDEN: &str = "...";

/// Returns the words of a command line with `...` in place of secrets.
pub(super) fn without_secrets(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut shown = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some((option, _)) if is_secret(option) => {
                shown.push(format!("{option}={HIDDEN}"));
            }
            _ if is_secret(&word) => {
                shown.push(word);
                shown.extend(words.next().map(|_| HIDDEN.to_owned()));
            }
            _ => shown.push(word),
        }
    }
    shown
}

fn is_secret(option: &str) -> bool {
    SECRETS.contains(&option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed_from_a_command_line() {
        let line = "load --serve -- --token-secret-file file --token-secret secret --secret=secret --fanout 7 \
                    --redis redis://:secret@a,redis://u:secret@b:1 --redis=redis://:secret@c";
        let shown = without_secrets(line.split_whitespace().map(str::to_owned)).join(" ");
        assert_eq!(
            shown,
            "load --serve -- --token-secret-file file --token-secret ... --secret=... --fanout 7 \
             --redis ... --redis=..."
        );
    }

    #[test]
    fn an_option_without_its_value_is_kept() {
        assert_eq!(without_secrets(["--secret".to_owned()]), ["--secret"]);
    }
}
