//! Reads missed messages of a room from the bus, and handles announcements.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Room;
use super::replica::Filled;
use super::state::State;
use crate::bus::{Bus, BusEvent, BusListener, BusUnavailable};

/// The pause between two attempts to read.
const PAUSE: Duration = Duration::from_millis(500);
/// How often to check whether members have read their messages, and how long they have.
const PACE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(2);

impl Room {
    /// Enqueues an operation of the room and waits for its result; `None` when the server ends.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        op: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, result) = oneshot::channel();
        let asked = self.send(move |state| drop(sender.send(op(state)))).await;
        asked.ok()?;
        result.await.ok()
    }

    /// Stops reading, and tries again later if the bus is up.
    async fn try_later(self: Arc<Self>, bus: Arc<dyn Bus>) -> Option<()> {
        self.ask(State::lose_bus).await?;
        self.ask(State::give_up_reading).await?;
        // Without the bus, `catch_up` follows its return. A room without members reads nothing.
        if bus.is_up() && Arc::strong_count(&self) > 1 {
            sleep(PAUSE).await;
            // Queue behind the other rooms: a failing read must not keep a slot.
            bus.catch_up(self);
        }
        Some(())
    }

    /// Reads until nothing is missing; `None` if the bus is unavailable, or the server ends.
    async fn read(self: Arc<Self>) -> Option<()> {
        let bus = self.common.bus.clone()?;
        if !self.ask(State::begin_reading).await? {
            return Some(());
        }
        let mut waited = Duration::ZERO;
        loop {
            let (asked, empty) = self
                .ask(|state| (state.read_after(), state.is_empty()))
                .await?;
            let read = async {
                let page = bus.read(&self.name, asked.map(|asked| asked.seq)).await?;
                // A room that begins a new epoch may have lost its members as well.
                let members = match asked {
                    None if !empty => bus.restore_members(&self.name).await.ok(),
                    _ => None,
                };
                Ok((page, members))
            };
            let read: Result<_, BusUnavailable> = read.await;
            let Ok((page, members)) = read else {
                return self.try_later(bus).await;
            };
            let hurry = waited >= PATIENCE;
            let filled = self
                .ask(move |state| state.fill(page, asked, hurry, members))
                .await?;
            match filled {
                Filled::WentBack(epoch) => {
                    if bus.fork(&self.name, epoch).await.is_err() {
                        return self.try_later(bus).await;
                    }
                }
                Filled::Whole => {
                    if !self.ask(State::end_reading).await? {
                        return Some(());
                    }
                }
                Filled::InPart => waited = Duration::ZERO,
                Filled::TooFast => {
                    sleep(PACE).await;
                    waited += PACE;
                }
            }
        }
    }
}

impl BusListener for Room {
    fn on_event(self: Arc<Self>, event: BusEvent) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let room = self.clone();
            let handle = move |state: &mut State| {
                let is_behind = match event {
                    BusEvent::Message(announced) => state.on_announced(announced),
                    BusEvent::Stand(stand) => state.compare(stand),
                    BusEvent::Frame(frame) => return state.deliver_frame(&frame),
                    BusEvent::Presence(presence) => return state.deliver_presence(presence),
                };
                if is_behind && let Some(bus) = room.common.bus.clone() {
                    bus.catch_up(room);
                }
            };
            // Ignore an error: the strand is closed, and the server ends.
            let _ = self.send(handle).await;
        })
    }

    fn catch_up(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.read().await;
        })
    }

    fn cut_off(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _ = self.send(State::lose_bus).await;
        })
    }
}
