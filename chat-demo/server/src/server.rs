//! The life cycle of the server: start, accept, drain.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::mem;
use std::net::{self, IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anthill::{JoinHandle, ShutdownError};
use chat_demo_client::payload::Bye;
use chat_demo_client::wire::Shared;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, sleep, timeout};

use crate::config::{Config, ListenAddrs};
use crate::door::{self, Asks, State, Visitor};
use crate::echo;
use crate::error::{CloseReason, Refused, ServeError};
use crate::events::{self, Reader};
use crate::history::REMEMBER;
use crate::http::{self, Connected};
use crate::node::Node;
use crate::session;
use crate::worker::on_worker;

/// Connections that the system holds for us while we are busy.
const BACKLOG: i32 = 4096;
/// How much the system may hold unsent for one client. What is more waits in the outbox, where it
/// is counted.
const UNSENT: u32 = 16 * 1024;
/// When the system begins to ask a silent peer, how often, and when it gives up.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Files that are open beside the connections.
const OTHER_FILES: u64 = 64;
/// How long to wait when accepting fails: for want of files, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often old messages are looked for.
const FORGET: Duration = Duration::from_secs(30);
/// How often the data file is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How long clients should wait before they reconnect after a drain.
const RECONNECT_AFTER_MS: u64 = 1000;

