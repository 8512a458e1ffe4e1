//! The server: echoes, timers and closures in one process, measured on request.

use std::io::{self, BufRead};
use std::net;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hdrhistogram::Histogram;
use nix::time::{ClockId, clock_gettime};

use super::super::echo::{Wire, accept, listener};
use super::hosts::{Anthill, Closures, Host, Kind, Smol, Tokio};
use crate::meter;

/// The number of futures that sleep.
const TIMERS: usize = 10;
const SLEEP: Duration = Duration::from_millis(1);

/// The arguments of a server.
#[derive(clap::Args)]
pub(crate) struct MixedArgs {
    #[arg(long)]
    kind: Kind,
    #[arg(long)]
    wire: Wire,
    #[arg(long)]
    threads: usize,
    #[arg(long)]
    busy_us: Option<u64>,
    #[arg(long)]
    yielders: usize,
}

/// The counts since the last start.
#[derive(Default)]
struct Counts {
    closures: AtomicU64,
    yields: AtomicU64,
    /// The lateness of each timer. Each has a histogram of its own, so that timers do not contend.
    late: Vec<Mutex<Option<Histogram<u64>>>>,
}

impl Counts {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            late: (0..TIMERS).map(|_| Mutex::default()).collect(),
            ..Self::default()
        })
    }

    /// Records the lateness of a timer if the measurement has begun.
    fn timer(&self, index: usize, late: Duration) {
        let mut place = self.late[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(histogram) = &mut *place {
            let nanos = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
            histogram.record(nanos).expect("it grows as needed");
        }
    }

    /// Starts counting from zero.
    fn start(&self) {
        for place in &self.late {
            let histogram = Histogram::new(3).expect("three digits");
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(histogram);
        }
        self.closures.store(0, Ordering::Relaxed);
        self.yields.store(0, Ordering::Relaxed);
    }

    fn all_late(&self) -> Histogram<u64> {
        let mut all = Histogram::new(3).expect("three digits");
        for place in &self.late {
            let place = place.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(histogram) = &*place {
                all.add(histogram).expect("it grows as needed");
            }
        }
        all
    }
}

/// Prints the server's address, and serves until standard input ends. The line `start` starts the
/// counts; the line `stop` prints them.
pub(crate) fn serve(args: &MixedArgs) -> io::Result<()> {
    let threads = args.threads;
    match args.kind {
        Kind::Anthill => serve_tokio(args, &Anthill::new(threads)?),
        Kind::AnthillTwoPools => serve_tokio(args, &Anthill::two(threads)?),
        Kind::TokioRayon => serve_tokio(args, &Tokio::new(threads, Closures::rayon(threads)?)?),
        Kind::TokioBlocking => serve_tokio(args, &Tokio::new(threads, Closures::Blocking)?),
        Kind::TokioInline => serve_tokio(args, &Tokio::new(threads, Closures::Inline)?),
        Kind::AsyncExecutorBlocking => serve_smol(args, &Smol::new(threads)),
    }
}

fn serve_tokio<H: Host>(args: &MixedArgs, host: &H) -> io::Result<()> {
    let (listener, address) = listener()?;
    let (wire, handlers) = (args.wire, host.clone());
    host.spawn(accept(listener, wire, move |handler| {
        handlers.spawn(handler);
    }));
    run(args, host, address)
}

/// The same echo on async-io's sockets, over TCP only.
fn serve_smol(args: &MixedArgs, host: &Smol) -> io::Result<()> {
    let (listener, address) = listener()?;
    let listener = Async::new(listener)?;
    let handlers = host.clone();
    host.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("enough file descriptors");
            stream.get_ref().set_nodelay(true).expect("a TCP socket");
            handlers.spawn(async { _ = echo(stream).await });
        }
    });
    run(args, host, address)
}

async fn echo(mut stream: Async<net::TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 2048];
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..len]).await?;
    }
}

fn run<H: Host>(args: &MixedArgs, host: &H, address: net::SocketAddr) -> io::Result<()> {
    let counts = Counts::new();
    for index in 0..TIMERS {
        host.spawn(timer::<H>(index, counts.clone()));
    }
    for _ in 0..args.yielders {
        host.spawn(yielder(counts.clone()));
    }
    if let Some(busy) = args.busy_us {
        let (host, counts) = (host.clone(), counts.clone());
        thread::spawn(move || fill(&host, Duration::from_micros(busy), &counts));
    }
    println!("{address}");
    let mut started = (Instant::now(), Duration::ZERO);
    for line in io::stdin().lock().lines() {
        match &*line? {
            "start" => {
                counts.start();
                started = (Instant::now(), meter::cpu_time()?);
            }
            "stop" => print_figures(&counts, started)?,
            other => return Err(io::Error::other(format!("unknown command `{other}`"))),
        }
    }
    Ok(())
}

fn print_figures(counts: &Counts, (start, cpu): (Instant, Duration)) -> io::Result<()> {
    let seconds = start.elapsed().as_secs_f64();
    let late = counts.all_late();
    let value = |quantile| late.value_at_quantile(quantile) as f64;
    let per_second = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / seconds;
    let cpu = meter::cpu_time()?.saturating_sub(cpu).as_secs_f64();
    let figures = meter::figures([
        ("timer_p50_ns", value(0.5)),
        ("timer_p99_ns", value(0.99)),
        ("timer_p999_ns", value(0.999)),
        ("closures_per_s", per_second(&counts.closures)),
        ("yields_per_s", per_second(&counts.yields)),
        ("cpu_percent", 100.0 * cpu / seconds),
        ("threads_used", meter::threads()?),
    ]);
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn timer<H: Host>(index: usize, counts: Arc<Counts>) {
    loop {
        let due = Instant::now() + SLEEP;
        H::sleep(SLEEP).await;
        counts.timer(index, due.elapsed());
    }
}

/// Yields forever. Counts in steps, so that counting does not affect the result.
async fn yielder(counts: Arc<Counts>) {
    const STEP: u64 = 1_000;
    loop {
        for _ in 0..STEP {
            futures_lite::future::yield_now().await;
        }
        counts.yields.fetch_add(STEP, Ordering::Relaxed);
    }
}

/// Keeps the pool full of closures.
fn fill<H: Host>(host: &H, busy: Duration, counts: &Arc<Counts>) -> ! {
    loop {
        let counts = counts.clone();
        host.submit(move || {
            spin(busy);
            counts.closures.fetch_add(1, Ordering::Relaxed);
        });
    }
}

/// Computes until the thread has had this much CPU time. By the clock, closures on more threads
/// than processors would count work that they have not done.
fn spin(busy: Duration) {
    /// Reading the CPU time is a system call.
    const STEP: u32 = 1_000;
    let Ok(start) = cpu_time() else { return };
    while cpu_time().is_ok_and(|now| now.saturating_sub(start) < busy) {
        for _ in 0..STEP {
            std::hint::black_box(());
        }
    }
}

/// Returns the CPU time of the calling thread.
fn cpu_time() -> nix::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}
