//! From where to connect: several loopback addresses have several times the ports of one.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    ops::RangeInclusive,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use tokio::net::{TcpSocket, TcpStream};

/// Linux's own default, where it does not tell.
const EPHEMERAL_PORTS: RangeInclusive<u16> = 32_768..=60_999;

/// Hands out local addresses, round robin.
#[derive(Debug)]
pub(super) struct Sources {
    addresses: u8,
    ports: RangeInclusive<u16>,
    next: AtomicU32,
}

impl Sources {
    /// The first `addresses` of 127.0.0.1 and up.
    pub(super) fn new(addresses: u8) -> Self {
        // Runs side by side begin at different ports.
        let next = AtomicU32::new(std::process::id().wrapping_mul(7919));
        Self {
            addresses,
            ports: ephemeral_ports().unwrap_or(EPHEMERAL_PORTS),
            next,
        }
    }

    /// Connects client number `client` to `target`. The system holds so much for it at most, if that is said.
    pub(super) async fn connect(
        &self,
        target: SocketAddr,
        client: usize,
        buffer: Option<u32>,
    ) -> io::Result<TcpStream> {
        let limited = |socket: TcpSocket| {
            if let Some(buffer) = buffer {
                socket.set_recv_buffer_size(buffer)?;
            }
            io::Result::Ok(socket)
        };
        if self.addresses == 1 {
            let socket = if target.is_ipv4() {
                TcpSocket::new_v4()
            } else {
                TcpSocket::new_v6()
            };
            return limited(socket?)?.connect(target).await;
        }
        // With one address the system finds a port when it connects. A bound one is found at the bind, by a search that
        // grows with the connections; counting the ports through spares it.
        let host = u8::try_from(client % usize::from(self.addresses)).expect("less than a u8") + 1;
        let address = Ipv4Addr::new(127, 0, 0, host);
        for _ in self.ports.clone() {
            let socket = limited(TcpSocket::new_v4()?)?;
            match socket.bind(SocketAddrV4::new(address, self.port()).into()) {
                Ok(()) => return socket.connect(target).await,
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrNotAvailable.into())
    }

    fn port(&self) -> u16 {
        let (first, last) = (u32::from(*self.ports.start()), u32::from(*self.ports.end()));
        let port = first + self.next.fetch_add(1, Relaxed) % (last - first + 1);
        u16::try_from(port).expect("within a range of u16")
    }
}

fn ephemeral_ports() -> Option<RangeInclusive<u16>> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let (first, last) = range.trim().split_once(char::is_whitespace)?;
    let ports = first.parse().ok()?..=last.trim().parse().ok()?;
    (!ports.is_empty()).then_some(ports)
}
