//! The servers: the same handlers on three runtimes.

use std::future::Future;
use std::io::{self, Read};
use std::net;
use std::pin::Pin;
use std::thread;

use anthill::Pool;
use clap::ValueEnum;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{CAPACITY, Wire};

const BACKLOG: i32 = 4096;
/// The read buffer of a connection. With the library's 128 KiB, a thousand connections measure
/// memory bandwidth.
const READ_BUFFER: usize = 2048;

/// The arguments of a server.
#[derive(clap::Args)]
pub(crate) struct ServerArgs {
    #[arg(long)]
    runtime: Runtime,
    #[arg(long)]
    wire: Wire,
    #[arg(long)]
    threads: usize,
}

/// The runtime that runs the handlers, with the same number of workers.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Runtime {
    /// The pool, with an idle worker in the reactor.
    Anthill,
    /// tokio's multi-thread runtime.
    Tokio,
    /// The pool, with a reactor on a thread of its own.
    AnthillBeside,
}

impl Runtime {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Anthill => "anthill",
            Self::Tokio => "tokio",
            Self::AnthillBeside => "anthill-beside",
        }
    }
}

/// Prints the server's address, and serves until standard input ends.
pub(crate) fn serve(args: &ServerArgs) -> io::Result<()> {
    let (listener, address) = listener()?;
    let pool = Pool::builder().capacity(CAPACITY).threads(0..=args.threads);
    match args.runtime {
        Runtime::Anthill => {
            let pool = pool.tokio().build().map_err(io::Error::other)?;
            serve_in(&pool, listener, args.wire);
            announce_and_wait(address)
        }
        Runtime::Tokio => {
            let runtime = runtime::Builder::new_multi_thread()
                .worker_threads(args.threads)
                .enable_all()
                .build()?;
            let handle = runtime.handle().clone();
            drop(runtime.spawn(accept(listener, args.wire, move |handler| {
                drop(handle.spawn(handler));
            })));
            announce_and_wait(address)
        }
        Runtime::AnthillBeside => {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let handle = runtime.handle().clone();
            thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
            let pool = pool
                .tokio_handle(handle)
                .build()
                .map_err(io::Error::other)?;
            serve_in(&pool, listener, args.wire);
            announce_and_wait(address)
        }
    }
}

fn serve_in(pool: &Pool, listener: net::TcpListener, wire: Wire) {
    let handlers = pool.clone();
    let spawn = move |handler| handlers.try_spawn(handler).expect("there is room");
    pool.try_spawn(accept(listener, wire, spawn))
        .expect("there is room");
}

/// Returns a listener with a backlog for all clients, and its address.
pub(in crate::work) fn listener() -> io::Result<(net::TcpListener, net::SocketAddr)> {
    let listener = net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    socket2::SockRef::from(&listener).listen(BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok((listener, address))
}

fn announce_and_wait(address: net::SocketAddr) -> io::Result<()> {
    println!("{address}");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The handler of one connection.
type Handler = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Accepts connections, and passes a handler for each to `spawn`.
pub(in crate::work) async fn accept(
    listener: net::TcpListener,
    wire: Wire,
    spawn: impl Fn(Handler) + Send,
) {
    let listener = TcpListener::from_std(listener).expect("tokio's reactor runs");
    loop {
        let (stream, _) = listener.accept().await.expect("enough file descriptors");
        stream.set_nodelay(true).expect("a TCP socket");
        // A client that disconnects ends only its own future.
        match wire {
            Wire::Tcp => spawn(Box::pin(async { _ = echo(stream).await })),
            Wire::Ws => spawn(Box::pin(async { _ = echo_messages(stream).await })),
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; READ_BUFFER];
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..len]).await?;
    }
}

async fn echo_messages(stream: TcpStream) -> Result<(), Error> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if matches!(message, Message::Binary(_)) {
            socket.send(message).await?;
        }
    }
    Ok(())
}
