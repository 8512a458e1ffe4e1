//! The secret of tokens, and its options.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{StringValueParser, TypedValueParser};
use secrecy::{ExposeSecret, SecretSlice};
use thiserror::Error;

/// The bytes of a signature: a shorter secret would be easier to guess than a signature.
const MIN_LEN: usize = 32;

/// The options of the secret.
#[derive(Args, Clone, Debug, Default)]
pub struct SecretArgs {
    /// Secret that signs tokens, at least 32 bytes; command lines are visible to other users, so
    /// prefer the environment or a file
    #[arg(
        long,
        alias = "secret",
        env = "CHAT_TOKEN_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        value_parser = StringValueParser::new().map(|text| SecretSlice::from(text.into_bytes()))
    )]
    pub token_secret: Option<SecretSlice<u8>>,

    /// File with the secret; a line break at its end is ignored
    #[arg(
        long,
        alias = "secret-file",
        env = "CHAT_TOKEN_SECRET_FILE",
        value_name = "PATH",
        conflicts_with = "token_secret"
    )]
    pub token_secret_file: Option<PathBuf>,
}

impl SecretArgs {
    /// Returns the secret, if there is one.
    pub fn read(&self) -> Result<Option<SecretSlice<u8>>, SecretError> {
        let secret = match (&self.token_secret, &self.token_secret_file) {
            (Some(secret), _) => secret.clone(),
            (None, Some(path)) => {
                let unread = |source| {
                    let path = path.clone();
                    SecretError::Unread { path, source }
                };
                let bytes = fs::read(path).map_err(unread)?;
                let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                text.strip_suffix(b"\r").unwrap_or(text).to_vec().into()
            }
            (None, None) => return Ok(None),
        };
        match secret.expose_secret().len() {
            MIN_LEN.. => Ok(Some(secret)),
            len => Err(SecretError::Short { len }),
        }
    }
}

/// Why the secret cannot be used.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read --token-secret-file `{}`: {source}", path.display())]
    Unread {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The secret is too short.
    #[error(
        "the token secret has {len} bytes, and needs at least {MIN_LEN}: make one with 'openssl rand -hex 32'"
    )]
    Short {
        /// Its length in bytes.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(secret: &str) -> SecretArgs {
        SecretArgs {
            token_secret: Some(secret.as_bytes().to_vec().into()),
            token_secret_file: None,
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let args = given("a secret that nobody should read");
        assert!(!format!("{args:?}").contains("nobody"));
    }

    #[test]
    fn a_short_secret_is_refused() {
        let text = "0123456789abcdef0123456789abcdef";
        assert!(matches!(given(text).read(), Ok(Some(_))));
        let error = given(&text[1..]).read().expect_err("one byte is missing");
        assert!(error.to_string().contains("has 31 bytes"), "{error}");
    }

    #[test]
    fn a_secret_comes_from_a_file_without_its_line_break() {
        let text = "0123456789abcdef0123456789abcdef";
        let path = std::env::temp_dir().join(format!("chat-secret-{}", std::process::id()));
        let args = SecretArgs {
            token_secret: None,
            token_secret_file: Some(path.clone()),
        };
        for end in ["", "\n", "\r\n"] {
            fs::write(&path, format!("{text}{end}")).expect("a writable directory");
            let secret = args.read().expect("it is long enough");
            let secret = secret.expect("there is one");
            assert_eq!(secret.expose_secret(), text.as_bytes(), "with {end:?}");
        }
        fs::remove_file(&path).expect("it was written");
        let error = args.read().expect_err("it is gone").to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
