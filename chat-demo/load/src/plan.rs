//! What each client of a run does, the same in every process.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::args::Args;

/// The fraction of the golden ratio: its multiples spread evenly over any share of the clients.
const GOLDEN: f64 = 0.618_033_988_749_895;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Part of the rooms' names, so that their history has no messages of other runs.
    pub(super) run: String,
    pub(super) address: SocketAddr,
    pub(super) args: Args,
    /// Which process this is, from 0, and of how many: they take turns with the clients.
    pub(super) share: (usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Publishes and reads; the number counts the publishers of its room.
    Publisher(usize),
    /// Reads.
    Listener,
    /// Reads more slowly than messages arrive.
    Slow,
    /// Reads, and loses its connection now and then.
    Reconnecting,
    /// Is connected, and in no room.
    Idle,
}

impl Plan {
    /// Returns the numbers of the clients of this process.
    pub(super) fn clients(&self) -> impl Iterator<Item = usize> + use<> {
        let (index, of) = self.share;
        (index..self.args.connections).step_by(of)
    }

    pub(super) fn room_of(&self, client: usize) -> usize {
        client % self.args.rooms()
    }

    pub(super) fn room_name(&self, room: usize) -> String {
        format!("load-{}-{room}", self.run)
    }

    /// Returns how many clients of `room` publish.
    pub(super) fn publishers_of(&self, room: usize) -> usize {
        let clients = (self.args.connections - room).div_ceil(self.args.rooms());
        self.args.publishers.min(clients)
    }

    pub(super) fn all_publishers(&self) -> usize {
        let rooms = 0..self.args.rooms();
        rooms.map(|room| self.publishers_of(room)).sum()
    }

    pub(super) fn role_of(&self, client: usize) -> Role {
        let seat = client / self.args.rooms();
        if seat < self.publishers_of(self.room_of(client)) {
            return Role::Publisher(seat);
        }
        let Args {
            slow_readers,
            reconnecting,
            idle,
            ..
        } = self.args;
        // Map each remaining client to a place between 0 and 1.
        let place = ((client - self.all_publishers()) as f64 * GOLDEN).fract();
        if place < slow_readers {
            Role::Slow
        } else if place < slow_readers + reconnecting {
            Role::Reconnecting
        } else if place < slow_readers + reconnecting + idle {
            Role::Idle
        } else {
            Role::Listener
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::Ipv4Addr;

    use clap::Parser;

    use super::*;

    pub(in super::super) fn plan(connections: usize, rooms: usize, publishers: usize) -> Plan {
        let options =
            format!("--connections {connections} --rooms {rooms} --publishers {publishers}");
        let words = ["load", "--size", "80"].into_iter();
        Plan {
            run: String::new(),
            address: (Ipv4Addr::LOCALHOST, 1).into(),
            args: Args::try_parse_from(words.chain(options.split(' '))).expect("valid"),
            share: (0, 1),
        }
    }

    #[test]
    fn clients_spread_over_rooms_and_the_first_publish() {
        let plan = plan(7, 3, 3);
        let rooms: Vec<_> = (0..7).map(|client| plan.room_of(client)).collect();
        assert_eq!(rooms, [0, 1, 2, 0, 1, 2, 0]);
        let publishers: Vec<_> = (0..3).map(|room| plan.publishers_of(room)).collect();
        assert_eq!(publishers, [3, 2, 2]);
        assert_eq!(plan.role_of(6), Role::Publisher(2));
    }

    #[test]
    fn clients_that_do_not_publish_share_the_roles() {
        let mut plan = plan(1100, 10, 10);
        plan.args.slow_readers = 0.1;
        plan.args.reconnecting = 0.2;
        plan.args.idle = 0.3;
        let count = |role| {
            (0..1100)
                .filter(|client| plan.role_of(*client) == role)
                .count()
        };
        let publish =
            (0..1100).filter(|client| matches!(plan.role_of(*client), Role::Publisher(_)));
        assert_eq!(publish.count(), 100);
        for (role, wanted) in [
            (Role::Slow, 100),
            (Role::Reconnecting, 200),
            (Role::Idle, 300),
            (Role::Listener, 400),
        ] {
            let count = count(role);
            assert!(count.abs_diff(wanted) <= 5, "{role:?}: {count}");
        }
    }
}