/// Lets the process open as many files as the system allows; warns when that is too few for the
/// connections.
pub fn raise_open_files(max_connections: usize) {
    let wanted = max_connections as u64 + OTHER_FILES;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < wanted => tracing::warn!(
            limit,
            wanted,
            max_connections,
            "limit of open files is too low for --max-connections; raise it (ulimit -n)"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}

/// A server that runs on the threads of its pool, until it is drained or dropped.
pub struct Server {
    node: Arc<Node>,
    address: SocketAddr,
    /// There until the end.
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens and serves. Logs the address, as do the later steps of its life.
    pub fn start(mut config: Config) -> Result<Self, ServeError> {
        let listener = bind(&config.listen)?;
        let address = listener.local_addr()?;
        config.listen = address.into();
        let node = Arc::new(Node::new(config)?);
        let mut server = Self {
            node,
            address,
            accepting: None,
        };
        let service = &server.node.pools.service;
        let listener = on_worker(service, || TcpListener::from_std(listener))?;
        let node = server.node.clone();
        node.pools.serve(forget(node.clone()));
        node.pools.serve(watch_data(node.clone()));
        if let Some(closures) = node.closures.clone() {
            node.pools.serve(closures.run(node.draining.clone()));
        }
        server.accepting = Some(server.spawn(async move {
            tokio::select! {
                () = node.draining.cancelled() => {}
                never = accept(&listener, &node) => match never {},
            }
        }));
        let node = &server.node.config.node;
        let scheme = server.node.tls.as_ref().map_or("http", |_| "https");
        tracing::info!(node, url = %format_args!("{scheme}://{address}"), "listening");
        Ok(server)
    }

    /// Where it listens: with the port that it got where none was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses new connections, notifies the clients, and waits until they have gone. Blocks.
    pub fn drain(mut self) -> Result<(), ServeError> {
        self.node.draining.cancel();
        // Wait until the listener is closed, so that new clients are refused at once.
        if let Some(Err(error)) = self.accepting.take().map(JoinHandle::wait) {
            tracing::error!(%error, "task that accepts connections ended early");
        }
        drain(&self.node)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let spawned = self.node.pools.service.spawn_with_handle(task);
        spawned.expect("the server has few tasks of its own")
    }
}

/// Without a drain, the listener closes and the connections end one by one. Does not wait for them:
/// async code drops servers, too, and a wait there panics.
impl Drop for Server {
    fn drop(&mut self) {
        self.node.draining.cancel();
        self.node.hub.end_all(CloseReason::Restart);
    }
}

/// Listens on the first of the addresses that can be bound, with a backlog for thousands at once.
fn bind(listen: &ListenAddrs) -> Result<net::TcpListener, ServeError> {
    let mut failed = None;
    for &address in listen.addresses() {
        match bind_to(address) {
            Ok(listener) => return Ok(listener),
            Err(source) => failed = Some(ServeError::Listen { address, source }),
        }
    }
    Err(failed.expect("there is at least one address"))
}

fn bind_to(address: SocketAddr) -> io::Result<net::TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn accept(listener: &TcpListener, node: &Arc<Node>) -> Infallible {
    let mut failing = false;
    loop {
        let (stream, address) = match listener.accept().await {
            Ok((stream, address)) => (stream, address.ip()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                // Log once, not ten times a second.
                if !mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "cannot accept connections");
                }
                // Most likely there are no files left.
                node.door.cut_silent();
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        failing = false;
        node.tally.accepted.inc();
        if let Err(error) = set_options(&stream) {
            tracing::debug!(%error, "client disconnected during accept");
            continue;
        }
        // Waits when there are too many already, and none makes room: the backlog holds the rest.
        if let Ok(slot) = node.door.admit(&node.pools.door).await {
            slot.spawn(receive(stream, address, node.clone()));
        } else {
            tracing::warn!("cannot admit a socket: the front pool is closed");
        }
    }
}

/// Forgets what is too old, while the server serves.
async fn forget(node: Arc<Node>) {
    let mut ticks = interval(FORGET);
    let draining = &node.draining;
    while draining.run_until_cancelled(ticks.tick()).await.is_some() {
        node.hub.history().expire(node.hub.journal().is_some());
        if let Some(journal) = node.hub.journal() {
            let age = node.config.history_age;
            let hub = node.hub.clone();
            let forget_room = move |room: &str, is_silent| {
                let history = hub.history();
                history.is_forgotten(room) || (is_silent && history.forget(room))
            };
            journal.forget(age, REMEMBER.max(age), forget_room).await;
        }
        node.rates.expire();
    }
}

/// Checks the data file while the server runs, so that a removed file is detected even if no client
/// publishes.
async fn watch_data(node: Arc<Node>) {
    let Some(journal) = node.hub.journal() else {
        return;
    };
    let mut ticks = interval(LOOK);
    let draining = &node.draining;
    while draining.run_until_cancelled(ticks.tick()).await.is_some() {
        journal.check();
    }
}

/// Waits until a socket has sent something, and gives it a place where HTTP is spoken. What asks
/// for health has its answer here, where handshakes take no place from it.
async fn receive(stream: TcpStream, address: IpAddr, node: Arc<Node>) {
    let visitor = node.door.enter();
    let time = node.config.handshake_timeout;
    let place = async {
        let asks = timeout(time, door::first_bytes(&stream, node.tls.is_none())).await;
        match asks {
            Ok(Asks::Other) => {}
            Ok(Asks::Reserved) => return Some(None),
            Ok(Asks::Gone) => return None,
            Err(_) => {
                node.tally.refused.inc(Refused::Timeout);
                return None;
            }
        }
        visitor.set(State::Waiting);
        visitor.begin(address).await;
        let slot = node.door.advance(&node.pools.front).await;
        visitor.set(State::Idle);
        slot.ok().map(Some)
    };
    let place = tokio::select! {
        place = place => place,
        () = visitor.cut() => {
            node.tally.refused.inc(Refused::Crowded);
            return;
        }
        () = node.draining.cancelled() => return,
    };
    match place {
        Some(Some(slot)) => slot.spawn(greet(stream, visitor, node)),
        // Boxed: a socket that has sent nothing does not carry its weight.
        Some(None) => _ = Box::pin(http::serve(stream, &node, &visitor, false)).await,
        None => {}
    }
}

/// Serves HTTP. An upgraded socket continues in its own task without the state of the handshake.
async fn greet(stream: TcpStream, visitor: Visitor, node: Arc<Node>) {
    let connected = http::serve(stream, &node, &visitor, true).await;
    drop(visitor);
    match connected {
        Some(Connected::WebSocket(upgraded)) if node.config.echo => {
            let echo = echo::run(upgraded.stream, upgraded.head, node);
            upgraded.slot.spawn(echo);
        }
        Some(Connected::WebSocket(upgraded)) => {
            let session = session::run(upgraded.stream, upgraded.head, upgraded.subprotocol, node);
            upgraded.slot.spawn(session);
        }
        Some(Connected::Events(stream, reader)) => {
            let Reader { context, slot } = *reader;
            slot.spawn(events::run(stream, context));
        }
        None => {}
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    socket.set_tcp_keepalive(&keepalive.with_interval(KEEPALIVE_INTERVAL))?;
    socket.set_tcp_notsent_lowat(UNSENT)
}

/// Closes all connections and waits for them to end.
fn drain(node: &Node) -> Result<(), ServeError> {
    let bye = Bye {
        reason: CloseReason::Restart.text().to_owned(),
        reconnect_after_ms: RECONNECT_AFTER_MS,
    };
    let queued = node.hub.broadcast(&Shared::new(bye), |_| true);
    tracing::info!(connections = queued, "draining");
    if queued > 0 {
        thread::sleep(node.config.drain_notice);
    }
    node.hub.end_all(CloseReason::Restart);

    let deadline = Instant::now() + node.config.drain_timeout;
    // Handshakes become connections, and connections leave rooms: in this order nothing is refused
    // on its way out.
    for pool in [
        &node.pools.door,
        &node.pools.front,
        &node.pools.connections,
        &node.pools.pages,
        &node.pools.searches,
        &node.pools.api,
        &node.pools.fanout,
    ] {
        pool.shutdown()
            .wait_deadline(deadline)
            .map_err(|error| ServeError::Drain {
                left: match error {
                    ShutdownError::Timeout(unfinished) => unfinished.stats.in_flight,
                    _ => 0,
                },
            })?;
    }
    if let Some(journal) = node.hub.journal() {
        journal.close();
    }
    if let Some(redis) = &node.redis {
        redis.close(&node.pools.service);
    }
    tracing::info!("drained");
    Ok(())
}
