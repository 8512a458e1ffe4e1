//! The sessions in Redis: one key each, `user:conn:<id>`, that expires unless renewed, and a list
//! for each user that bounds their number.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use redis::RedisResult;
use serde_json::json;

use super::shared::Shared;
use super::topology::Connection;
use crate::clock;
use crate::sessions::{Record, Store, StoreError};

pub(super) struct RedisSessions(pub(super) Arc<Shared>);

impl RedisSessions {
    fn connection(&self) -> Result<Connection, StoreError> {
        let line = self.0.link.now();
        line.map(|line| line.connection)
            .map_err(|away| StoreError::Unreachable(away.into()))
    }

    fn checked<T>(&self, result: RedisResult<T>) -> Result<T, StoreError> {
        result.map_err(|error| {
            self.0.link.failed(&error);
            if error.is_io_error() || error.is_connection_dropped() {
                StoreError::Unreachable(error.into())
            } else {
                StoreError::Refused(error.into())
            }
        })
    }
}

impl Store for RedisSessions {
    fn open(&self, record: Record, most: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut connection = self.connection()?;
            let time_to_live = clock::millis(self.0.time_to_live);
            let scripts = &self.0.scripts;
            let counted: RedisResult<bool> = scripts
                .open_session
                .call(&[of_user(&record)])
                .arg(record.name())
                .arg(time_to_live)
                .arg(most)
                .invoke(&mut connection)
                .await;
            if !self.checked(counted)? {
                return Ok(false);
            }
            let (user, node) = (&*record.user, &*record.node);
            let (opened, heard) = (record.opened, record.heard);
            let what = json!({ "user": user, "node": node, "opened": opened, "heard": heard });
            let put: RedisResult<()> = redis::cmd("SET")
                .arg(key(&record))
                .arg(what.to_string())
                .arg("PX")
                .arg(time_to_live)
                .query_async(&mut connection)
                .await;
            self.checked(put)?;
            Ok(true)
        })
    }

    fn close(&self, record: Record) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut connection = self.connection()?;
            let mut uncount = redis::cmd("ZREM");
            uncount.arg(of_user(&record)).arg(record.name());
            let mut delete = redis::cmd("DEL");
            delete.arg(key(&record));
            for command in [uncount, delete] {
                self.checked(command.query_async::<()>(&mut connection).await)?;
            }
            Ok(())
        })
    }
}

fn key(record: &Record) -> String {
    format!("user:conn:{}", record.name())
}

fn of_user(record: &Record) -> String {
    format!("user:conns:{}", record.user)
}
