//! A TCP echo server whose connections are futures of a bounded pool, without another runtime.
//!
//! `cargo run -p anthill --features tokio --example tokio_echo`, then `nc 127.0.0.1 7070`. Ctrl-C
//! stops the server.

use std::error::Error;
use std::time::Duration;

use anthill::Pool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The maximum number of connections. Further connections wait in the backlog of the system.
const CONNECTIONS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let connections = Pool::builder()
        .capacity(CONNECTIONS)
        .tokio()
        .panic_handler(|panic| eprintln!("{panic}"))
        .build()?;
    // The server's own tasks use a subpool, so that they take no slot of a connection.
    let own = connections.subpool().capacity(2).build()?;

    let listener = own.spawn_with_handle(TcpListener::bind("127.0.0.1:7070"))?;
    let listener = listener.wait()??;
    println!("listening on {}", listener.local_addr()?);

    let pool = connections.clone();
    let accepting = own.spawn_with_handle(async move {
        // Reserve a slot before accepting, so that further connections stay in the backlog.
        while let Ok(slot) = pool.slot().await {
            match listener.accept().await {
                Ok((socket, _)) => slot.spawn(async { drop(echo(socket).await) }),
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    })?;
    own.spawn_with_handle(async { tokio::signal::ctrl_c().await })?
        .wait()??;

    accepting.cancel();
    own.shutdown().wait()?;
    // Wait a limited time, because clients may keep their connections open for ever.
    if let Err(late) = connections.shutdown().wait_timeout(Duration::from_secs(1)) {
        eprintln!("{late}");
    }
    Ok(())
}

async fn echo(mut socket: TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let len = socket.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        socket.write_all(&buffer[..len]).await?;
    }
}
