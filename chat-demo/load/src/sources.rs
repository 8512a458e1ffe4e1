//! From where to connect: several loopback addresses have several times the ports of one.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use tokio::net::{TcpSocket, TcpStream};

/// The first so many addresses of 127.0.0.1 and up, or, with one, whatever the system takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources {
    addresses: u8,
}

impl Sources {
    pub(super) fn new(addresses: u8) -> Self {
        Self { addresses }
    }

    /// Connects client number `client` to `target`. The system holds so much for it at most, if that is said.
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

/// A port found at the bind may serve one connection only, and is looked for longer the more there are. One found at
/// the connect may serve one to each target, and is found at once.
#[cfg(target_os = "linux")]
fn leave_port_to_connect(socket: &TcpSocket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
    Ok(setsockopt(socket, IpBindAddressNoPort, &true)?)
}

/// Other systems find the port at the bind.
#[cfg(not(target_os = "linux"))]
fn leave_port_to_connect(_: &TcpSocket) -> io::Result<()> {
    Ok(())
}
