//! What people read on standard output. Whether anyone does is no reason to stop.

use std::io::{Write, stderr, stdout};

/// Prints a text and ends its line.
pub fn say(text: impl AsRef<str>) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
}

/// Prints a remark, which isn't part of the answer, to standard error.
pub fn remark(text: impl AsRef<str>) {
    let _ = writeln!(stderr().lock(), "{}", text.as_ref());
}

/// Shows a text in the place of the line that the cursor is in, on a terminal.
pub fn overwrite(text: impl AsRef<str>) {
    let mut out = stdout().lock();
    let _ = write!(out, "\r\x1b[2K{}", text.as_ref()).and_then(|()| out.flush());
}
