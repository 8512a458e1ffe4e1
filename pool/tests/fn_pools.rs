//! One function, many arguments.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use anthill::{FnPool, SubmitError};
use support::{Gate, block_on, pool};

#[test]
fn the_function_is_called_once_for_each_argument() {
    let (called, seen) = mpsc::channel();
    let numbers = FnPool::new(pool(4, 2), move |n: u32| called.send(n).unwrap());
    for n in 0..500 {
        numbers.clone().submit(n).unwrap();
    }
    numbers.pool().shutdown().unwrap();
    drop(numbers);
    let mut seen: Vec<u32> = seen.into_iter().collect();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..500));
}

#[test]
fn a_refused_argument_comes_back() {
    let gate = Gate::new();
    let held = gate.clone();
    let texts = FnPool::new(pool(1, 1), move |_: String| held.wait());
    texts.submit("runs".to_owned()).unwrap();
    let Err(SubmitError::Full(text)) = texts.try_submit("full".to_owned()) else {
        panic!("the only slot is taken");
    };
    assert_eq!(text, "full");
    let late = texts.submit_timeout("late".to_owned(), Duration::from_millis(1));
    assert_eq!(late, Err(SubmitError::Timeout("late".to_owned())));
    gate.open();
    block_on(texts.submit_async("waits".to_owned())).unwrap();
    texts.pool().shutdown().unwrap();
    let closed = texts.submit("closed".to_owned());
    assert_eq!(closed, Err(SubmitError::Closed("closed".to_owned())));
    assert_eq!(texts.pool().stats().completed, 2);
}
