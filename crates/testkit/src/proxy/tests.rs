//! The proxy between real sockets: what the client sees, and what the server heard.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::message::Inlet;
use super::{ArmedFault, FaultyProxy, Plan, ProxyFault};
use crate::{RawConnection, RawResponse, free_port, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that remembers every body it was sent and answers with it.
#[derive(Clone)]
struct Echo {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::default();
        let echo = Self { address, heard };
        let own = echo.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let own = own.clone();
                thread::spawn(move || own.serve(&client.unwrap()));
            }
        });
        echo
    }

    fn serve(&self, mut client: &TcpStream) -> io::Result<()> {
        let mut requests = Inlet::new(client);
        while let Some(head) = requests.head()? {
            let mut body = Vec::new();
            requests.body(head.request_extent(), &mut |piece| {
                body.extend_from_slice(piece);
                Ok(())
            })?;
            let body = String::from_utf8_lossy(&body).into_owned();
            self.heard.lock().unwrap().push(body.clone());
            let answer = match head.first_line().contains("/chunked") {
                true => format!(
                    "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                    body.len()
                ),
                false => format!("Content-Length: {}\r\n\r\n{body}", body.len()),
            };
            client.write_all(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes())?;
        }
        Ok(())
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn proxied(plan: Value) -> (Echo, FaultyProxy) {
    let echo = Echo::start();
    let proxy = started(echo.address);
    proxy.follow(serde_json::from_value::<Plan>(plan).unwrap());
    (echo, proxy)
}

fn started(to: SocketAddr) -> FaultyProxy {
    FaultyProxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), to).unwrap()
}

fn armed(proxy: &FaultyProxy, fault: ProxyFault, delay_millis: u64) {
    proxy.arm(ArmedFault {
        fault,
        times: 1,
        delay_millis,
    });
}

fn call(tool: &str, mark: u32) -> String {
    let params = json!({"name": tool, "arguments": {"mark": mark}});
    json!({"jsonrpc": "2.0", "id": mark, "method": "tools/call", "params": params}).to_string()
}

fn post(client: &mut RawConnection, path: &str, body: &str) -> io::Result<RawResponse> {
    let length = body.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
    client.exchange(request.as_bytes())
}

fn open(proxy: &FaultyProxy) -> RawConnection {
    RawConnection::open(proxy.address()).unwrap()
}

/// Whether the client got an answer or a cut connection.
fn answered(response: io::Result<RawResponse>) -> bool {
    response.is_ok_and(|response| response.status != 0)
}

#[test]
fn without_a_fault_one_connection_serves_many_requests_of_every_framing() {
    let (echo, proxy) = proxied(json!({}));
    let mut client = open(&proxy);
    for mark in 0..20 {
        let path = if mark % 2 == 0 { "/mcp" } else { "/chunked" };
        let response = post(&mut client, path, &call("refund", mark)).unwrap();
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert!(text.contains(&format!("\"mark\":{mark}")), "{text}");
    }
    assert_eq!(echo.heard().len(), 20);
    let counts = proxy.counts();
    assert_eq!((counts.requests, counts.unreachable), (20, 0));
}

#[test]
fn a_call_cut_before_is_never_heard_of_and_one_cut_after_is() {
    let (echo, proxy) = proxied(json!({"aim": {"tools": ["refund"]}}));
    armed(&proxy, ProxyFault::Before, 0);
    let mut client = open(&proxy);
    assert!(answered(post(&mut client, "/mcp", &call("look", 1))));
    assert!(!answered(post(&mut client, "/mcp", &call("refund", 2))));
    armed(&proxy, ProxyFault::After, 0);
    let mut client = open(&proxy);
    assert!(answered(post(&mut client, "/mcp", &call("look", 3))));
    assert!(!answered(post(&mut client, "/mcp", &call("refund", 4))));
    let mut client = open(&proxy);
    assert!(answered(post(&mut client, "/mcp", &call("refund", 5))));
    let expected = [("look", 1), ("look", 3), ("refund", 4), ("refund", 5)];
    assert_eq!(echo.heard(), expected.map(|(tool, mark)| call(tool, mark)));
    let counts = proxy.counts();
    assert_eq!((counts.before, counts.after, counts.aimed), (1, 1, 3));
}

#[test]
fn a_late_call_lands_after_its_client_was_cut_and_after_whatever_came_meanwhile() {
    let (echo, proxy) = proxied(json!({}));
    armed(&proxy, ProxyFault::Late, 300);
    assert!(!answered(post(
        &mut open(&proxy),
        "/mcp",
        &call("refund", 1)
    )));
    assert_eq!(proxy.counts().late_waiting, 1);
    assert!(answered(post(&mut open(&proxy), "/mcp", &call("look", 2))));
    let landed = || (proxy.counts().late_waiting == 0).then_some(());
    wait_until(PATIENCE, "the late call to land", landed).unwrap();
    assert_eq!(echo.heard(), [call("look", 2), call("refund", 1)]);
    assert_eq!(proxy.counts().late, 1);
}

#[test]
fn rates_strike_the_share_they_say_and_what_the_server_heard_agrees() {
    let plan = json!({
        "aim": {"line": "POST /mcp", "tools": ["refund"]},
        "rates": {"before": 0.2, "after": 0.2, "late": 0.2},
        "delay_millis": [1, 30], "seed": 7,
    });
    let (echo, proxy) = proxied(plan);
    let mut lost = 0;
    for mark in 0..200 {
        let response = post(&mut open(&proxy), "/mcp", &call("refund", mark));
        lost += u64::from(!answered(response));
    }
    let landed = || (proxy.counts().late_waiting == 0).then_some(());
    wait_until(PATIENCE, "the late calls to land", landed).unwrap();
    let counts = proxy.counts();
    assert_eq!(counts.before + counts.after + counts.late, lost);
    assert!(
        [counts.before, counts.after, counts.late]
            .iter()
            .all(|n| (20..70).contains(n))
    );
    let mut heard = echo.heard();
    assert_eq!(heard.len() as u64, 200 - counts.before);
    heard.sort();
    heard.dedup();
    assert_eq!(heard.len() as u64, 200 - counts.before, "one landed twice");
}

#[test]
fn a_server_that_is_not_there_costs_the_connection_and_is_counted_apart() {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port().unwrap()));
    let proxy = started(nobody);
    assert!(!answered(post(
        &mut open(&proxy),
        "/mcp",
        &call("refund", 1)
    )));
    let counted = || (proxy.counts().unreachable == 1).then_some(());
    wait_until(PATIENCE, "it to be counted", counted).unwrap();
    let counts = proxy.counts();
    assert_eq!((counts.before, counts.after, counts.late), (0, 0, 0));
}

#[test]
fn a_stopped_proxy_lets_nothing_land_any_more() {
    let (echo, proxy) = proxied(json!({}));
    armed(&proxy, ProxyFault::Late, 3_600_000);
    assert!(!answered(post(
        &mut open(&proxy),
        "/mcp",
        &call("refund", 1)
    )));
    let shared = Arc::clone(&proxy.shared);
    drop(proxy);
    let ended = || (shared.fates().counts.late_waiting == 0).then_some(());
    wait_until(PATIENCE, "the late call to be given up", ended).unwrap();
    assert_eq!(echo.heard(), Vec::<String>::new());
}
