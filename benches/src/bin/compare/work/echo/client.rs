//! The clients: each sends when its last message has come back.

use std::cell::RefCell;
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

/// How many connect at the same time.
const CONNECTING: usize = 500;

/// What the clients saw while it counted.
pub(super) struct Echoes {
    pub(super) latency: Histogram<u64>,
    pub(super) time: Duration,
    pub(super) server_cpu: Duration,
}

/// All bytes of one exchange.
struct Exchange {
    request: Vec<u8>,
    reply: usize,
}

impl Exchange {
    fn new(wire: Wire, size: usize) -> Self {
        let payload = vec![b'e'; size];
        match wire {
            Wire::Tcp => Self {
                request: payload,
                reply: size,
            },
            Wire::Ws => {
                // RFC 6455, 5.2: a binary message in one frame; clients mask, and a mask of zeros changes nothing.
                let short = size < 126;
                let mut request = vec![0x82];
                if short {
                    request.push(0x80 | u8::try_from(size).expect("it is short"));
                } else {
                    request.push(0x80 | 0x7e);
                    request.extend(u16::try_from(size).expect("up to 64 KiB").to_be_bytes());
                }
                request.extend([0; 4]);
                request.extend(payload);
                Self {
                    request,
                    reply: size + if short { 2 } else { 4 },
                }
            }
        }
    }
}

/// Connects, loads the server for `warm_up`, and counts for as long as `window` says.
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
        let streams = connect_all(server, load).await?;
        let exchange = Rc::new(Exchange::new(load.wire, load.bytes));
        let latency = Rc::new(RefCell::new(None));
        for stream in streams {
            tokio::task::spawn_local(converse(stream, exchange.clone(), latency.clone()));
        }
        sleep(warm_up).await;
        let (start, cpu) = (Instant::now(), server_cpu()?);
        *latency.borrow_mut() = Some(Histogram::new(3).expect("three digits"));
        sleep(window).await;
        let latency = latency.take().expect("it was set");
        Ok(Echoes {
            latency,
            time: start.elapsed(),
            server_cpu: server_cpu()?.saturating_sub(cpu),
        })
    }))
}

async fn connect_all(server: SocketAddr, load: Load) -> io::Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(load.connections);
    let mut connecting = JoinSet::new();
    for _ in 0..load.connections {
        if connecting.len() == CONNECTING {
            streams.extend(connecting.join_next().await.transpose()?.transpose()?);
        }
        connecting.spawn_local(connect(server, load.wire));
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

/// Until the runtime ends.
async fn converse(
    mut stream: TcpStream,
    exchange: Rc<Exchange>,
    latency: Rc<RefCell<Option<Histogram<u64>>>>,
) -> io::Result<()> {
    let mut reply = vec![0; exchange.reply];
    loop {
        let start = Instant::now();
        stream.write_all(&exchange.request).await?;
        stream.read_exact(&mut reply).await?;
        if let Some(latency) = &mut *latency.borrow_mut() {
            let elapsed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            latency.record(elapsed).expect("it grows as needed");
        }
    }
}
