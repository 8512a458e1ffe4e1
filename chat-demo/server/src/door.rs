//! Sockets before their upgrade, and which of them are closed for others.
//!
//! | a socket that | holds | makes room |
//! |---|---|---|
//! | has sent nothing | a slot of `door` | at once when `door` is full, the oldest first |
//! | waits for a slot of `front` | a slot of `door` | after [`GRACE`] when `door` is full |
//! | asks for health or figures | a slot of `door` | never: it is answered |
//! | has sent a part of a request, or nothing since an answer | a slot of `front` | after [`GRACE`] when `front` is full |
//! | is being answered | a slot of `front` | never |
//!
//! So idle sockets block no other socket, and health requests have slots of their own.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use anthill::{Pool, Slot, SlotError};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use crate::directory::{Claim, Directory};

/// How long a socket that has sent something may take before it makes room.
const GRACE: Duration = Duration::from_secs(1);
/// The paths of requests that are answered without a slot of `front`.
const RESERVED: [&[u8]; 3] = [b"/healthz ", b"/readyz ", b"/metrics "];

pub(crate) struct Door {
    visitors: Mutex<Visitors>,
    addresses: Arc<Directory<Arc<Semaphore>>>,
    /// Handshakes that one address may have at a time.
    each: usize,
}

#[derive(Default)]
struct Visitors {
    /// The oldest first.
    by_age: BTreeMap<u64, Arc<Visit>>,
    next: u64,
}

struct Visit {
    state: Mutex<(State, Instant)>,
    /// Notified when it has to make room.
    cut: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has sent nothing.
    Silent,
    /// It has sent something, and waits for a slot.
    Waiting,
    /// It may send a request, or the rest of one.
    Idle,
    Busy,
    /// It makes room.
    Cut,
}

/// Keeps a socket among the visitors until dropped.
pub(crate) struct Visitor {
    door: Arc<Door>,
    id: u64,
    visit: Arc<Visit>,
    /// Held until the first request has come whole.
    handshake: Mutex<Option<Handshake>>,
}

/// One of the handshakes of an address.
type Handshake = (OwnedSemaphorePermit, Claim<Arc<Semaphore>>);

/// What a socket asks for, as far as its first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Health or figures.
    Reserved,
    Other,
    /// Nothing: the client is gone.
    Gone,
}

impl Door {
    /// Lets each address have so many handshakes at a time; 0 is no bound.
    pub(crate) fn new(each: usize) -> Arc<Self> {
        Arc::new(Self {
            visitors: Mutex::default(),
            addresses: Arc::new(Directory::new()),
            each: if each == 0 {
                Semaphore::MAX_PERMITS
            } else {
                each.min(Semaphore::MAX_PERMITS)
            },
        })
    }

    /// Reserves a slot for a socket that was accepted; sockets that have sent nothing make room for
    /// it.
    pub(crate) async fn admit(&self, door: &Pool) -> Result<Slot<'static>, SlotError> {
        let may_go = |state, since: Instant| match state {
            State::Silent => true,
            State::Waiting => since.elapsed() >= GRACE,
            _ => false,
        };
        self.slot(door, may_go).await
    }

    /// Reserves a slot for a socket that has sent something; idle ones are closed for it.
    pub(crate) async fn advance(&self, front: &Pool) -> Result<Slot<'static>, SlotError> {
        let may_go = |state, since: Instant| state == State::Idle && since.elapsed() >= GRACE;
        self.slot(front, may_go).await
    }

    async fn slot(
        &self,
        pool: &Pool,
        may_go: impl Fn(State, Instant) -> bool,
    ) -> Result<Slot<'static>, SlotError> {
        match pool.try_slot() {
            Err(SlotError::Full) => {}
            slot => return slot.map(Slot::into_owned),
        }
        let slot = pool.slot();
        tokio::pin!(slot);
        loop {
            self.cut(&may_go);
            tokio::select! {
                slot = &mut slot => return slot.map(Slot::into_owned),
                () = sleep(GRACE) => {}
            }
        }
    }

    /// Cuts the oldest socket that may be. Without one, all wait.
    fn cut(&self, may_go: impl Fn(State, Instant) -> bool) {
        let visitors = self.visitors.lock();
        for visit in visitors.by_age.values() {
            let mut state = visit.state.lock();
            if may_go(state.0, state.1) {
                state.0 = State::Cut;
                drop(state);
                visit.cut.notify_one();
                return;
            }
        }
    }

    /// Cuts the oldest socket that has sent nothing: there are no files left.
    pub(crate) fn cut_silent(&self) {
        self.cut(|state, _| state == State::Silent);
    }

    /// Counts a socket among the visitors.
    pub(crate) fn enter(self: &Arc<Self>) -> Visitor {
        let visit = Arc::new(Visit {
            state: Mutex::new((State::Silent, Instant::now())),
            cut: Notify::new(),
        });
        let mut visitors = self.visitors.lock();
        let id = visitors.next;
        visitors.next += 1;
        visitors.by_age.insert(id, visit.clone());
        Visitor {
            door: self.clone(),
            id,
            visit,
            handshake: Mutex::default(),
        }
    }
}

