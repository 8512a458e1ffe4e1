//! Runs futures and closures in one pool, within one capacity and without another runtime. A
//! suspended future keeps its slot but occupies no thread. Here 98 futures wait at once on two
//! threads, while closures run in the same pool.
//!
//! ```console
//! cargo run -p anthill --example futures
//! ```

use std::error::Error;
use std::future;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use anthill::{Pool, SlotError};

const CAPACITY: usize = 100;
const WAITING: usize = CAPACITY - 2;

fn main() -> Result<(), Box<dyn Error>> {
    let pool = Pool::builder().capacity(CAPACITY).threads(0..=2).build()?;
    let price = Price::default();
    println!("                               in flight  running  threads");

    // Each future waits for the price and returns its result through its handle.
    let orders = (1..=WAITING as u64)
        .map(|pieces| {
            let price = price.clone();
            pool.spawn_with_handle(async move { pieces * price.wait().await })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let at_rest = || price.waiting() == WAITING && pool.stats().running == 0;
    while !at_rest() {
        thread::yield_now();
    }
    show("98 futures wait for a price", &pool);

    // One more future computes the price. It uses the same slots and threads as the others.
    let clerk = pool.spawn_with_handle(clerk(pool.clone(), price.clone()))?;
    let found = clerk.wait()??;

    let mut sum = 0;
    for order in orders {
        sum += order.wait()?; // a thread calls `wait`, a future would await the handle
    }
    pool.shutdown().wait()?;
    show("all have ended", &pool);
    println!("the price is {found}, all orders together {sum}");
    if sum != found * (1..=WAITING as u64).sum::<u64>() {
        return Err("the orders have the wrong sum".into());
    }
    Ok(())
}

/// Shows how a future uses the pool that runs it. The future never blocks its thread: it awaits
/// where a closure would wait.
async fn clerk(pool: Pool, price: Price) -> Result<u64, String> {
    let slot = pool.slot().await.map_err(|error| error.to_string())?;
    let refused = pool.try_submit(|| ()).map_err(SlotError::from);
    if refused != Err(SlotError::Full) {
        return Err("98 orders, a clerk and a slot should fill a pool of 100".to_owned());
    }
    show("a clerk reserves a slot", &pool);

    // Code that blocks or computes belongs in a closure. The clerk awaits the handle and occupies
    // no thread meanwhile.
    let found = slot.submit_with_handle(find_price);
    let found = found.await.map_err(|error| error.to_string())?;

    // This closure returns nothing, so the clerk awaits only the slot.
    let announced = pool
        .slot()
        .await
        .map(|slot| slot.submit(move || price.announce(found)));
    announced.map_err(|error| error.to_string())?;
    Ok(found)
}

fn find_price() -> u64 {
    thread::sleep(Duration::from_millis(100)); // simulates blocking I/O
    7
}

fn show(what: &str, pool: &Pool) {
    let stats = pool.stats();
    let (in_flight, running, threads) = (stats.in_flight, stats.running, stats.threads);
    println!("{what:28}{in_flight:12}{running:9}{threads:9}");
}

/// A number that futures wait for. It shows what a pool requires of a future: keep the waker, and
/// call it when another poll can make progress.
#[derive(Clone, Default)]
struct Price(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    price: Option<u64>,
    wakers: Vec<Waker>,
}

impl Price {
    async fn wait(&self) -> u64 {
        future::poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if let Some(price) = state.price {
                return Poll::Ready(price);
            }
            state.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn announce(&self, price: u64) {
        let mut state = self.0.lock().unwrap();
        state.price = Some(price);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn waiting(&self) -> usize {
        self.0.lock().unwrap().wakers.len()
    }
}
