//! Output on the standard streams. Unlike `println!`, it does not panic if the reader has closed
//! them (`chat-demo load | head`).

use std::fmt;
use std::io::{self, Write};

/// Writes a line to standard error, and ignores errors.
pub fn note(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a text to standard output. It is the result of the program, so errors are returned.
pub fn print(text: impl fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    out.flush()
}
