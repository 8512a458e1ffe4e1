//! The clients. Each sends its next message when the last one has come back.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;

use super::{Load, Wire};

/// The most connections that are being opened at once.
const CONNECTING: usize = 500;

/// The results of the measurement.
pub(super) struct Echoes {
    pub(super) latency: Histogram<u64>,
    pub(super) time: Duration,
    pub(super) server_cpu: Duration,
}

/// The bytes of one exchange.
pub(in crate::work) struct Exchange {
    pub(in crate::work) request: Vec<u8>,
    pub(in crate::work) reply: Vec<u8>,
}

impl Exchange {
    pub(in crate::work) fn new(wire: Wire, size: usize) -> Self {
        let payload = vec![b'e'; size];
        match wire {
            Wire::Tcp => Self {
                request: payload.clone(),
                reply: payload,
            },
            Wire::Ws => Self {
                // Clients must mask. A mask of zeros leaves the payload unchanged.
                request: [frame_header(size, 0x80), vec![0; 4], payload.clone()].concat(),
                reply: [frame_header(size, 0), payload].concat(),
            },
        }
    }
}

/// Returns the header of a binary message in one frame: RFC 6455, 5.2.
fn frame_header(size: usize, mask: u8) -> Vec<u8> {
    if let Ok(short @ 0..0x7e) = u8::try_from(size) {
        return vec![0x82, mask | short];
    }
    let size = u16::try_from(size).expect("at most 64 KiB");
    [[0x82, mask | 0x7e], size.to_be_bytes()].concat()
}

/// The results of all connections.
#[derive(Default)]
struct Results {
    /// `None` before the measurement.
    latency: Option<Histogram<u64>>,
    failure: Option<io::Error>,
}

/// Connects, loads the server for `warm_up`, and then measures for `window`.
pub(super) fn run(
    server: SocketAddr,
    load: Load,
    (warm_up, window): (Duration, Duration),
    server_cpu: impl Fn() -> io::Result<Duration>,
) -> io::Result<Echoes> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    runtime.block_on(local.run_until(async {
        let streams = connect_all(server, load.wire, load.connections).await?;
        let exchange = Rc::new(Exchange::new(load.wire, load.bytes));
        let results = Rc::new(RefCell::new(Results::default()));
        for stream in streams {
            let (exchange, results) = (exchange.clone(), results.clone());
            tokio::task::spawn_local(async move {
                let Err(error) = exchange_messages(stream, &exchange, &results).await;
                results.borrow_mut().failure = Some(error);
            });
        }
        sleep(warm_up).await;
        let (start, cpu) = (Instant::now(), server_cpu()?);
        results.borrow_mut().latency = Some(Histogram::new(3).expect("three digits"));
        sleep(window).await;
        let (time, server_cpu) = (start.elapsed(), server_cpu()?.saturating_sub(cpu));
        let results = results.take();
        match results.failure {
            Some(error) => Err(error),
            None => Ok(Echoes {
                latency: results.latency.expect("the measurement has begun"),
                time,
                server_cpu,
            }),
        }
    }))
}

pub(in crate::work) async fn connect_all(
    server: SocketAddr,
    wire: Wire,
    connections: usize,
) -> io::Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(connections);
    let mut connecting = JoinSet::new();
    for _ in 0..connections {
        if connecting.len() == CONNECTING {
            streams.extend(connecting.join_next().await.transpose()?.transpose()?);
        }
        connecting.spawn_local(connect(server, wire));
    }
    while let Some(stream) = connecting.join_next().await {
        streams.push(stream??);
    }
    Ok(streams)
}

async fn connect(server: SocketAddr, wire: Wire) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    if matches!(wire, Wire::Ws) {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
    }
    Ok(stream)
}

/// Sends and receives until the runtime ends or an error occurs.
async fn exchange_messages(
    mut stream: TcpStream,
    exchange: &Exchange,
    results: &RefCell<Results>,
) -> io::Result<Infallible> {
    let mut reply = vec![0; exchange.reply.len()];
    loop {
        let start = Instant::now();
        stream.write_all(&exchange.request).await?;
        stream.read_exact(&mut reply).await?;
        if let Some(latency) = &mut results.borrow_mut().latency {
            let elapsed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            latency.record(elapsed).expect("it grows as needed");
        }
        if reply != exchange.reply {
            return Err(io::Error::other("the server returned a wrong echo"));
        }
    }
}
