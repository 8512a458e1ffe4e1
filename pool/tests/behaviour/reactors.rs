//! Reactors that the program provides.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::task::Poll;

use anthill::{BuildError, Pool, Reactor};

use crate::support::eventually;

/// A reactor without events that counts the waits in it and panics in the first few.
#[derive(Clone, Default)]
struct Silence {
    rung: Arc<(Mutex<bool>, Condvar)>,
    parked: Arc<AtomicUsize>,
    panics: usize,
}

impl Reactor for Silence {
    fn park(&self) {
        let before = self.parked.fetch_add(1, Ordering::SeqCst);
        assert!(before >= self.panics, "a waker went wrong");
        let rung = self.rung.0.lock().unwrap();
        *self.rung.1.wait_while(rung, |rung| !*rung).unwrap() = false;
    }

    fn unpark(&self) {
        *self.rung.0.lock().unwrap() = true;
        self.rung.1.notify_one();
    }

    fn poll(&self) {}
}

#[test]
fn pool_keeps_one_thread_in_the_reactor() {
    let silence = Silence::default();
    let own = silence.clone();
    let builder = Pool::builder().reactor(move || Ok(own.clone()));
    let pool = builder.threads(0..=2).build().unwrap();
    assert_eq!((pool.threads(), pool.stats().threads), (1..=2, 1));
    for n in 0..100 {
        let task = pool.submit_with_handle(move || n).unwrap();
        assert_eq!(task.wait().unwrap(), n);
    }
    eventually(|| silence.parked.load(Ordering::SeqCst) > 0);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().threads, 0);
}

#[test]
fn panicking_reactor_is_reported_once_and_abandoned() {
    let silence = Silence {
        panics: 1,
        ..Silence::default()
    };
    let parked = Arc::clone(&silence.parked);
    let (tell, told) = mpsc::channel();
    let builder = Pool::builder().reactor(move || Ok(silence.clone()));
    let builder =
        builder.panic_handler(move |panic| tell.send(panic.message().map(str::to_owned)).unwrap());
    let pool = builder.threads(1..=2).build().unwrap();
    assert_eq!(told.recv().unwrap().as_deref(), Some("a waker went wrong"));
    for n in 0..100 {
        let task = pool.submit_with_handle(move || n).unwrap();
        assert_eq!(task.wait().unwrap(), n);
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(parked.load(Ordering::SeqCst), 1);
}

/// A reactor that panics in the named place.
struct Wrong {
    place: &'static str,
    silence: Silence,
}

impl Reactor for Wrong {
    fn park(&self) {
        self.silence.park();
    }

    fn unpark(&self) {
        self.silence.unpark();
        assert_ne!(self.place, "unpark");
    }

    fn poll(&self) {
        assert_ne!(self.place, "poll");
    }

    fn within(&self, work: &mut dyn FnMut()) {
        assert_ne!(self.place, "before");
        if self.place != "never" {
            work();
        }
        assert_ne!(self.place, "after");
    }
}

#[test]
fn panic_in_any_reactor_method_ends_no_thread() {
    for (place, panics) in [
        ("before", 1),
        ("never", 0),
        ("after", 1),
        ("poll", 1),
        ("unpark", 0),
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let make = move || {
            let silence = Silence::default();
            Ok(Wrong { place, silence })
        };
        let pool = Pool::builder()
            .reactor(make)
            .threads(1..=1)
            .capacity(10_000)
            .panic_handler(move |_| _ = counted.fetch_add(1, Ordering::SeqCst))
            .build()
            .unwrap();
        // Enough polls that a busy worker polls the reactor in between. No closure comes before the
        // end, or another thread may hold the reactor meanwhile.
        let yields = pool.spawn_with_handle(async {
            for _ in 0..200 {
                crate::support::yield_now().await;
            }
        });
        yields.unwrap().wait().unwrap();
        for _ in 0..200 {
            pool.submit(|| ()).unwrap();
        }
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 201, "{place}");
        // Each thread that starts panics in the reactor before its first task.
        eventually(|| count.load(Ordering::SeqCst) >= panics);
    }
}

#[test]
fn handler_of_a_reactor_panic_may_wait_for_a_task() {
    let silence = Silence {
        panics: 1,
        ..Silence::default()
    };
    let builder = Pool::builder().reactor(move || Ok(silence.clone()));
    let (tell, told) = mpsc::channel();
    let (give, given) = mpsc::channel::<Pool>();
    let given = Mutex::new(given);
    let builder = builder.panic_handler(move |_| {
        let pool = given.lock().unwrap().recv().unwrap();
        let task = pool.submit_with_handle(|| 7).unwrap();
        tell.send(task.wait().unwrap()).unwrap();
    });
    let pool = builder.threads(2..=2).build().unwrap();
    give.send(pool.clone()).unwrap();
    assert_eq!(told.recv().unwrap(), 7);
    pool.shutdown().wait().unwrap();
}

#[test]
fn failed_reactor_is_a_build_error() {
    let make = || Err::<Silence, _>(io::Error::other("no more files"));
    let built = Pool::builder().reactor(make).build();
    assert!(
        matches!(built, Err(BuildError::Reactor(error)) if error.to_string() == "no more files")
    );
}

#[test]
fn waker_keeps_the_reactor_alive() {
    let silence = Silence::default();
    let owners = Arc::clone(&silence.parked);
    let own = silence.clone();
    let builder = Pool::builder().reactor(move || Ok(own.clone()));
    let pool = builder.threads(1..=1).build().unwrap();
    let (said, heard) = mpsc::channel();
    let task = poll_fn(move |cx| {
        said.send(cx.waker().clone()).unwrap();
        Poll::Ready(())
    });
    pool.spawn_with_handle(task).unwrap().wait().unwrap();
    let waker = heard.recv().unwrap();
    pool.shutdown().wait().unwrap();
    drop((pool, silence));
    let kept = Arc::strong_count(&owners);
    drop(waker);
    assert!(Arc::strong_count(&owners) < kept);
    assert_eq!(Arc::strong_count(&owners), 1);
}
