//! A bank in which each account has a strand. The tasks of one account run one at a time and in
//! order, while different accounts run in parallel on all threads. No task waits for a lock, and no
//! task locks two accounts at once.
//!
//! ```console
//! cargo run -p anthill --example strands
//! ```
//!
//! A transfer consists of two tasks, and the first submits the second. If both took slots of one
//! bounded pool, first tasks could fill it and leave no slot for any second task. The pool would
//! refuse those with `WouldDeadlock`. So the limit applies to transfers, not to tasks: a transfer
//! reserves one slot of a subpool and holds it until its end. The tasks run in strands of the pool
//! itself, which is unlimited.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anthill::{Pool, Slot, Strand};

const ACCOUNTS: usize = 100;
const TRANSFERS: u64 = 50_000;
const BEGIN_WITH: u64 = 300;

struct Account {
    strand: Strand,
    /// Tasks of the strand lock it one at a time, so locking never blocks.
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    balance: u64,
    /// The number of the last transfer from this account.
    last: u64,
    refused: u64,
    out_of_order: u64,
}

impl Account {
    fn open(pool: &Pool) -> Arc<Self> {
        let (balance, strand) = (BEGIN_WITH, pool.strand());
        let ledger = Mutex::new(Ledger {
            balance,
            ..Ledger::default()
        });
        Arc::new(Self { strand, ledger })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = Pool::builder()
        .name("bank")
        .capacity(usize::MAX) // the subpool below limits the transfers
        .build()?;
    let transfers = pool.subpool().capacity(64).build()?;
    let accounts: Vec<_> = (0..ACCOUNTS).map(|_| Account::open(&pool)).collect();

    let start = Instant::now();
    let mut dice = Dice(1);
    for number in 1..=TRANSFERS {
        let (from, to) = (dice.roll(ACCOUNTS), dice.roll(ACCOUNTS));
        let amount = dice.roll(200) as u64;
        // Blocks while 64 transfers are in progress.
        let slot = transfers.slot().wait()?.into_owned();
        transfer(number, &accounts[from], &accounts[to], amount, slot)?;
    }
    // Returns when all slots are released, so when the last transfer has ended. Close the strands
    // only after that, or second tasks are refused.
    transfers.shutdown().wait()?;
    let time = start.elapsed();
    pool.shutdown().wait()?;

    let begun_with = ACCOUNTS as u64 * BEGIN_WITH;
    let (mut ended_with, mut refused, mut out_of_order) = (0, 0, 0);
    for account in &accounts {
        let ledger = account.ledger.lock().unwrap();
        ended_with += ledger.balance;
        refused += ledger.refused;
        out_of_order += ledger.out_of_order;
    }
    println!("{TRANSFERS} transfers between {ACCOUNTS} accounts in {time:.1?}");
    println!("{refused:7} refused for insufficient balance");
    println!("{out_of_order:7} out of order");
    println!("{begun_with:7} in the bank before\n{ended_with:7} in the bank after");
    if ended_with != begun_with || out_of_order > 0 {
        return Err("the books do not balance".into());
    }
    Ok(())
}

/// Withdraws `amount` from one account if the balance suffices, then deposits it in the other.
fn transfer(
    number: u64,
    from: &Arc<Account>,
    to: &Arc<Account>,
    amount: u64,
    slot: Slot<'static>,
) -> Result<(), Box<dyn Error>> {
    let (payer, payee) = (Arc::clone(from), Arc::clone(to));
    from.strand.submit(move || {
        let mut ledger = payer.ledger.lock().unwrap();
        ledger.out_of_order += u64::from(ledger.last > number);
        ledger.last = number;
        let Some(rest) = ledger.balance.checked_sub(amount) else {
            ledger.refused += 1;
            return;
        };
        ledger.balance = rest;
        let receiver = Arc::clone(&payee);
        let give = move || {
            receiver.ledger.lock().unwrap().balance += amount;
            drop(slot); // the transfer ends here
        };
        if payee.strand.try_submit(give).is_err() {
            // The pool is closed. This task still has the account, so it refunds the amount.
            ledger.balance += amount;
        }
    })?;
    Ok(())
}

/// A generator of pseudo-random numbers, with the same sequence in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % sides
    }
}
