//! A proxy to Redis that can be cut, when data waits and arrives late, or led elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Proxy {
    address: SocketAddr,
    to: watch::Sender<SocketAddr>,
    stalled: Arc<watch::Sender<bool>>,
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let stalled = Arc::new(watch::Sender::new(false));
        let accepts = stalled.clone();
        let (to, target) = watch::channel(to);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let stalled = accepts.subscribe();
                let to = *target.borrow();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(to).await else {
                        return;
                    };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::spawn(carry(from_client, to_server, stalled.clone()));
                    carry(from_server, to_client, stalled).await;
                });
            }
        });
        Self {
            address,
            to,
            stalled,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Leads new connections elsewhere.
    pub(crate) fn lead(&self, to: SocketAddr) {
        self.to.send_replace(to);
    }

    /// Data stops without an error.
    pub(crate) fn stall(&self) {
        self.stalled.send_replace(true);
    }

    pub(crate) fn go_on(&self) {
        self.stalled.send_replace(false);
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut stalled: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut bytes).await {
        if stalled.wait_for(|stalled| !stalled).await.is_err()
            || to.write_all(&bytes[..len]).await.is_err()
        {
            return;
        }
    }
}

/// Connects each client to the first server that accepts it.
pub(crate) struct Balancer {
    address: SocketAddr,
    passed: Arc<watch::Sender<usize>>,
}

impl Balancer {
    pub(crate) async fn start(urls: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let passed = Arc::new(watch::Sender::new(0));
        let servers: Vec<SocketAddr> = urls
            .iter()
            .map(|url| {
                let host = url.trim_start_matches("ws://").trim_end_matches("/ws");
                host.parse().expect("an address")
            })
            .collect();
        let counts = passed.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (servers, counts) = (servers.clone(), counts.clone());
                tokio::spawn(async move {
                    for server in servers {
                        if let Ok(mut server) = TcpStream::connect(server).await {
                            counts.send_modify(|count| *count += 1);
                            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { address, passed }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Waits until this many clients have been connected.
    pub(crate) async fn until(&self, count: usize) {
        let mut passed = self.passed.subscribe();
        let enough = passed.wait_for(|passed| *passed >= count).await;
        enough.expect("it counts as long as it is there");
    }
}
