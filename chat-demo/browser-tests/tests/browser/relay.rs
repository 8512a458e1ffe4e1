//! A relay between a browser and the server that can be cut or stalled.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Whole,
    /// Bytes of the server do not arrive.
    Mute,
    /// Connections end, new ones as well.
    Cut,
}

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    wire: watch::Sender<Wire>,
}

impl Relay {
    /// Runs as long as the runtime.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (wire, watched) = watch::channel(Wire::Whole);
        tokio::spawn(async move {
            while let Ok((browser, _)) = listener.accept().await {
                tokio::spawn(carry(browser, server, watched.clone()));
            }
        });
        Self { address, wire }
    }

    /// Ends all connections, and new ones until it is mended.
    pub(crate) fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    /// Withholds the server's bytes from the browser.
    pub(crate) fn mute(&self) {
        self.wire.send_replace(Wire::Mute);
    }

    pub(crate) fn mend(&self) {
        self.wire.send_replace(Wire::Whole);
    }
}

async fn carry(browser: TcpStream, server: SocketAddr, mut wire: watch::Receiver<Wire>) {
    let watched = wire.clone();
    let carried = async {
        let server = TcpStream::connect(server).await?;
        let (from_browser, to_browser) = browser.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::try_join!(
            copy(from_browser, to_server, watched.clone(), |_| true),
            copy(from_server, to_browser, watched, |wire| wire != Wire::Mute),
        )
    };
    tokio::select! {
        biased;
        _ = wire.wait_for(|wire| *wire == Wire::Cut) => {}
        // Ignore errors: either side may end a connection.
        _ = carried => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut wire: watch::Receiver<Wire>,
    passes: impl Fn(Wire) -> bool,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let len = from.read(&mut bytes).await?;
        if len == 0 {
            return to.shutdown().await;
        }
        let open = wire.wait_for(|wire| passes(*wire)).await;
        open.map_err(io::Error::other)?;
        to.write_all(&bytes[..len]).await?;
    }
}
