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
        // Without the bus, `catch_up` follows its return. A room without members reads nothing.
        if bus.is_up() && Arc::strong_count(&self) > 1 {
            self.read_later(&*bus, sleep(PAUSE));
            return Some(());
        }
        self.ask(State::give_up_reading).await
    }

    /// Reads again after `wait`, behind the other rooms. The room keeps no slot meanwhile.
    fn read_later(self: Arc<Self>, bus: &dyn Bus, wait: impl Future<Output = ()> + Send + 'static) {
        let room = self.clone();
        let wait = async move {
            wait.await;
            // Until here, a missed message starts no second read.
            room.ask(State::give_up_reading).await;
        };
        bus.catch_up_after(Box::pin(wait), self);
    }

    /// Reads until nothing is missing; `None` if the bus is unavailable, or the server ends.
    async fn read(self: Arc<Self>) -> Option<()> {
        let bus = self.common.bus.clone()?;
        if !self.ask(State::begin_reading).await? {
            return Some(());
        }
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
            let filled = self
                .ask(move |state| state.fill(page, asked, members))
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
                Filled::InPart => {}
                Filled::TooFast => {
                    if let Some(slow) = self.ask(|state| state.slow_member()).await? {
                        self.read_later(&*bus, async move { slow.relieved().await });
                        return Some(());
                    }
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
