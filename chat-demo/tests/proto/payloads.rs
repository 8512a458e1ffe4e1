//! One of each payload, with every field.

use std::fmt::Debug;

use chat_demo_client::payload::{
    Ack, Alert, Bye, Error, ErrorCode, Hello, History, Join, Joined, Leave, Level, Members,
    Message, OrderUpdate, Payload, Presence, PresenceEvent, Publish, Search, State, Typing,
    UserState, Welcome,
};

pub(crate) trait Check {
    fn one<P: Payload + PartialEq + Debug>(&mut self, name: &'static str, payload: P);
}

/// Returns one of each payload, with every field.
pub(crate) fn each(check: &mut impl Check) {
    of_both(check);
    of_both_at_last(check);
    of_clients(check);
    of_servers(check);
}

fn text() -> String {
    "näme \"quoted\"".to_owned()
}

fn of_both(check: &mut impl Check) {
    check.one(
        "OrderUpdate",
        OrderUpdate {
            order: text(),
            status: text(),
            room: Some(text()),
        },
    );
    check.one(
        "OrderUpdate",
        OrderUpdate {
            order: text(),
            status: text(),
            room: None,
        },
    );
    for state in [State::Online, State::Away, State::Busy] {
        check.one(
            "UserState",
            UserState {
                state: state.into(),
                user: Some(text()),
            },
        );
    }
    for level in [Level::Info, Level::Warning, Level::Critical] {
        check.one(
            "Alert",
            Alert {
                level: level.into(),
                text: text(),
            },
        );
    }
    check.one(
        "Members",
        Members {
            room: text(),
            users: vec![text(), text()],
        },
    );
    check.one(
        "Members",
        Members {
            room: text(),
            users: vec![],
        },
    );
}

fn of_both_at_last(check: &mut impl Check) {
    check.one(
        "Search",
        Search {
            room: text(),
            text: text(),
            before: Some(5),
            limit: Some(50),
            messages: vec![message(), message()],
        },
    );
    for user in [None, Some(text())] {
        check.one("Typing", Typing { room: text(), user });
    }
}

fn message() -> Message {
    Message {
        room: text(),
        seq: 1 << 40,
        user: text(),
        text: text(),
        ts: 1_700_000_000_000,
    }
}

fn of_clients(check: &mut impl Check) {
    check.one(
        "Hello",
        Hello {
            name: Some(text()),
            token: Some(text()),
        },
    );
    check.one(
        "Hello",
        Hello {
            name: None,
            token: None,
        },
    );
    check.one(
        "Join",
        Join {
            room: text(),
            after: Some(0),
            epoch: Some(text()),
        },
    );
    check.one(
        "Join",
        Join {
            room: text(),
            after: None,
            epoch: None,
        },
    );
    check.one("Leave", Leave { room: text() });
    check.one(
        "Publish",
        Publish {
            room: text(),
            text: text(),
            id: Some(text()),
            key: Some(text()),
        },
    );
    check.one(
        "History",
        History {
            room: text(),
            before: Some(5),
            limit: 50,
        },
    );
}

fn of_servers(check: &mut impl Check) {
    check.one(
        "Welcome",
        Welcome {
            session: text(),
            user: text(),
            node: text(),
            heartbeat_ms: 30_000,
            idle_ms: 75_000,
            max_payload: 65_536,
        },
    );
    check.one(
        "Joined",
        Joined {
            room: text(),
            seq: 9,
            members: 3,
            recovered: true,
            epoch: text(),
        },
    );
    check.one("Message", message());
    check.one(
        "Ack",
        Ack {
            id: text(),
            room: text(),
            seq: 7,
        },
    );
    for code in (0..).map_while(|code| ErrorCode::try_from(code).ok()) {
        check.one(
            "Error",
            Error {
                code: code.into(),
                message: text(),
                id: Some(text()),
                room: Some(text()),
            },
        );
    }
    for event in [PresenceEvent::Joined, PresenceEvent::Left] {
        check.one(
            "Presence",
            Presence {
                room: text(),
                user: text(),
                event: event.into(),
            },
        );
    }
    check.one(
        "Bye",
        Bye {
            reason: text(),
            reconnect_after_ms: 1000,
        },
    );
}
