//! The client: sends when it is time, whatever has come back.
//!
//! It runs on async-io, whose timers are exact to microseconds where tokio's round up to a millisecond, which would count
//! as the server's.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_io::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use hdrhistogram::Histogram;
use tokio::runtime;

use super::super::echo::{Exchange, Wire, connect_all};
use super::{BYTES, CONNECTIONS, RATE};
use crate::meter::{self, Figures};

/// What one connection waits for: when each message that is under way was due.
type Due = Rc<RefCell<VecDeque<Instant>>>;

/// What all connections have seen.
#[derive(Default)]
struct Seen {
    /// When it began to count, and what it counted since.
    counts: Option<(Instant, Histogram<u64>)>,
    failure: Option<io::Error>,
}

impl Seen {
    /// An echo came back now, or never did, that was to be sent at `due`.
    fn record(&mut self, due: Instant) {
        if let Some((start, latency)) = &mut self.counts
            && due >= *start
        {
            let nanos = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
            latency.record(nanos).expect("it grows as needed");
        }
    }
}

/// Loads the server for `warm_up`, calls `start`, and counts for as long as `window` says.
pub(super) fn run(
    server: SocketAddr,
    wire: Wire,
    (warm_up, window): (Duration, Duration),
    start: impl FnOnce() -> io::Result<()>,
) -> io::Result<Figures> {
    let streams = connect(server, wire)?;
    let executor = LocalExecutor::new();
    async_io::block_on(executor.run(async {
        let exchange = Rc::new(Exchange::new(wire, BYTES));
        let seen = Rc::new(RefCell::new(Seen::default()));
        let mut under_way = Vec::new();
        let begin = Instant::now();
        let period = Duration::from_secs_f64(CONNECTIONS as f64 / f64::from(RATE));
        for (index, stream) in streams.into_iter().enumerate() {
            let stream = Rc::new(stream);
            let due = Due::default();
            under_way.push(due.clone());
            // Staggered over one period.
            let first = begin + period.mul_f64(index as f64 / CONNECTIONS as f64);
            let sends = send(stream.clone(), exchange.clone(), due.clone(), first, period);
            let hears = hear(stream, exchange.reply.clone(), due, seen.clone());
            let failed = seen.clone();
            let conversation = executor.spawn(async move {
                let ended = future::try_zip(sends, hears).await;
                failed.borrow_mut().failure = ended.err();
            });
            conversation.detach();
        }
        Timer::after(warm_up).await;
        start()?;
        let counts = Histogram::new(3).expect("three digits");
        seen.borrow_mut().counts = Some((Instant::now(), counts));
        Timer::after(window).await;
        let mut seen = seen.take();
        if let Some(error) = seen.failure {
            return Err(error);
        }
        // What has not come back counts with its age, so that a server that answers nothing is not the fastest.
        for due in under_way.iter().flat_map(|due| due.take()) {
            seen.record(due);
        }
        let (_, latency) = seen.counts.expect("it was set");
        let value = |quantile| latency.value_at_quantile(quantile) as f64;
        Ok(meter::figures([
            ("p50_ns", value(0.5)),
            ("p99_ns", value(0.99)),
            ("p999_ns", value(0.999)),
            ("echoes_per_s", latency.len() as f64 / window.as_secs_f64()),
        ]))
    }))
}

/// Connects by tokio, as the client of `echo` does.
fn connect(server: SocketAddr, wire: Wire) -> io::Result<Vec<Async<TcpStream>>> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let streams = runtime.block_on(local.run_until(connect_all(server, wire, CONNECTIONS)))?;
    let streams = streams.into_iter().map(tokio::net::TcpStream::into_std);
    streams.map(|stream| Async::new(stream?)).collect()
}

async fn send(
    stream: Rc<Async<TcpStream>>,
    exchange: Rc<Exchange>,
    under_way: Due,
    mut due: Instant,
    period: Duration,
) -> io::Result<()> {
    loop {
        Timer::at(due).await;
        under_way.borrow_mut().push_back(due);
        (&*stream).write_all(&exchange.request).await?;
        due += period;
    }
}

async fn hear(
    stream: Rc<Async<TcpStream>>,
    expected: Vec<u8>,
    under_way: Due,
    seen: Rc<RefCell<Seen>>,
) -> io::Result<()> {
    let mut reply = vec![0; expected.len()];
    loop {
        (&*stream).read_exact(&mut reply).await?;
        let due = under_way.borrow_mut().pop_front();
        let due = due.ok_or_else(|| io::Error::other("the server echoed what was not sent"))?;
        seen.borrow_mut().record(due);
        if reply != expected {
            return Err(io::Error::other("the server echoed something else"));
        }
    }
}
