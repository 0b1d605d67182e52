//! A local proxy whose every request is judged before it is sent: for programs of which nothing can
//! be changed but a base address.
//!
//! ```text
//! POST http://127.0.0.1:4100/proxy/https://api.stripe.com/v1/refunds
//! allowed   sent as it was judged, with the caller's own credentials; the answer comes back
//! denied    403, nothing was sent        waits   202, the same request again joins it
//! ```
//!
//! Must not know: services; the gate recognises them.

mod answer;
mod asked;
mod forward;
mod reach;
mod report;
mod written;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use toolgate_gate::port::Tasks as _;
use toolgate_model::Duration;

use self::answer::Refusal;
use self::asked::Asked;
pub(crate) use self::reach::Reach;
use crate::fault::Fault;
use crate::hosted::Hosted;
use crate::signal::Signals;
use crate::tasks::Group;

/// How long requests that are under way may still take when the proxy ends.
const FAREWELL: Duration = Duration::from_secs(30);

/// Requests at once.
// LIMIT: each may hold its body and a short answer; 128 MiB and some at most.
const REQUESTS_MAX: usize = 128;

/// How long a request may take to arrive.
// LIMIT: its caller is a program on this machine.
const ARRIVAL: Duration = Duration::from_secs(60);

/// What becomes of a request that the gate does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ProxyMode {
    /// It is not sent.
    Enforce,
    /// It is sent all the same; the verdict is on the record and in a header of the answer.
    Monitor,
}

/// How a proxy is to work.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// What becomes of what the gate does not allow.
    pub(crate) mode: ProxyMode,
    /// Which addresses it connects to.
    pub(crate) reach: Reach,
    /// Headers that travel on although the gate judges nothing by them, in lower case.
    pub(crate) carried: Vec<String>,
}

/// A proxy.
pub(crate) struct Proxy {
    gate: Hosted,
    upstream: reqwest::Client,
    setting: Setting,
    own: SocketAddr,
    tasks: Group,
    room: Semaphore,
}

/// Serves until the process is told to end. `ready` hears where it listens.
///
/// # Errors
/// [`Fault`] where it cannot listen.
pub(crate) async fn serve(
    gate: Hosted,
    setting: Setting,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), Fault> {
    let mut signals = Signals::new()?;
    let listen = setting.listen;
    let taken = |error: std::io::Error| {
        Fault::failed(format!("`{listen}` cannot be listened on: {error}"))
            .help("choose another port with `--listen 127.0.0.1:0`")
    };
    let listener = TcpListener::bind(listen).await.map_err(taken)?;
    let own = listener.local_addr().map_err(taken)?;
    let tasks = Group::default();
    let proxy = Arc::new(Proxy {
        gate,
        upstream: forward::client(&setting.reach)?,
        setting,
        own,
        tasks: tasks.clone(),
        room: Semaphore::new(REQUESTS_MAX),
    });
    // The end of an answer is sent at once, and not when its beginning was acknowledged.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays slow");
        }
    });
    let router = Router::new().fallback(handle).with_state(proxy);
    ready(own);
    let served = axum::serve(listener, router).with_graceful_shutdown(async move {
        signals.next().await;
    });
    let ended = served.await;
    tasks.drain(FAREWELL).await;
    ended.map_err(|error| Fault::failed(format!("the proxy broke: {error}")))
}

/// A request is carried to its end also where whoever sent it goes away: what was sent is reported.
async fn handle(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (sender, receiver) = oneshot::channel();
    let (working, tasks) = (proxy.clone(), proxy.tasks.clone());
    let work = async move {
        let response = working.taken(request).await;
        // Nobody may be there any more; the report was made all the same.
        let _gone = sender.send(response);
    };
    tasks.spawn("proxied request", Box::pin(work));
    receiver
        .await
        .unwrap_or_else(|_| Refusal::broken().response())
}

impl Proxy {
    async fn taken(self: &Arc<Self>, request: Request) -> Response {
        let Ok(_room) = self.room.try_acquire() else {
            return Refusal::busy(REQUESTS_MAX).response();
        };
        let read = Asked::read(request, self);
        match tokio::time::timeout(ARRIVAL.to_std(), read).await {
            Ok(Ok(asked)) => self.answer(asked).await,
            Ok(Err(refusal)) => refusal.response(),
            Err(_) => Refusal::slow().response(),
        }
    }

    async fn answer(self: &Arc<Self>, asked: Asked) -> Response {
        match self.setting.mode {
            ProxyMode::Enforce => self.enforce(asked).await,
            ProxyMode::Monitor => self.monitor(asked).await,
        }
    }
}
