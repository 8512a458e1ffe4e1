//! Signed tokens: JWT by HS256. A holder of the secret can issue tokens for any user and time.

mod hmac;

use std::time::Duration;

use chat_demo_client::payload::is_name;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use thiserror::Error;
use tokio::time::Instant;

use crate::clock::since_epoch;
use crate::connection::Identity;
use crate::rights::Rooms;

/// What the names of guests begin with where others have tokens, and no name in a token may.
pub(crate) const GUEST: &str = "guest-";
/// Longer than any connection lasts; what is later would not fit into a time.
const MAX_REMAINING: f64 = 10.0 * 365.0 * 24.0 * 3600.0;

/// What a token says; other claims are ignored.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    /// When it ends, in seconds since the epoch; whether it is there is checked before it is used.
    #[serde(default)]
    exp: f64,
    /// Whether the user may send alerts and use the HTTP API.
    #[serde(default)]
    admin: bool,
    /// Patterns of the rooms that the user may enter; all rooms without it. `null` is an error:
    /// some issuers write it for an empty list.
    #[serde(default, deserialize_with = "patterns")]
    rooms: Option<Vec<String>>,
}

fn patterns<'de, D: Deserializer<'de>>(claim: D) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(claim).map(Some)
}

pub(crate) struct Key {
    key: DecodingKey,
    validation: Validation,
}

impl Key {
    pub(crate) fn new(secret: &SecretSlice<u8>) -> Self {
        hmac::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        Self {
            key: DecodingKey::from_secret(secret.expose_secret()),
            validation,
        }
    }

    /// Returns the identity that a valid token names.
    pub(crate) fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)?.claims;
        if !is_user(&claims.sub) {
            return Err(TokenError::User);
        }
        let remaining = claims.exp - since_epoch().as_secs_f64();
        // The library still takes a token in the second in which it ends.
        if remaining <= 0.0 {
            return Err(TokenError::Expired);
        }
        let remaining = Duration::from_secs_f64(remaining.min(MAX_REMAINING));
        Ok(Identity {
            user: claims.sub.into(),
            admin: claims.admin,
            rooms: Rooms::new(claims.rooms).ok_or(TokenError::Rooms)?,
            expires: Some(Instant::now() + remaining),
        })
    }
}

/// Returns a token for a user that is good for a while. Without patterns of rooms, it is good for
/// all.
pub(crate) fn sign(
    secret: &SecretSlice<u8>,
    user: &str,
    admin: bool,
    rooms: &[String],
    time: Duration,
) -> String {
    hmac::install();
    let expires = (since_epoch() + time).as_secs();
    let mut claims = json!({ "sub": user, "exp": expires, "admin": admin });
    if !rooms.is_empty() {
        claims["rooms"] = rooms.into();
    }
    let key = EncodingKey::from_secret(secret.expose_secret());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .expect("claims are plain data, and any bytes are a key")
}

pub(crate) fn is_user(name: &str) -> bool {
    is_name(name) && !name.starts_with(GUEST)
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum TokenError {
    #[error("token expired; get a new one")]
    Expired,
    #[error("token not valid yet: check its nbf and the clocks")]
    Early,
    #[error("wrong token signature: it was made with another secret, or changed")]
    Signature,
    #[error("token algorithm is not HS256")]
    Algorithm,
    #[error("token claim {0} is missing or not a number of seconds")]
    Time(String),
    #[error(
        "token claim sub is not a user name: 1 to 64 bytes, no control characters, not blank, not guest-..."
    )]
    User,
    #[error("token claim rooms must be names, or prefixes with *")]
    Rooms,
    #[error("cannot read the token: {0}")]
    Form(String),
}

impl From<jsonwebtoken::errors::Error> for TokenError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        match error.into_kind() {
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::Early,
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidAlgorithm => Self::Algorithm,
            ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
                Self::Time(claim)
            }
            ErrorKind::InvalidToken => Self::Form("it has not three parts".to_owned()),
            ErrorKind::Json(error) => Self::Form(error.to_string()),
            kind => Self::Form(format!("{kind:?}")),
        }
    }
}
