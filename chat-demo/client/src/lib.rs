//! The protocol of the chat, and a client in Rust.
//!
//! # Layout
//!
//! Each module uses those below it, never those above.
//!
//! - `client`: a [`Client`] is one connection, a [`Reconnecting`] outlives its connections.
//! - [`backoff`]: how long to wait before the next attempt.
//! - [`wire`]: messages of the server as bytes.
//! - [`subprotocol`], [`payload`], [`frame`]: what is said, and how it looks as bytes.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod backoff;
mod client;
pub mod frame;
pub mod payload;
pub mod subprotocol;
pub mod wire;

pub use client::{
    Builder, Client, ClientError, Close, Event, News, Position, Received, Reconnecting, Result,
    Settings, join, target,
};

/// The payloads as Protobuf describes them.
pub const PROTO: &str = include_str!("../chat.proto");

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
