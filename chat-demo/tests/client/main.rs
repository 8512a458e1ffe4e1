//! The clients as programs meet them: over real sockets, to a real server, through a line that can
//! break.

mod harness;
mod peer;
mod plain;
mod proxy;
mod publishing;
mod recovery;
mod returning;
