//! More capacity while submitters wait.

use std::thread;

use anthill::Pool;

use super::kinds::{Anything, Closures, Kind, Typed};
use super::watch::{Watch, watched};
use crate::support::{Gate, eventually};

fn from_two_to_three_to_eight<K: Kind>() {
    let (watch, gate) = (Watch::default(), Gate::new());
    let held = gate.clone();
    let builder = Pool::builder().capacity(2).threads(0..=8);
    let pool: K = watched(builder, &watch, move |_| held.wait());
    let stats = || pool.pool().stats();
    pool.submit(1).unwrap();
    pool.submit(1).unwrap();
    eventually(|| watch.most() == 2);
    watch.assert_never_beyond(2);
    pool.pool().set_capacity(3);
    pool.submit(1).unwrap();
    eventually(|| watch.most() == 3);
    watch.assert_never_beyond(3);
    thread::scope(|scope| {
        let submitters = [(); 5].map(|()| scope.spawn(|| pool.submit(1)));
        eventually(|| stats().waiting == 5);
        pool.pool().set_capacity(8);
        for submitter in submitters {
            assert_eq!(submitter.join().unwrap(), Ok(()));
        }
    });
    eventually(|| watch.most() == 8);
    let (running, in_flight) = (stats().running, stats().in_flight);
    assert_eq!((running, in_flight, stats().waiting), (8, 8, 0));
    gate.open();
    pool.pool().shutdown().wait().unwrap();
    assert_eq!(watch.ended(), 8);
    watch.assert_never_beyond(8);
}

#[test]
fn pool_tune_scale_up() {
    from_two_to_three_to_eight::<Closures>();
    from_two_to_three_to_eight::<Anything>();
    from_two_to_three_to_eight::<Typed>();
}
