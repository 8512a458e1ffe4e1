//! How a room reads from the bus what it has missed, and hears what is announced.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Room;
use super::replica::Filled;
use super::state::State;
use crate::bus::{Away, Bus, Ear, Heard};

/// Between two attempts to read.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two looks whether members have read what they were given, and how long they have for it.
const PACE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(2);

impl Room {
    fn ask_to_catch_up(self: Arc<Self>) {
        if let Some(bus) = self.common.bus.clone() {
            bus.catch_up(self);
        }
    }

    /// Does something in line with the other operations, and waits for what comes of it; nothing when the server ends.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        op: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = oneshot::channel();
        let asked = self.send(move |state| drop(tell.send(op(state)))).await;
        asked.ok()?;
        told.await.ok()
    }

    /// Reads no more for now; later, if the bus is there though it did not answer.
    async fn try_later(self: Arc<Self>, bus: Arc<dyn Bus>) -> Option<()> {
        self.ask(State::lose_bus).await?;
        self.ask(State::give_up_reading).await?;
        // Who is cut off is told when that is over, and a room that nobody has reads nothing.
        if bus.is_up() && Arc::strong_count(&self) > 1 {
            sleep(PAUSE).await;
            // Behind the others: a read that fails again and again keeps no place to read.
            bus.catch_up(self);
        }
        Some(())
    }

    /// Reads until nothing is missing; `None` if the bus is away, or the server ends.
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
                // A room that begins anew may have lost its members, too.
                let members = match asked {
                    None if !empty => bus.restore_members(&self.name).await.ok(),
                    _ => None,
                };
                Ok((page, members))
            };
            let read: Result<_, Away> = read.await;
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

impl Ear for Room {
    fn hear(self: Arc<Self>, heard: Heard) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let room = self.clone();
            let hear = move |state: &mut State| match heard {
                Heard::Message(announced) => {
                    if state.hear(announced) {
                        room.ask_to_catch_up();
                    }
                }
                Heard::Stand(stand) => {
                    if state.compare(stand) {
                        room.ask_to_catch_up();
                    }
                }
                Heard::Frame(frame) => state.deliver_frame(&frame),
                Heard::Presence(presence) => state.deliver_presence(presence),
            };
            // Closed: the server ends.
            let _ = self.send(hear).await;
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
