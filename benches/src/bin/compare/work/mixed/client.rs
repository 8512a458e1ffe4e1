//! The client. It sending at fixed times, whether or not echoes have come back.
//!
//! It runs on async-io, because tokio rounds timers up to a millisecond, which would count as the
//! server's latency.

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

/// The intended send times of the messages of one connection that have not come back.
type Due = Rc<RefCell<VecDeque<Instant>>>;

/// The results of all connections.
#[derive(Default)]
struct Results {
    /// Start of the measurement, and the latencies since.
    counts: Option<(Instant, Histogram<u64>)>,
    failure: Option<io::Error>,
}

impl Results {
    /// Records the latency until now of the echo that was due at `due`.
    fn record(&mut self, due: Instant) {
        if let Some((start, latency)) = &mut self.counts
            && due >= *start
        {
            let nanos = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
            latency.record(nanos).expect("it grows as needed");
        }
    }
}

/// Loads the server for `warm_up`, calls `start`, and then measures for `window`.
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
        let results = Rc::new(RefCell::new(Results::default()));
        let mut pending = Vec::new();
        let begin = Instant::now();
        let period = Duration::from_secs_f64(CONNECTIONS as f64 / f64::from(RATE));
        for (index, stream) in streams.into_iter().enumerate() {
            let stream = Rc::new(stream);
            let due = Due::default();
            pending.push(due.clone());
            // Staggered over one period.
            let first = begin + period.mul_f64(index as f64 / CONNECTIONS as f64);
            let sending = send(stream.clone(), exchange.clone(), due.clone(), first, period);
            let receiving = receive(stream, exchange.reply.clone(), due, results.clone());
            let failed = results.clone();
            let connection = executor.spawn(async move {
                let ended = future::try_zip(sending, receiving).await;
                failed.borrow_mut().failure = ended.err();
            });
            connection.detach();
        }
        Timer::after(warm_up).await;
        start()?;
        let counts = Histogram::new(3).expect("three digits");
        results.borrow_mut().counts = Some((Instant::now(), counts));
        Timer::after(window).await;
        let mut results = results.take();
        if let Some(error) = results.failure {
            return Err(error);
        }
        // A missing echo counts with its age, or a server that never answers would be the fastest.
        for due in pending.iter().flat_map(|due| due.take()) {
            results.record(due);
        }
        let (_, latency) = results.counts.expect("the measurement has begun");
        let value = |quantile| latency.value_at_quantile(quantile) as f64;
        Ok(meter::figures([
            ("p50_ns", value(0.5)),
            ("p99_ns", value(0.99)),
            ("p999_ns", value(0.999)),
            ("echoes_per_s", latency.len() as f64 / window.as_secs_f64()),
        ]))
    }))
}

/// Connects with tokio, like the client of `echo`.
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
    pending: Due,
    mut due: Instant,
    period: Duration,
) -> io::Result<()> {
    loop {
        Timer::at(due).await;
        pending.borrow_mut().push_back(due);
        (&*stream).write_all(&exchange.request).await?;
        due += period;
    }
}

async fn receive(
    stream: Rc<Async<TcpStream>>,
    expected: Vec<u8>,
    pending: Due,
    results: Rc<RefCell<Results>>,
) -> io::Result<()> {
    let mut reply = vec![0; expected.len()];
    loop {
        (&*stream).read_exact(&mut reply).await?;
        let due = pending.borrow_mut().pop_front();
        let due = due.ok_or_else(|| io::Error::other("the server sent an unrequested echo"))?;
        results.borrow_mut().record(due);
        if reply != expected {
            return Err(io::Error::other("the server returned a wrong echo"));
        }
    }
}
