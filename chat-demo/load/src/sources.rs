//! Local addresses to connect from. Several loopback addresses have more ports than one.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use tokio::net::{TcpSocket, TcpStream};

/// Loopback addresses from 127.0.0.1 up; with one, the system chooses the address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources {
    addresses: u8,
}

impl Sources {
    pub(super) fn new(addresses: u8) -> Self {
        Self { addresses }
    }

    /// Connects a client to `target`, optionally with a receive buffer of `buffer` bytes.
    pub(super) async fn connect(
        &self,
        target: SocketAddr,
        client: usize,
        buffer: Option<u32>,
    ) -> io::Result<TcpStream> {
        let socket = match target {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        if let Some(buffer) = buffer {
            socket.set_recv_buffer_size(buffer)?;
        }
        if self.addresses > 1 {
            leave_port_to_connect(&socket)?;
            socket.bind(SocketAddrV4::new(self.address(client), 0).into())?;
        }
        socket.connect(target).await
    }

    fn address(self, client: usize) -> Ipv4Addr {
        let host = client % usize::from(self.addresses) + 1;
        Ipv4Addr::new(127, 0, 0, u8::try_from(host).expect("at most as many"))
    }
}

/// Leaves the choice of the port to `connect`. `bind` would reserve a port for one connection, and
/// search longer the more ports are used; `connect` shares a port between targets.
#[cfg(target_os = "linux")]
fn leave_port_to_connect(socket: &TcpSocket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
    Ok(setsockopt(socket, IpBindAddressNoPort, &true)?)
}

/// Other systems choose the port in `bind`.
#[cfg(not(target_os = "linux"))]
fn leave_port_to_connect(_: &TcpSocket) -> io::Result<()> {
    Ok(())
}
