//! An HTTP server whose handlers compute in a subpool of low priority, without another runtime.
//!
//! The server answers 503 while the subpool is full. A request whose deadline passes in the queue
//! gets 504 and is not computed. `/health` stays fast meanwhile: futures run before closures.
//! The example sends the requests itself.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anthill::{JoinError, Pool, Priority};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long a client waits for its response.
const LIMIT: Duration = Duration::from_millis(200);

/// Computes in the subpool.
async fn compute(State(cpu): State<Pool>, Path(n): Path<u32>) -> Result<String, StatusCode> {
    let slot = cpu
        .try_slot()
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let slot = slot.expires_at(Instant::now() + LIMIT);
    // If the client disconnects, axum drops this future, which cancels the queued closure.
    let result = slot
        .submit_with_handle(move || fibonacci(n))
        .cancel_on_drop();
    match result.await {
        Ok(number) => Ok(format!("{number}\n")),
        Err(JoinError::Expired) => Err(StatusCode::GATEWAY_TIMEOUT),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn fibonacci(n: u32) -> u64 {
    if n < 2 {
        u64::from(n)
    } else {
        fibonacci(n - 1) + fibonacci(n - 2)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = Pool::builder().tokio().build()?;
    let cpu = pool
        .subpool()
        .priority(Priority::Low)
        .capacity(100)
        .build()?;
    let app = Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/fibonacci/{n}", get(compute))
        .with_state(cpu);
    let (address, addresses) = std::sync::mpsc::channel();
    pool.spawn(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let bound = listener
            .local_addr()
            .expect("a bound listener has an address");
        address.send(bound).expect("`main` waits for it");
        if let Err(error) = axum::serve(listener, app).await {
            eprintln!("the server failed: {error}");
        }
    })?;
    let address = addresses.recv()?;
    println!("http://{address}/fibonacci/30");

    // Sends 200 requests at once. Each computes for some milliseconds.
    let requests = (0..200).map(|_| pool.spawn_with_handle(status(address, "/fibonacci/30")));
    let requests = requests.collect::<Result<Vec<_>, _>>()?;
    let mut requests = requests.into_iter();
    let mut answers = BTreeMap::<String, u32>::new();
    if let Some(first) = requests.next() {
        *answers.entry(first.wait()?).or_default() += 1;
    }
    // By now the others wait for the subpool.
    let begun = Instant::now();
    let health = pool.spawn_with_handle(status(address, "/health"))?;
    println!("/health: {} after {:?}", health.wait()?, begun.elapsed());
    for request in requests {
        *answers.entry(request.wait()?).or_default() += 1;
    }
    for (status, count) in answers {
        println!("{count} x {status}");
    }
    let stats = pool.stats();
    println!("{} closures expired in the queue", stats.expired);
    Ok(()) // The server's future never ends, so the program does not wait for it.
}

/// Sends a request and returns the status of its response.
async fn status(address: SocketAddr, path: &'static str) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match exchange.await {
        Ok(answer) => answer.lines().next().unwrap_or("no answer").to_owned(),
        Err(error) => error.to_string(),
    }
}
