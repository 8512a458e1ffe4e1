//! Rate limits of a connection, and of a user over all connections. Each request has a cost, and
//! each second has a budget: one for messages, which are refused beyond it, and one for other
//! requests, which wait.

use std::num::NonZeroU32;
use std::time::Duration;

use chat_demo_client::payload::ErrorCode;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota, RateLimiter};
use tokio::time::sleep;

use crate::error::Refusal;

/// The time that governor counts in; the standard library's, of no size.
type Middleware = NoOpMiddleware<std::time::Instant>;

/// Bytes of a message that cost as much as a request.
const BYTES: usize = 16 * 1024;
/// Messages or members that are sent to one client for the cost of a request.
const ITEMS: usize = 32;

/// What a request costs, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost(NonZeroU32);

impl Cost {
    /// Of a request that does little.
    pub(crate) const ONE: Self = Self(NonZeroU32::MIN);

    /// Of a message of `len` bytes, which each member of a room gets.
    pub(crate) fn of_message(len: usize) -> Self {
        Self::ONE.plus(len / BYTES)
    }

    /// Of a request that is answered by so many messages or members.
    pub(crate) fn of_answer(items: usize) -> Self {
        Self::ONE.plus(items / ITEMS)
    }

    pub(crate) fn of_many(requests: usize) -> Self {
        Self::ONE.plus(requests.saturating_sub(1))
    }

    fn plus(self, more: usize) -> Self {
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        Self(self.0.saturating_add(more))
    }

    /// No request costs more than a second has, or it would never be served.
    fn within(self, quota: Quota) -> NonZeroU32 {
        self.0.min(quota.burst_size())
    }
}

pub(crate) struct Rates {
    connection: Option<Quota>,
    users: Option<Limiters<ByUser>>,
}

type ByUser = RateLimiter<String, HashMapStateStore<String>, MonotonicClock, Middleware>;
type OfOne = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, Middleware>;

/// The limiters of one rate.
struct Limiters<L> {
    quota: Quota,
    messages: L,
    requests: L,
}

/// The bound of one connection, if there is one; boxed, so that an idle connection without one does
/// not carry its weight.
pub(crate) struct Rate(Option<Box<Limiters<OfOne>>>);

impl Rates {
    /// With so much a second each; none is bounded by 0. A second's worth may come at once.
    pub(crate) fn new(connection: u32, user: u32) -> Self {
        let quota = |rate| NonZeroU32::new(rate).map(Quota::per_second);
        let by_user = |quota| RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock);
        Self {
            connection: quota(connection),
            users: quota(user).map(|quota| Limiters {
                quota,
                messages: by_user(quota),
                requests: by_user(quota),
            }),
        }
    }

    pub(crate) fn connection(&self) -> Rate {
        Rate(self.connection.map(|quota| {
            Box::new(Limiters {
                quota,
                messages: RateLimiter::direct_with_clock(quota, MonotonicClock),
                requests: RateLimiter::direct_with_clock(quota, MonotonicClock),
            })
        }))
    }

    /// Charges a user and a connection for a message, or refuses it.
    pub(crate) fn charge(&self, user: &str, connection: &Rate, cost: Cost) -> Result<(), Refusal> {
        let refused = |whose| {
            let message = format!("too many in a second {whose}: wait a little");
            Refusal::new(ErrorCode::RateLimited, message)
        };
        let charged = connection.charge(cost, |connection| &connection.messages);
        charged.map_err(|_| refused("from this connection"))?;
        let charged = self.charge_user(user, cost, |users| &users.messages);
        charged.map_err(|_| refused("from this user"))
    }

    /// Charges a user and a connection for a request. Waits until both rates allow it, or `is_over`
    /// returns true because the client has gone.
    pub(crate) async fn pace(
        &self,
        user: &str,
        connection: &Rate,
        cost: Cost,
        is_over: impl Fn() -> bool,
    ) {
        while let Err(wait) = connection.charge(cost, |connection| &connection.requests)
            && !is_over()
        {
            sleep(wait).await;
        }
        while let Err(wait) = self.charge_user(user, cost, |users| &users.requests)
            && !is_over()
        {
            sleep(wait).await;
        }
    }

    fn charge_user(
        &self,
        user: &str,
        cost: Cost,
        limiter: impl Fn(&Limiters<ByUser>) -> &ByUser,
    ) -> Result<(), Duration> {
        let Some(users) = &self.users else {
            return Ok(());
        };
        // The key is copied where there is a bound alone.
        let charged = limiter(users).check_key_n(&user.to_owned(), cost.within(users.quota));
        charged.expect("a second has as much").map_err(wait)
    }

    /// Removes users whose whole bound is available again.
    pub(crate) fn expire(&self) {
        let users = self.users.iter();
        for limiter in users.flat_map(|users| [&users.messages, &users.requests]) {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

impl Rate {
    /// Charges the connection, or returns how long to wait.
    fn charge(
        &self,
        cost: Cost,
        limiter: impl Fn(&Limiters<OfOne>) -> &OfOne,
    ) -> Result<(), Duration> {
        let Some(connection) = self.0.as_deref() else {
            return Ok(());
        };
        let charged = limiter(connection).check_n(cost.within(connection.quota));
        charged.expect("a second has as much").map_err(wait)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` calls it")]
fn wait(until: NotUntil<std::time::Instant>) -> Duration {
    until.wait_time_from(MonotonicClock.now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rates: &Rates, user: &str, connection: &Rate) -> usize {
        (0..10)
            .filter(|_| rates.charge(user, connection, Cost::ONE).is_ok())
            .count()
    }

    #[test]
    fn nothing_is_bounded_unless_it_is_asked_for() {
        let rates = Rates::new(0, 0);
        assert_eq!(allowed(&rates, "ann", &rates.connection()), 10);
    }

    #[test]
    fn more_work_costs_more_and_at_most_a_second() {
        let rates = Rates::new(10, 0);
        let charges = |cost: Cost| {
            let connection = rates.connection();
            let charge = || rates.charge("ann", &connection, cost);
            (0..20).take_while(|_| charge().is_ok()).count()
        };
        assert_eq!(charges(Cost::of_answer(0)), 10);
        assert_eq!(charges(Cost::of_answer(4 * ITEMS)), 2);
        assert_eq!(charges(Cost::of_message(BYTES)), 5);
        assert_eq!(charges(Cost::of_many(5)), 2);
        assert_eq!(charges(Cost::of_many(usize::MAX)), 1);
    }

    #[tokio::test]
    async fn paced_request_is_served_or_given_up() {
        let rates = Rates::new(1000, 0);
        let connection = rates.connection();
        for _ in 0..3 {
            rates
                .pace("ann", &connection, Cost::of_many(1000), || false)
                .await;
        }
        // Messages are charged apart.
        assert!(rates.charge("ann", &connection, Cost::ONE).is_ok());
        let slow = Rates::new(1, 0);
        let connection = slow.connection();
        let requests = |connection: &Rate| connection.charge(Cost::ONE, |one| &one.requests);
        while requests(&connection).is_ok() {}
        slow.pace("ann", &connection, Cost::ONE, || true).await;
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
