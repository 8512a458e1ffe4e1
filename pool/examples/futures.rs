//! Futures and closures in one pool, under one bound, and no other runtime. A future that waits keeps its slot and no
//! thread: here 98 of them wait at once on two threads, and closures run beside them.
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

    // Each future waits for the price; what it makes of it comes out of its handle.
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

    // One more future finds the price. It uses the same slots and the same threads as what waits for it.
    let clerk = pool.spawn_with_handle(clerk(pool.clone(), price.clone()))?;
    let found = clerk.wait()??;

    let mut sum = 0;
    for order in orders {
        sum += order.wait()?; // a thread joins a handle, a future would await it
    }
    pool.shutdown().wait()?;
    show("all have ended", &pool);
    println!("the price is {found}, all orders together {sum}");
    if sum != found * (1..=WAITING as u64).sum::<u64>() {
        return Err("an order was lost".into());
    }
    Ok(())
}

/// What a future may do with the pool it runs in. It never blocks its thread: where a closure would wait, it awaits.
async fn clerk(pool: Pool, price: Price) -> Result<u64, String> {
    let slot = pool.slot().await.map_err(|error| error.to_string())?;
    let refused = pool.try_submit(|| ()).map_err(SlotError::from);
    if refused != Err(SlotError::Full) {
        return Err("98 orders, a clerk and a slot should fill a pool of 100".to_owned());
    }
    show("a clerk comes, with a slot", &pool);

    // Code that blocks or computes goes into a closure. Awaiting its handle, the clerk needs no thread either.
    let found = slot.submit_with_handle(find_price);
    let found = found.await.map_err(|error| error.to_string())?;

    // Here there is no result to wait for, only a slot.
    let announced = pool
        .slot()
        .await
        .map(|slot| slot.submit(move || price.announce(found)));
    announced.map_err(|error| error.to_string())?;
    Ok(found)
}

fn find_price() -> u64 {
    thread::sleep(Duration::from_millis(100)); // stands for blocking I/O
    7
}

fn show(what: &str, pool: &Pool) {
    let stats = pool.stats();
    let (in_flight, running, threads) = (stats.in_flight, stats.running, stats.threads);
    println!("{what:28}{in_flight:12}{running:9}{threads:9}");
}

/// A number that futures wait for, written by hand: all that a pool needs of a future is that it keeps the waker it is
/// given and calls it when it is worth polling again.
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
