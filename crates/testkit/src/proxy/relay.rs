//! One connection through the proxy: request by request, each with its own fate.
//!
//! The server is given a connection of its own for each request, so that one it has given up
//! meanwhile is never mistaken for a fault of ours. A late request goes on after its client is
//! gone, which is the point of it.
//!
//! Must not know: where the fates come from.

use std::io::{self, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::Shared;
use super::message::{Head, Inlet};
use super::plan::Fate;

/// LIMIT: a request longer than this is no tool call.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// One request, whole.
struct Request {
    head: Head,
    body: Vec<u8>,
}

/// What comes after an exchange.
#[derive(PartialEq, Eq)]
enum Next {
    Request,
    End,
}

/// Serves one client until it leaves or a fault cuts it off.
pub(super) fn serve(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut requests = Inlet::new(client);
    while let Some(request) = next_request(&mut requests)? {
        match shared.decide(request.head.first_line(), &request.body) {
            Fate::Pass => {
                if pass(&request, client, shared)? == Next::End {
                    break;
                }
            }
            Fate::Before => break,
            Fate::After => {
                exchange(&request, shared, &mut |_| Ok(()))?;
                break;
            }
            Fate::Late { millis } => {
                client.shutdown(Shutdown::Both)?;
                return land_late(&request, millis, shared);
            }
        }
    }
    Ok(())
}

fn next_request(requests: &mut Inlet<&TcpStream>) -> io::Result<Option<Request>> {
    let Some(head) = requests.head()? else {
        return Ok(None);
    };
    let mut body = Vec::new();
    requests.body(head.request_extent(), &mut |piece| {
        body.extend_from_slice(piece);
        match body.len() <= REQUEST_BYTES_MAX {
            true => Ok(()),
            false => Err(io::Error::other("the request is too long")),
        }
    })?;
    Ok(Some(Request { head, body }))
}

fn pass(request: &Request, mut client: &TcpStream, shared: &Shared) -> io::Result<Next> {
    let next = exchange(request, shared, &mut |piece| client.write_all(piece))?;
    match request.head.says_goodbye() {
        true => Ok(Next::End),
        false => Ok(next),
    }
}

fn land_late(request: &Request, millis: u64, shared: &Shared) -> io::Result<()> {
    let landed = match shared.pause(Duration::from_millis(millis)) {
        true => exchange(request, shared, &mut |_| Ok(())),
        false => Ok(Next::End),
    };
    shared.landed_late();
    landed.map(drop)
}

/// Sends the request to the server and hands its answer on.
fn exchange(
    request: &Request,
    shared: &Shared,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Next> {
    let mut broken_by_client = false;
    let mut handed = |piece: &[u8]| {
        let written = sink(piece);
        broken_by_client = written.is_err();
        written
    };
    let done = answered(request, shared, &mut handed);
    if done.is_err() && !broken_by_client {
        shared.not_reached();
    }
    done
}

fn answered(
    request: &Request,
    shared: &Shared,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Next> {
    let mut server = shared.connect()?;
    server.write_all(&request.head.bytes)?;
    server.write_all(&request.body)?;
    let mut answers = Inlet::new(&server);
    loop {
        let nothing = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let head = answers.head()?.ok_or_else(nothing)?;
        sink(&head.bytes)?;
        let extent = head.response_extent(&request.head);
        answers.body(extent, sink)?;
        if !head.is_interim() {
            let ends = head.says_goodbye() || extent == super::message::Extent::ToEnd;
            return Ok(if ends { Next::End } else { Next::Request });
        }
    }
}
