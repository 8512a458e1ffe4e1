//! What the machine and the server say of themselves.

use std::{fs, net::SocketAddr, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long the server may take to tell its figures.
const PATIENCE: Duration = Duration::from_secs(2);
/// The kernel counts processor time in hundredths of a second for programs, whatever its own clock.
const TICKS: f64 = 100.0;

#[derive(Deserialize)]
struct Stats {
    rss_bytes: u64,
}

/// The server's resident memory, if `/api/stats` tells it.
pub(super) async fn server_memory(server: SocketAddr) -> Option<u64> {
    timeout(PATIENCE, stats(server))
        .await
        .ok()?
        .map(|stats| stats.rss_bytes)
}

async fn stats(server: SocketAddr) -> Option<Stats> {
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
    let ticks = || {
        let line = fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is the program's name in brackets and may hold anything; user and system time are the
        // twelfth and thirteenth behind it.
        let (_, fields) = line.rsplit_once(')')?;
        let mut times = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse::<u32>);
        Some(f64::from(times.next()?.ok()?) + f64::from(times.next()?.ok()?))
    };
    ticks().unwrap_or(0.0) / TICKS
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn work_takes_processor_time() {
        let (before, start) = (cpu_seconds(), Instant::now());
        while cpu_seconds() - before < 0.02 {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "no time is counted"
            );
        }
    }
}
