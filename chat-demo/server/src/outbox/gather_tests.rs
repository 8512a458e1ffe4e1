use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use super::tests::Wakes;
use super::*;

const LIMITS: Limits = Limits {
    frames: 8,
    bytes: 100,
    patience: Duration::ZERO,
};

/// Polls once, with a socket that takes `room` bytes. Returns what each write carried, and whether
/// the task woke itself.
fn drain_into(outbox: &Outbox, mut room: usize) -> (Vec<String>, bool) {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut writes = Vec::new();
    let drained = outbox.poll_drain(&mut Context::from_waker(&waker), |_, bytes| {
        let bytes = &bytes[..bytes.len().min(room)];
        if bytes.is_empty() {
            return Poll::Pending;
        }
        room -= bytes.len();
        writes.push(String::from_utf8(bytes.to_vec()).expect("frames are text"));
        Poll::Ready(Ok(bytes.len()))
    });
    assert_eq!(drained.is_ready(), outbox.is_sealed() && room > 0);
    (writes, wakes.0.load(Ordering::Relaxed) > 0)
}

fn drain(outbox: &Outbox) -> (Vec<String>, bool) {
    drain_into(outbox, usize::MAX)
}

fn push(outbox: &Outbox, frames: &[&'static str]) {
    for frame in frames {
        assert!(
            outbox
                .push(Bytes::from_static(frame.as_bytes()))
                .is_queued()
        );
    }
}

/// An outbox whose last write carried two frames.
fn busy() -> Outbox {
    let outbox = Outbox::new(LIMITS, Subprotocol::Json);
    push(&outbox, &["a", "b"]);
    assert_eq!(drain(&outbox), (vec!["ab".into()], false));
    outbox
}

#[test]
fn a_write_after_several_frames_waits_a_turn_for_more() {
    let outbox = busy();
    push(&outbox, &["c"]);
    assert_eq!(drain(&outbox), (vec![], true));
    push(&outbox, &["d"]);
    assert_eq!(drain(&outbox), (vec!["cd".into()], false));
}

#[test]
fn a_write_waits_one_turn_only() {
    let outbox = busy();
    push(&outbox, &["c"]);
    assert_eq!(drain(&outbox), (vec![], true));
    assert_eq!(drain(&outbox), (vec!["c".into()], false));
}

#[test]
fn a_write_after_one_frame_does_not_wait() {
    let outbox = Outbox::new(LIMITS, Subprotocol::Json);
    for frame in ["a", "b"] {
        push(&outbox, &[frame]);
        assert_eq!(drain(&outbox), (vec![frame.into()], false));
    }
}

#[test]
fn frames_that_the_socket_did_not_take_do_not_wait() {
    let outbox = Outbox::new(LIMITS, Subprotocol::Json);
    push(&outbox, &["ab", "cd"]);
    assert_eq!(drain_into(&outbox, 3), (vec!["abc".into()], false));
    assert_eq!(drain_into(&outbox, 0), (vec![], false));
    assert_eq!(drain(&outbox), (vec!["d".into()], false));
}

#[test]
fn a_backlog_of_several_batches_leaves_at_once() {
    let limits = Limits {
        frames: 8,
        bytes: 8 * BATCH,
        ..LIMITS
    };
    let outbox = Outbox::new(limits, Subprotocol::Json);
    for _ in 0..3 {
        assert!(outbox.push(vec![b'a'; BATCH / 2].into()).is_queued());
    }
    let (writes, woken) = drain(&outbox);
    let lens: Vec<_> = writes.iter().map(String::len).collect();
    assert_eq!((lens, woken), (vec![BATCH, BATCH / 2], false));
}

#[test]
fn a_client_that_is_behind_does_not_wait() {
    let outbox = busy();
    // Half of the limit.
    push(&outbox, &["c", "d", "e", "f"]);
    assert_eq!(drain(&outbox), (vec!["cdef".into()], false));
}

#[test]
fn frames_that_wait_leave_with_the_farewell() {
    let outbox = busy();
    push(&outbox, &["c"]);
    assert_eq!(drain(&outbox), (vec![], true));
    outbox.end_by_client(Some("d".into()));
    assert_eq!(drain(&outbox), (vec!["cd".into()], false));
}

#[test]
fn the_last_frames_do_not_wait() {
    let outbox = busy();
    push(&outbox, &["c"]);
    outbox.end_by_client(Some("d".into()));
    assert_eq!(drain(&outbox), (vec!["cd".into()], false));
}
