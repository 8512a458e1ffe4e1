//! Back-pressure from the members of a room to its publishers.
//!
//! A publisher takes credit for what it sends, and returns it when the message was delivered. While
//! a member is behind, no publisher that has credit sends anything, until the member has caught up
//! or its patience is over. So a burst fills no outbox of a client that reads, and a client that
//! does not read holds up its rooms for that time once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::outbox::{Limits, Outbox};

/// The part of an outbox that messages under way may fill.
const SHARE: usize = 8;

pub(super) struct Flow {
    credit: Arc<Semaphore>,
    /// All there is of it.
    all: usize,
    /// Bytes of a text that take one unit of it.
    unit: usize,
    /// Members that were behind at the last delivery.
    behind: Mutex<Vec<Arc<Outbox>>>,
    /// Whether there are any, so that publishers need no lock to see that there are none.
    is_behind: AtomicBool,
}

/// What a message on its way to the members holds.
pub(super) type Credit = Option<OwnedSemaphorePermit>;

impl Flow {
    /// For a room whose members have outboxes of these limits.
    pub(super) fn new(limits: &Limits) -> Self {
        let all = (limits.frames / SHARE).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            credit: Arc::new(Semaphore::new(all)),
            all,
            unit: (limits.bytes / SHARE / all).max(1),
            behind: Mutex::default(),
            is_behind: AtomicBool::new(false),
        }
    }

    /// Takes credit for a text of `len` bytes, in turn, and waits for the members that are behind.
    pub(super) async fn enter(&self, len: usize) -> Credit {
        let units = (1 + len / self.unit).min(self.all);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let permit = self.credit.clone().acquire_many_owned(units).await;
        self.readers().await;
        // It is never closed.
        permit.ok()
    }

    /// Waits until no member is behind, each for its patience at most.
    pub(super) async fn readers(&self) {
        while self.is_behind.load(Ordering::Acquire) {
            let Some(outbox) = self.first_behind() else {
                return;
            };
            outbox.relieved().await;
            self.behind
                .lock()
                .retain(|other| !Arc::ptr_eq(other, &outbox));
        }
    }

    fn first_behind(&self) -> Option<Arc<Outbox>> {
        let behind = self.behind.lock();
        if behind.is_empty() {
            // Under the lock, or members are forgotten that are noted meanwhile.
            self.is_behind.store(false, Ordering::Release);
        }
        behind.first().cloned()
    }

    /// Notes which members are behind after a delivery.
    pub(super) fn note(&self, behind: Vec<Arc<Outbox>>) {
        if !behind.is_empty() {
            let mut last = self.behind.lock();
            *last = behind;
            self.is_behind.store(true, Ordering::Release);
        }
    }

    /// Returns whether members were behind at the last delivery and are still waited for.
    pub(super) fn is_behind(&self) -> bool {
        if !self.is_behind.load(Ordering::Acquire) {
            return false;
        }
        let mut behind = self.behind.lock();
        behind.retain(|outbox| outbox.is_waited_for());
        self.is_behind.store(!behind.is_empty(), Ordering::Release);
        !behind.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;
    use chat_demo_client::subprotocol::Subprotocol;

    const LIMITS: Limits = Limits {
        frames: 16,
        bytes: 16_000,
        patience: Duration::from_secs(1),
    };

    /// Whether a publisher gets its credit at once.
    fn enter(flow: &Flow, len: usize) -> Option<Credit> {
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(flow.enter(len)).poll(&mut cx) {
            Poll::Ready(credit) => Some(credit),
            Poll::Pending => None,
        }
    }

    /// A flow with a member that is behind.
    fn behind() -> (Flow, Arc<Outbox>) {
        let flow = Flow::new(&LIMITS);
        let outbox = Arc::new(Outbox::new(LIMITS, Subprotocol::Json));
        for _ in 0..12 {
            outbox.push("x".into());
        }
        flow.note(vec![outbox.clone()]);
        (flow, outbox)
    }

    #[test]
    fn messages_under_way_fill_a_part_of_an_outbox() {
        let flow = Flow::new(&LIMITS);
        let (one, two) = (enter(&flow, 0), enter(&flow, 0));
        assert!(one.is_some() && two.is_some());
        assert!(enter(&flow, 0).is_none());
        drop(one);
        assert!(enter(&flow, 1000).is_none(), "a long one takes more");
        drop(two);
        assert!(
            enter(&flow, usize::MAX).is_some(),
            "none takes more than all"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn publishers_wait_for_a_member_as_long_as_it_has() {
        let (flow, outbox) = behind();
        assert!(enter(&flow, 0).is_none());
        flow.enter(0).await;
        assert_eq!(outbox.ended(), None);
        assert!(enter(&flow, 0).is_some(), "once");
    }

    #[test]
    fn a_gone_member_delays_no_publisher() {
        let (flow, outbox) = behind();
        assert!(flow.is_behind());
        outbox.abandon();
        assert!(enter(&flow, 0).is_some());
        assert!(!flow.is_behind());
    }
}
