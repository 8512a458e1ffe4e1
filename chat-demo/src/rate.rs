//! How often one may publish: a connection, and a user over all connections. What comes too fast is refused, not queued.

use std::num::NonZeroU32;

use governor::clock::MonotonicClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::error::Refusal;
use crate::payload::ErrorCode;

/// The time that governor counts in; the standard library's, of no size.
type Middleware = NoOpMiddleware<std::time::Instant>;

/// The bounds of a server's clients.
pub(crate) struct Rates {
    connection: Option<Quota>,
    users: Option<RateLimiter<String, HashMapStateStore<String>, MonotonicClock, Middleware>>,
}

/// The bound of one connection, if there is one.
pub(crate) struct Rate(Option<RateLimiter<NotKeyed, InMemoryState, MonotonicClock, Middleware>>);

impl Rates {
    /// With so many publishes a second each; none is bounded by 0. A second's worth may come at once.
    pub(crate) fn new(connection: u32, user: u32) -> Self {
        let quota = |rate| NonZeroU32::new(rate).map(Quota::per_second);
        Self {
            connection: quota(connection),
            users: quota(user)
                .map(|quota| RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock)),
        }
    }

    /// For a new connection.
    pub(crate) fn connection(&self) -> Rate {
        let quota = self.connection;
        Rate(quota.map(|quota| RateLimiter::direct_with_clock(quota, MonotonicClock)))
    }

    /// Counts a publish of a user on a connection, or refuses it.
    pub(crate) fn charge(&self, user: &str, connection: &Rate) -> Result<(), Refusal> {
        let refused = |whose| {
            let message = format!("too many in a second {whose}: wait a little");
            Refusal::new(ErrorCode::RateLimited, message)
        };
        if connection
            .0
            .as_ref()
            .is_some_and(|rate| rate.check().is_err())
        {
            return Err(refused("from this connection"));
        }
        // The key is copied where there is a bound alone.
        if self
            .users
            .as_ref()
            .is_some_and(|users| users.check_key(&user.to_owned()).is_err())
        {
            return Err(refused("from this user"));
        }
        Ok(())
    }

    /// Forgets users who have not published for long enough to have their whole bound again.
    pub(crate) fn expire(&self) {
        if let Some(users) = &self.users {
            users.retain_recent();
            users.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rates: &Rates, user: &str, connection: &Rate) -> usize {
        (0..10)
            .filter(|_| rates.charge(user, connection).is_ok())
            .count()
    }

    #[test]
    fn nothing_is_bounded_unless_it_is_asked_for() {
        let rates = Rates::new(0, 0);
        assert_eq!(allowed(&rates, "ann", &rates.connection()), 10);
    }

    #[test]
    fn each_connection_has_its_own_bound() {
        let rates = Rates::new(3, 0);
        let (one, two) = (rates.connection(), rates.connection());
        assert_eq!(
            (allowed(&rates, "ann", &one), allowed(&rates, "ann", &two)),
            (3, 3)
        );
    }

    #[test]
    fn the_connections_of_a_user_share_the_user_s() {
        let rates = Rates::new(0, 4);
        let (one, two) = (rates.connection(), rates.connection());
        let ann = allowed(&rates, "ann", &one) + allowed(&rates, "ann", &two);
        assert_eq!((ann, allowed(&rates, "bob", &two)), (4, 4));
        rates.expire();
        assert_eq!(allowed(&rates, "ann", &one), 0, "it is too early to forget");
    }
}
