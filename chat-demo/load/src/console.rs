//! What the program says on its standard streams. Who reads them may be gone (`chat-demo load | head`), where `println!` panics.

use std::fmt;
use std::io::{self, Write};

/// Writes a line to standard error. Nobody is left to be told if that fails.
pub fn note(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a text to standard output, for which the program was started: an error is one of the program.
pub fn print(text: impl fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    out.flush()
}
