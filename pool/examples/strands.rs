//! A bank: each account has a strand, so what is done to one account is done in order and one at a time, while
//! different accounts are busy on all threads. Nothing waits for a lock, and no two accounts are ever locked together.
//!
//! ```console
//! cargo run -p anthill --example strands
//! ```
//!
//! A transfer is two tasks, the second submitted by the first. If both took their slots from one bounded pool, it could
//! fill up with first tasks, none of which gets a slot for its second; the pool would refuse them with `WouldDeadlock`.
//! So the bound is on transfers, not on tasks: a transfer takes one slot of a subpool before it begins, and carries it
//! along to its end. The tasks themselves go to strands of the pool, which has no bound of its own.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anthill::{Pool, Slot, Strand};

const ACCOUNTS: usize = 100;
const TRANSFERS: u64 = 50_000;
const BEGIN_WITH: u64 = 300;

struct Account {
    strand: Strand,
    /// Locked by one task of the strand at a time: the lock is there for the compiler and never waited for.
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    balance: u64,
    /// The number of the last transfer from here.
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
        .capacity(usize::MAX) // the slots that count are those of the transfers
        .build()?;
    let transfers = pool.subpool().capacity(64).build()?;
    let accounts: Vec<_> = (0..ACCOUNTS).map(|_| Account::open(&pool)).collect();

    let start = Instant::now();
    let mut dice = Dice(1);
    for number in 1..=TRANSFERS {
        let (from, to) = (dice.roll(ACCOUNTS), dice.roll(ACCOUNTS));
        let amount = dice.roll(200) as u64;
        // Blocks while 64 transfers are under way.
        let slot = transfers.slot().wait()?.into_owned();
        transfer(number, &accounts[from], &accounts[to], amount, slot)?;
    }
    // Ends when all slots are back, that is, when the last transfer is through. Only then may the strands close.
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
    println!("{refused:7} refused, for want of money");
    println!("{out_of_order:7} out of order");
    println!("{begun_with:7} in the bank before\n{ended_with:7} in the bank after");
    if ended_with != begun_with || out_of_order > 0 {
        return Err("the books do not balance".into());
    }
    Ok(())
}

/// Takes from one account what is there, then gives it to the other.
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
            // The bank closes. The account is still ours, so what was taken can go back.
            ledger.balance += amount;
        }
    })?;
    Ok(())
}

/// Numbers that look random and are the same in each run.
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
