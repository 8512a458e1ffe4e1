use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::*;

const LIMITS: Limits = Limits {
    frames: 8,
    bytes: 100,
    patience: Duration::ZERO,
};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls once. Returns what each write carried, and whether the task woke itself.
fn drain(outbox: &Outbox) -> (Vec<String>, bool) {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut writes = Vec::new();
    let _ = outbox.poll_drain(&mut Context::from_waker(&waker), |_, bytes| {
        writes.push(String::from_utf8(bytes.to_vec()).expect("frames are text"));
        Poll::Ready(Ok(bytes.len()))
    });
    (writes, wakes.0.load(Ordering::Relaxed) > 0)
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
fn the_last_frames_do_not_wait() {
    let outbox = busy();
    push(&outbox, &["c"]);
    outbox.end_by_client(Some("d".into()));
    assert_eq!(drain(&outbox), (vec!["cd".into()], false));
}
