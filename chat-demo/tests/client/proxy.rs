//! A proxy between client and server that a test can cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Bytes pass.
    Open,
    /// Data stops without an error.
    Stalled,
    /// Those of the server do not.
    Mute,
    /// Connections end, new ones as well.
    Cut,
}

pub(crate) struct Proxy {
    pub(crate) url: String,
    line: watch::Sender<Line>,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (line, watched) = watch::channel(Line::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, watched.clone()));
            }
        });
        Self {
            url: format!("ws://{address}/ws"),
            line,
        }
    }

    pub(crate) fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }

    pub(crate) fn stall(&self) {
        self.line.send_replace(Line::Stalled);
    }

    pub(crate) fn mute(&self) {
        self.line.send_replace(Line::Mute);
    }

    pub(crate) fn resume(&self) {
        self.line.send_replace(Line::Open);
    }
}

/// Until the line is cut, or one side has ended.
async fn pass(client: TcpStream, server: SocketAddr, line: watch::Receiver<Line>) {
    if *line.borrow() == Line::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = line.clone();
    tokio::select! {
        _ = cut.wait_for(|line| *line == Line::Cut) => {}
        () = copy(from_client, to_server, line.clone(), &[Line::Open, Line::Mute]) => {}
        () = copy(from_server, to_client, line, &[Line::Open]) => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
    passing: &[Line],
) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let open = line.wait_for(|line| passing.contains(line)).await.is_ok();
        if !open || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
