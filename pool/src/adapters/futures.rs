//! `futures::task::Spawn`.

use futures_task::{FutureObj, Spawn, SpawnError};

use crate::pool::Pool;

/// Spawns futures for code that is generic over its executor. Needs the feature `futures`.
///
/// A future is refused if no slot is free, because the trait must not block. `SpawnError` knows only
/// one reason, "shutdown". [`Pool::is_closed`] tells a closed pool from a full one.
///
/// ```
/// use futures_util::task::SpawnExt;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let (sender, receiver) = std::sync::mpsc::channel();
/// SpawnExt::spawn(&pool, async move { sender.send("in the pool").unwrap() })?;
/// assert_eq!(receiver.recv()?, "in the pool");
/// # Ok(())
/// # }
/// ```
impl Spawn for Pool {
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.try_spawn(future).map_err(|_| SpawnError::shutdown())
    }

    fn status(&self) -> Result<(), SpawnError> {
        if self.is_closed() {
            return Err(SpawnError::shutdown());
        }
        Ok(())
    }
}
