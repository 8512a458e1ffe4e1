use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::state::KEEP;
use super::*;

const LIMITS: Limits = Limits {
    frames: 4,
    bytes: 100,
    patience: Duration::ZERO,
};

fn outbox(frames: usize, bytes: usize) -> Outbox {
    let limits = Limits {
        frames,
        bytes,
        ..LIMITS
    };
    Outbox::new(limits, Subprotocol::Json)
}

impl Outbox {
    /// Queues a frame, and returns whether it is queued.
    fn queues(&self, frame: Bytes) -> bool {
        self.push(frame).is_queued()
    }
}

#[derive(Default)]
pub(super) struct Wakes(pub(super) AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An outbox whose socket takes `room` bytes and no more.
struct Pair {
    outbox: Arc<Outbox>,
    wakes: Arc<Wakes>,
    written: Vec<u8>,
    writes: usize,
}

impl Pair {
    fn new() -> Self {
        Self {
            outbox: Arc::new(Outbox::new(LIMITS, Subprotocol::Json)),
            wakes: Arc::default(),
            written: Vec::new(),
            writes: 0,
        }
    }

    fn drain(&mut self, mut room: usize) -> Poll<io::Result<()>> {
        let waker = Waker::from(self.wakes.clone());
        let Self {
            outbox,
            written,
            writes,
            ..
        } = self;
        let write = |_: &mut Context<'_>, bytes: &[u8]| {
            let len = bytes.len().min(room);
            if len == 0 {
                return Poll::Pending;
            }
            room -= len;
            *writes += 1;
            written.extend_from_slice(&bytes[..len]);
            Poll::Ready(Ok(len))
        };
        outbox.poll_drain(&mut Context::from_waker(&waker), write)
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

#[test]
fn all_that_is_queued_leaves_in_one_write() {
    let mut pair = Pair::new();
    for frame in ["one", "two", "three"] {
        assert!(pair.outbox.queues(frame.into()));
    }
    assert!(pair.drain(usize::MAX).is_pending());
    assert_eq!(pair.written, b"onetwothree");
    assert_eq!(pair.writes, 1);
}

#[test]
fn a_stream_is_read_across_any_cut() {
    for room in 1..12 {
        let mut pair = Pair::new();
        for frame in ["one", "two", "three"] {
            assert!(pair.outbox.queues(frame.into()));
        }
        while pair.written.len() < 11 {
            assert!(pair.drain(room).is_pending());
        }
        assert_eq!(pair.written, b"onetwothree", "in steps of {room}");
        assert_eq!(pair.outbox.waiting(), Waiting::default());
    }
}

#[test]
fn the_first_frame_wakes_and_the_next_do_not() {
    let mut pair = Pair::new();
    assert!(pair.drain(usize::MAX).is_pending());
    assert!(pair.outbox.queues("one".into()));
    assert!(pair.outbox.queues("two".into()));
    assert_eq!(pair.wakes(), 1);
}

#[test]
fn one_frame_too_many_evicts_and_wakes() {
    let mut pair = Pair::new();
    for _ in 0..LIMITS.frames {
        assert!(pair.outbox.queues("frame".into()));
    }
    assert!(pair.drain(0).is_pending());
    assert!(!pair.outbox.queues("frame".into()));
    assert_eq!(pair.wakes(), 1);
    assert_eq!(
        pair.outbox.ended(),
        Some(Ended::ByServer(CloseReason::SlowConsumer))
    );
    assert!(matches!(pair.drain(usize::MAX), Poll::Ready(Ok(()))));
    assert_eq!(
        pair.written,
        CloseReason::SlowConsumer.farewell(Subprotocol::Json),
        "the queued frames are gone"
    );
}

#[test]
fn too_many_bytes_evict() {
    let pair = Pair::new();
    assert!(pair.outbox.queues(vec![0; 60].into()));
    assert!(!pair.outbox.queues(vec![0; 60].into()));
    assert!(
        !pair.outbox.queues("tiny".into()),
        "an evicted client takes nothing"
    );
}

#[test]
fn an_eviction_lets_a_begun_frame_end() {
    let mut pair = Pair::new();
    for frame in ["one", "two", "three", "four"] {
        assert!(pair.outbox.queues(frame.into()));
    }
    assert!(pair.drain(4).is_pending());
    assert!(pair.outbox.queues("five".into()));
    assert!(!pair.outbox.queues("six".into()));
    assert!(pair.drain(usize::MAX).is_ready());
    let expected = [
        b"onetwo",
        &CloseReason::SlowConsumer.farewell(Subprotocol::Json)[..],
    ]
    .concat();
    assert_eq!(pair.written, expected);
}

#[test]
fn an_eviction_during_a_write_cuts_no_frame() {
    let outbox = Outbox::new(LIMITS, Subprotocol::Text);
    for frame in ["one", "two"] {
        assert!(outbox.queues(frame.into()));
    }
    let mut written = Vec::new();
    let mut first = true;
    let ready = outbox.poll_drain(&mut Context::from_waker(Waker::noop()), |_, bytes| {
        let len = if mem::take(&mut first) {
            4
        } else {
            bytes.len()
        };
        written.extend_from_slice(&bytes[..len]);
        while outbox.queues("more".into()) {}
        Poll::Ready(Ok(len))
    });
    assert!(ready.is_ready());
    assert_eq!(
        written,
        [
            b"onetwo",
            &CloseReason::SlowConsumer.farewell(Subprotocol::Text)[..]
        ]
        .concat()
    );
}

#[test]
fn the_end_sends_the_queue_once() {
    let mut pair = Pair::new();
    assert!(pair.outbox.queues("last".into()));
    pair.outbox.end(CloseReason::Restart);
    pair.outbox.end(CloseReason::Idle);
    assert!(!pair.outbox.queues("late".into()));
    assert!(pair.drain(usize::MAX).is_ready());
    assert_eq!(
        pair.written,
        [
            b"last",
            &CloseReason::Restart.farewell(Subprotocol::Json)[..]
        ]
        .concat()
    );
}

#[test]
fn nothing_follows_the_answer_to_a_goodbye() {
    let mut pair = Pair::new();
    assert!(pair.outbox.queues("last".into()));
    pair.outbox.end_by_client(Some("bye".into()));
    assert!(!pair.outbox.queues("more".into()));
    pair.outbox.end_by_client(Some("again".into()));
    pair.outbox.end(CloseReason::Idle);
    assert!(pair.drain(100).is_ready());
    assert_eq!(pair.written, b"lastbye");
    assert_eq!(pair.outbox.ended(), Some(Ended::ByClient));
}

#[test]
fn a_burst_leaves_no_memory_behind() {
    let outbox = outbox(1000, 1000);
    for _ in 0..1000 {
        assert!(outbox.queues("x".into()));
    }
    let drained = outbox.poll_drain(&mut Context::from_waker(Waker::noop()), |_, b| {
        Poll::Ready(Ok(b.len()))
    });
    assert!(drained.is_pending());
    assert!(outbox.state.lock().frames.capacity() <= KEEP);
}

#[test]
fn a_frame_larger_than_a_batch_leaves_whole() {
    let outbox = outbox(4, 1 << 20);
    let large = vec![7; BATCH * 2];
    assert!(
        outbox.queues("small".into())
            && outbox.queues(large.clone().into())
            && outbox.queues("end".into())
    );
    let mut written = Vec::new();
    let write = |_: &mut Context<'_>, bytes: &[u8]| {
        written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    };
    assert!(
        outbox
            .poll_drain(&mut Context::from_waker(Waker::noop()), write)
            .is_pending()
    );
    assert_eq!(written, [b"small", &large[..], b"end"].concat());
}

#[test]
fn goodbye_is_answered_when_nothing_is_owed() {
    let mut pair = Pair::new();
    let (first, second) = (pair.outbox.owe(), pair.outbox.owe());
    pair.outbox.end_by_client(Some(Bytes::from_static(b"bye")));
    assert_eq!(pair.outbox.ended(), Some(Ended::ByClient));
    assert!(pair.drain(usize::MAX).is_pending(), "two are owed");
    let wakes = pair.wakes();
    assert!(pair.outbox.queues("one ".into()));
    drop(first);
    assert!(pair.outbox.queues("two ".into()));
    drop(second);
    assert!(pair.wakes() > wakes);
    assert!(!pair.outbox.queues("three".into()));
    assert!(pair.drain(usize::MAX).is_ready());
    assert_eq!(pair.written, b"one two bye");
}

#[test]
fn goodbye_waits_for_a_frame_that_is_being_handled() {
    let mut pair = Pair::new();
    pair.outbox.set_busy(true);
    pair.outbox.end_by_client(Some(Bytes::from_static(b"bye")));
    assert!(pair.drain(usize::MAX).is_pending());
    let owed = pair.outbox.owe();
    pair.outbox.set_busy(false);
    assert!(pair.drain(usize::MAX).is_pending());
    drop(owed);
    assert!(pair.drain(usize::MAX).is_ready());
    assert_eq!(pair.written, b"bye");
}

#[test]
fn hint_is_dropped_from_a_quarter_full() {
    for (frames, bytes, first) in [(8, 1000, 1), (100, 80, 19)] {
        let outbox = outbox(frames, bytes);
        assert!(outbox.hint(vec![b'x'; first].into()));
        assert!(!outbox.hint("x".into()));
        assert!(outbox.queues("x".into()));
    }
}

#[test]
fn old_debts_expire() {
    let mut pair = Pair::new();
    let owed = pair.outbox.owe();
    pair.outbox.end_by_client(Some(Bytes::from_static(b"bye")));
    pair.outbox.seal();
    assert!(pair.drain(usize::MAX).is_ready());
    drop(owed);
    assert!(pair.drain(usize::MAX).is_ready());
    assert_eq!(pair.written, b"bye");
}

fn patient() -> Pair {
    let limits = Limits {
        patience: Duration::from_secs(1),
        ..LIMITS
    };
    Pair {
        outbox: Outbox::new(limits, Subprotocol::Json).into(),
        ..Pair::new()
    }
}

fn deliver(pair: &Pair, count: usize) -> Vec<Pushed> {
    (0..count).map(|_| pair.outbox.push("x".into())).collect()
}

#[tokio::test(start_paused = true)]
async fn full_outbox_waits_for_the_patience_of_its_client() {
    use Pushed::{Behind, Queued, Refused};
    let pair = patient();
    assert_eq!(deliver(&pair, 5), [Queued, Queued, Behind, Behind, Behind]);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(deliver(&pair, 2), [Refused, Refused]);
    assert_eq!(
        pair.outbox.ended(),
        Some(Ended::ByServer(CloseReason::SlowConsumer))
    );
}

#[tokio::test(start_paused = true)]
async fn patience_ends_at_twice_the_limit() {
    let pair = patient();
    assert!(!deliver(&pair, 2 * LIMITS.frames).contains(&Pushed::Refused));
    assert_eq!(deliver(&pair, 1), [Pushed::Refused]);
}

#[tokio::test(start_paused = true)]
async fn client_that_catches_up_has_its_patience_again() {
    let mut pair = patient();
    for _ in 0..10 {
        deliver(&pair, 4);
        assert!(pair.drain(usize::MAX).is_pending());
        tokio::time::advance(Duration::from_millis(600)).await;
    }
    assert_eq!(pair.outbox.ended(), None);
    // One that leaves half of it has none.
    deliver(&pair, 4);
    tokio::time::advance(Duration::from_millis(600)).await;
    assert!(pair.drain(2).is_pending());
    deliver(&pair, 2);
    tokio::time::advance(Duration::from_millis(600)).await;
    assert_eq!(deliver(&pair, 1), [Pushed::Refused]);
}

#[tokio::test(start_paused = true)]
async fn relief_comes_with_the_drain_the_end_or_the_patience() {
    let mut pair = patient();
    pair.outbox.relieved().await;
    deliver(&pair, 3);
    assert!(is_waited_for(&pair));
    assert!(pair.drain(usize::MAX).is_pending());
    pair.outbox.drained().await;
    for end in [Outbox::abandon, |outbox: &Outbox| {
        outbox.end(CloseReason::Restart);
    }] {
        let pair = patient();
        deliver(&pair, 3);
        assert!(is_waited_for(&pair));
        end(&pair.outbox);
        pair.outbox.drained().await;
    }
    let pair = patient();
    deliver(&pair, 3);
    // The clock is paused: the wait itself moves it.
    pair.outbox.relieved().await;
    assert_eq!(pair.outbox.ended(), None);
}

/// Whether a wait for relief is not over yet.
fn is_waited_for(pair: &Pair) -> bool {
    let mut waiting = std::pin::pin!(pair.outbox.drained());
    let mut cx = Context::from_waker(Waker::noop());
    waiting.as_mut().poll(&mut cx).is_pending()
}