impl Visitor {
    /// Notes what the socket does, unless it has to go.
    pub(crate) fn set(&self, state: State) {
        let mut now = self.visit.state.lock();
        if now.0 != State::Cut {
            *now = (state, Instant::now());
        }
    }

    pub(crate) async fn cut(&self) {
        self.visit.cut.notified().await;
    }

    /// Waits for the turn of its address.
    pub(crate) async fn begin(&self, address: IpAddr) {
        let door = &self.door;
        let make = |_| Arc::new(Semaphore::new(door.each));
        let (semaphore, claim) = door.addresses.claim(&network(address), make);
        // It is never closed.
        if let Ok(permit) = semaphore.as_ref().clone().acquire_owned().await {
            *self.handshake.lock() = Some((permit, claim));
        }
    }

    /// The first request has come: its address may begin another handshake.
    pub(crate) fn has_asked(&self) {
        self.handshake.lock().take();
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.door.visitors.lock().by_age.remove(&self.id);
    }
}

/// Waits for the first bytes of a socket, which stay in it.
pub(crate) async fn first_bytes(socket: &TcpStream, is_plain: bool) -> Asks {
    let mut bytes = [0; 16];
    match socket.peek(&mut bytes).await {
        Ok(0) | Err(_) => Asks::Gone,
        Ok(len) if is_plain && is_reserved(&bytes[..len]) => Asks::Reserved,
        Ok(_) => Asks::Other,
    }
}

fn is_reserved(bytes: &[u8]) -> bool {
    let path = bytes.strip_prefix(b"GET ");
    let path = path.or_else(|| bytes.strip_prefix(b"HEAD "));
    path.is_some_and(|path| RESERVED.iter().any(|reserved| path.starts_with(reserved)))
}

/// What is one address for a bound: a client has a whole network of IPv6.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(capacity: usize) -> Pool {
        let pool = Pool::builder().capacity(capacity).build();
        pool.expect("a pool")
    }

    /// Whether a socket has to go.
    fn is_cut(visitor: &Visitor) -> bool {
        visitor.visit.state.lock().0 == State::Cut
    }

    #[tokio::test(start_paused = true)]
    async fn oldest_silent_socket_makes_room() {
        let door = Door::new(0);
        let pool = pool(3);
        let mut held = Vec::new();
        for state in [State::Waiting, State::Silent, State::Silent] {
            let slot = door.admit(&pool).await.expect("it is free");
            let visitor = door.enter();
            visitor.set(state);
            held.push((slot, visitor));
        }
        let [waiting, first, second] = [0, 1, 2];
        let leave = async {
            held[first].1.cut().await;
            drop(held.remove(first));
        };
        let (slot, ()) = tokio::join!(door.admit(&pool), leave);
        assert!(slot.is_ok());
        assert!(!is_cut(&held[waiting].1) && !is_cut(&held[second - 1].1));
    }

    #[tokio::test(start_paused = true)]
    async fn only_idle_sockets_are_closed_for_others() {
        let door = Door::new(0);
        let pool = pool(2);
        let (busy, idle) = (door.enter(), door.enter());
        let slots = [pool.try_slot(), pool.try_slot()].map(|slot| slot.expect("it is free"));
        busy.set(State::Busy);
        idle.set(State::Idle);
        let start = Instant::now();
        let leave = async {
            idle.cut().await;
            drop(slots);
        };
        let (slot, ()) = tokio::join!(door.advance(&pool), leave);
        assert!(slot.is_ok() && start.elapsed() >= GRACE);
        assert!(!is_cut(&busy));
    }

    #[tokio::test]
    async fn handshakes_of_an_address_wait_for_each_other() {
        let door = Door::new(1);
        let (one, two, other) = (door.enter(), door.enter(), door.enter());
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        one.begin(address("10.0.0.1")).await;
        other.begin(address("10.0.0.2")).await;
        let second = async {
            two.begin(address("::ffff:10.0.0.1")).await;
            assert!(one.handshake.lock().is_none(), "it has asked");
        };
        let asks = async {
            tokio::task::yield_now().await;
            one.has_asked();
        };
        tokio::join!(second, asks);
        drop((one, two, other));
        assert_eq!(door.addresses.len(), 0);
        assert!(door.visitors.lock().by_age.is_empty());
    }

    #[test]
    fn network_of_ipv6_is_one_address() {
        let same = ["2001:db8::1", "2001:db8::ffff:1"];
        let [one, two] = same.map(|text| network(text.parse().expect("an address")));
        assert_eq!(one, two);
        assert_ne!(one, network("2001:db8:0:1::1".parse().expect("an address")));
    }

    #[test]
    fn health_requests_are_known_by_their_first_bytes() {
        for request in ["GET /healthz HTTP", "HEAD /readyz HTTP", "GET /metrics HTT"] {
            assert!(is_reserved(request.as_bytes()), "{request}");
        }
        for request in ["GET /ws HTTP/1.1", "GET /healthz?x=1", "G", ""] {
            assert!(!is_reserved(request.as_bytes()), "{request}");
        }
    }
}
