//! Local addresses to connect from. Several loopback addresses have more ports than one.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

#[cfg(target_os = "linux")]
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use tokio::net::{TcpSocket, TcpStream};

use super::plan::Plan;

/// Connects a client to the target, optionally with a receive buffer of `buffer` bytes. With one
/// source, the system chooses the address; with more, clients take turns from 127.0.0.1 up.
pub(super) async fn connect(
    plan: &Plan,
    client: usize,
    buffer: Option<u32>,
) -> io::Result<TcpStream> {
    let socket = match plan.address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    if let Some(buffer) = buffer {
        socket.set_recv_buffer_size(buffer)?;
    }
    if plan.args.sources > 1 {
        // `bind` would reserve a port for one connection, and search longer the more ports are
        // used. `connect` shares a port between targets. Other systems choose the port in `bind`.
        #[cfg(target_os = "linux")]
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        let host = client % usize::from(plan.args.sources) + 1;
        let host = u8::try_from(host).expect("at most as many");
        socket.bind(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 0).into())?;
    }
    socket.connect(plan.address).await
}
