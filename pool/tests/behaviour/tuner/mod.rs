//! The tuner's policies against a simulated service, on its own clock: the numbers are the same each time.

mod hostile;
mod live;
mod policies;
mod scenarios;
mod service;
mod table;
