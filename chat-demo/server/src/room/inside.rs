//! A room's state, and the ways to it: in line with all operations, or for those who cannot wait.

use std::mem;
use std::sync::Arc;

use anthill::Strand;
use chat_demo_client::payload::Message;
use parking_lot::Mutex;

use super::Common;
use super::flow::Flow;
use super::state::{Source, State};
use crate::connection::Connection;
use crate::epoch::Epoch;
use crate::error::Refusal;
use crate::history::Log;

/// The state, and the ways to it.
pub(super) struct Inside {
    pub(super) name: Arc<str>,
    pub(super) common: Arc<Common>,
    /// Each operation holds a slot of the pool until it is applied: who publishes faster than the pool works is held up.
    pub(super) strand: Strand,
    pub(super) state: Mutex<State>,
    /// That of the state, for those who only look where it stands.
    pub(super) log: Arc<Log>,
    /// What holds publishers up while members are behind.
    pub(super) flow: Arc<Flow>,
    /// Connections that are gone, and members until somebody has the state.
    pub(super) departed: Mutex<Vec<u64>>,
}

impl Inside {
    /// Puts an operation in line once the pool has a slot for it.
    pub(super) async fn send(
        self: &Arc<Self>,
        op: impl FnOnce(&mut State) + Send + 'static,
    ) -> Result<(), Refusal> {
        let inside = self.clone();
        let slot = self.strand.slot().await?;
        slot.submit(move || inside.apply(op));
        Ok(())
    }

    /// Delivers a message that has its number, in line with the others. Blocks while the pool is full.
    pub(super) fn numbered(self: &Arc<Self>, source: Source, epoch: Epoch, message: Message) {
        let inside = self.clone();
        let deliver = move |state: &mut State| state.deliver_numbered(&source, epoch, message);
        // Closed: the server ends, and has told its clients.
        let _ = self.strand.submit(move || inside.apply(deliver));
    }

    /// Acknowledges a message that was kept before, behind its delivery. Blocks while the pool is full.
    pub(super) fn repeated(self: &Arc<Self>, source: Source, seq: u64) {
        let inside = self.clone();
        let acknowledge = move |state: &mut State| state.acknowledge(&source, seq);
        let _ = self.strand.submit(move || inside.apply(acknowledge));
    }

    /// How many members there are on all servers, this one among them.
    pub(super) async fn put_down(&self, member: &Connection) -> Option<u32> {
        let bus = self.common.bus.as_ref()?;
        bus.enter(&self.name, member).await.ok()
    }

    pub(super) fn is_alone(&self) -> bool {
        self.state.lock().is_alone()
    }

    pub(super) fn apply(&self, op: impl FnOnce(&mut State)) {
        op(&mut self.state.lock());
        self.sweep();
    }

    /// Ends a membership at once, or right after the operation that is being applied. Waits for nobody: it may be called
    /// in that very operation.
    pub(super) fn depart(&self, id: u64) {
        self.departed.lock().push(id);
        self.sweep();
    }

    /// Who has the state meanwhile sweeps when it has let go of it, and finds what was noted before.
    fn sweep(&self) {
        while !self.departed.lock().is_empty() {
            let Some(mut state) = self.state.try_lock() else {
                return;
            };
            let departed = mem::take(&mut *self.departed.lock());
            for id in departed {
                state.leave(id);
            }
        }
    }
}
