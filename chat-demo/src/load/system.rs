//! What the machine and the server say of themselves.

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::process::Process;

/// How long the server may take to tell its figures.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Stats {
    rss_bytes: u64,
}

/// The server's resident memory, if `/api/stats` tells it.
pub(super) async fn server_memory(server: SocketAddr) -> Option<u64> {
    timeout(PATIENCE, stats::<Stats>(server))
        .await
        .ok()?
        .map(|stats| stats.rss_bytes)
}

pub(super) async fn stats<S: serde::de::DeserializeOwned>(server: SocketAddr) -> Option<S> {
    let mut stream = TcpStream::connect(server).await.ok()?;
    // HTTP/1.0 asks for a plain body that ends with the connection.
    let request = format!("GET /api/stats HTTP/1.0\r\nHost: {server}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

/// The processor time that this process has used, in seconds; 0 where the kernel does not tell.
pub(super) fn cpu_seconds() -> f64 {
    Process::read().map_or(0.0, |process| process.cpu_seconds)
}
