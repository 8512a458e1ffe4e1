//! Sockets and closures in one pool: the round trip of an echo, alone and while closures occupy
//! every worker.

use std::hint;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anthill::Pool;
use criterion::{Criterion, SamplingMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::idle::PAUSE;
use crate::timing;

const THREADS: usize = 2;

/// Closures in the subpool, running and waiting: 50 ms of work for both workers. The thread that
/// refills the subpool may wait several milliseconds for a processor, because the workers occupy
/// them all.
const CLOSURES: usize = 1000;

/// How long each closure keeps a worker busy.
const BUSY: Duration = Duration::from_micros(100);

const MESSAGE: [u8; 64] = [7; 64];

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mixed");
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    timing::add(&mut group, "echo_alone", Echo::new, |echo, iters| {
        timing::samples(iters, || echo.time_round_trip())
    });
    timing::add(
        &mut group,
        "echo_beside_closures",
        loaded,
        |(echo, _), iters| timing::samples(iters, || echo.time_round_trip()),
    );
    group.finish();
}

/// One connection to an echo server that is a future of a pool.
struct Echo {
    pool: Pool,
    client: TcpStream,
}

impl Echo {
    fn new() -> Self {
        let builder = Pool::builder().capacity(1).threads(THREADS..=THREADS);
        let pool = builder.tokio().build().expect("valid settings");
        let (client, server) = connect().expect("the loopback device works");
        pool.spawn(async move { serve(server).await.expect("the client stays") })
            .expect("the pool is open");
        Self { pool, client }
    }

    /// Returns the time of one round trip after a pause. Without the pause, a worker that polls the
    /// reactor finds the next message ready, and takes no closure in between.
    fn time_round_trip(&self) -> Duration {
        thread::sleep(PAUSE);
        let sent = Instant::now();
        self.round_trip();
        sent.elapsed()
    }

    fn round_trip(&self) {
        let mut answer = [0; MESSAGE.len()];
        let mut client = &self.client;
        client.write_all(&MESSAGE).expect("the server reads");
        client.read_exact(&mut answer).expect("the server answers");
    }
}

fn connect() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    server.set_nonblocking(true)?;
    Ok((client, server))
}

async fn serve(server: TcpStream) -> io::Result<()> {
    let mut server = tokio::net::TcpStream::from_std(server)?;
    let mut buffer = [0; MESSAGE.len()];
    loop {
        let read = server.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        server.write_all(&buffer[..read]).await?;
    }
}

/// An echo server with workers that are busy with closures.
fn loaded() -> (Echo, Load) {
    let echo = Echo::new();
    let load = Load::new(&echo.pool);
    (echo, load)
}

/// A thread that keeps a subpool full of busy closures until dropped.
struct Load {
    subpool: Pool,
    submitter: Option<JoinHandle<()>>,
}

impl Load {
    fn new(pool: &Pool) -> Self {
        let subpool = pool
            .subpool()
            .capacity(CLOSURES)
            .build()
            .expect("valid settings");
        let full = subpool.clone();
        // Each submit waits while the subpool is full, and fails once it is closed.
        let submitter = thread::spawn(move || while full.submit(spin).is_ok() {});
        while subpool.in_flight() < CLOSURES {
            thread::yield_now();
        }
        Self {
            subpool,
            submitter: Some(submitter),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.subpool.shutdown().wait().expect("the closures end");
        if let Some(submitter) = self.submitter.take() {
            submitter.join().expect("the submitter does not panic");
        }
    }
}

fn spin() {
    let start = Instant::now();
    while start.elapsed() < BUSY {
        hint::spin_loop();
    }
}
