//! A free loopback port, for processes that cannot pick one themselves.
//!
//! Between this answer and the process taking it, another may; prefer port 0 where you can.
//! Must not know: who listens.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// A port on 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// Where the system has none.
pub fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
