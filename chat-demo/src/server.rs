//! The server's life: bind, accept, drain.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anthill::{Pool, ShutdownError};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::error::{CloseReason, ServeError};
use crate::frame::Kind;
use crate::http;
use crate::node::Node;
use crate::payload::Bye;
use crate::reactor::Reactor;
use crate::router::Router;
use crate::session;
use crate::wire;

/// Connections that the system holds for us while we are busy.
const BACKLOG: i32 = 4096;
/// How much the system may hold unsent for one client. What is more waits in the outbox, where it is counted.
const UNSENT: u32 = 16 * 1024;
/// When the system begins to ask a silent peer, how often, and when it gives up.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Files that are open beside the connections.
const OTHER_FILES: u64 = 64;
/// How long to wait when accepting fails: for want of files, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// When clients should come back after a drain.
const RECONNECT_AFTER_MS: u64 = 1000;

/// Binds the address with a backlog deep enough for thousands at once.
pub fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listen = || -> io::Result<TcpListener> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    listen().map_err(|source| ServeError::Listen { address, source })
}

/// Lets the process open as many files as the system allows; warns when that is too few for the connections.
pub fn raise_open_files(max_connections: usize) {
    let wanted = max_connections as u64 + OTHER_FILES;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < wanted => tracing::warn!(
            "the limit of {limit} open files is too low for --max-connections {max_connections}: raise it to {wanted}"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!("cannot raise the limit of open files: {error}"),
    }
}

/// Serves until `shutdown` is ready, then drains. Needs a tokio runtime as the reactor; all work is done by the pool.
pub async fn run(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let router = Arc::new(Router::new(config.debug_commands));
    let node = Arc::new(Node::new(config, Reactor::current())?);
    tracing::info!("chat-demo listens on http://{}", listener.local_addr()?);
    {
        let mut shutdown = pin!(shutdown);
        tokio::select! {
            () = &mut shutdown => {}
            never = accept(&listener, &node, &router) => match never {},
        }
    }
    // Closed, so that newcomers are refused at once and go elsewhere.
    drop(listener);
    drain(&node).await
}

async fn accept(listener: &TcpListener, node: &Arc<Node>, router: &Arc<Router>) -> Infallible {
    let mut failing = false;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                // Once, not ten times a second, for as long as it lasts.
                if !mem::replace(&mut failing, true) {
                    tracing::warn!("cannot accept: {error}");
                }
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        failing = false;
        node.metrics.accepted.inc();
        if let Err(error) = set_options(&stream) {
            tracing::debug!("a client left while it was accepted: {error}");
            continue;
        }
        let greeting = greet(stream, node.clone(), router.clone());
        // Waits when too many shake hands already: the backlog holds the rest.
        if node
            .pools
            .front
            .spawn_async(node.reactor.lend(greeting))
            .await
            .is_err()
        {
            tracing::warn!("the front takes no connections");
        }
    }
}

/// HTTP first; a socket that upgrades goes on in a task of its own, which holds nothing of the handshake.
async fn greet(stream: TcpStream, node: Arc<Node>, router: Arc<Router>) {
    if let Some(upgraded) = http::serve(stream, &node).await {
        let reactor = node.reactor.clone();
        upgraded.slot.spawn(reactor.lend(session::run(
            upgraded.stream,
            upgraded.head,
            node,
            router,
        )));
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE_INTERVAL),
    )?;
    socket.set_tcp_notsent_lowat(UNSENT)
}

/// Sends everybody away, and waits for them to go.
async fn drain(node: &Arc<Node>) -> Result<(), ServeError> {
    let Config {
        drain_notice,
        drain_timeout,
        ..
    } = node.config;
    node.draining.cancel();
    let bye = Bye {
        reason: CloseReason::Restart.text().to_owned(),
        reconnect_after_ms: RECONNECT_AFTER_MS,
    };
    let told = node.hub.broadcast(&wire::message(Kind::BYE, &bye));
    tracing::info!("draining {told} connections");
    if told > 0 {
        sleep(drain_notice).await;
    }
    node.hub.end_all(CloseReason::Restart);

    let deadline = Instant::now() + drain_timeout;
    // Handshakes become connections, and connections leave rooms: in this order nothing is refused on its way out.
    for pool in [
        &node.pools.front,
        &node.pools.connections,
        &node.pools.fanout,
    ] {
        shut_down(pool.clone(), deadline).await?;
    }
    tracing::info!("drained");
    Ok(())
}

/// Waits on a thread of its own, for the reactor must go on.
async fn shut_down(pool: Pool, deadline: Instant) -> Result<(), ServeError> {
    let wait = move || pool.shutdown_timeout(deadline.saturating_duration_since(Instant::now()));
    let ended = tokio::task::spawn_blocking(wait)
        .await
        .map_err(io::Error::from)?;
    ended.map_err(|error| match error {
        ShutdownError::Timeout(unfinished) => ServeError::Drain {
            left: unfinished.stats.in_flight,
        },
        _ => ServeError::Drain { left: 0 },
    })
}
