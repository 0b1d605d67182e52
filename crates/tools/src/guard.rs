//! Watches over one conversation: a server whose calls get no answers is asked by protocol whether
//! it still gives any.
//!
//! The server may be busy with one slow tool, or stand still. `ping`, or `server/discover`, tells:
//! an answer of any kind closes the circuit, silence opens it ([`Breaker`]) until there is one. A
//! server that stays silent while nobody waits for it is given up, since a process that stands
//! still comes back in no other way than as another process.
//!
//! Must not know: what the calls were, who makes them.

use serde_json::Map;
use toolgate_model::Duration;

use crate::breaker::Breaker;
use crate::era::Era;
use crate::exchange::Exchange;
use crate::ports::Ports;
use crate::session::Session;

/// How long a suspected server may take to answer.
const PROBE_WAIT: Duration = Duration::from_secs(5);
/// LIMIT: so often in a row a server is asked in vain until the conversation is given up.
const PROBES_MAX: u32 = 3;

/// What is watched over.
#[derive(Clone, Copy)]
pub(crate) struct Guard<'a> {
    pub(crate) session: &'a Session,
    pub(crate) breaker: &'a Breaker,
    pub(crate) ports: &'a Ports,
    pub(crate) source: &'a str,
}

impl Guard<'_> {
    /// Resolves with the reason once another conversation is the better hope. One that is busy is
    /// never given up: its calls end by their own time.
    pub(crate) async fn watch(self, busy: impl Fn() -> bool) -> String {
        loop {
            self.breaker.suspected().await;
            while let Some(why) = self.silence().await {
                tracing::warn!(source = self.source, why, "it does not answer");
                let Some((pause, probes)) = self.breaker.open(why.clone()) else {
                    break;
                };
                if probes >= PROBES_MAX && !busy() {
                    return format!("it does not answer: {why}");
                }
                self.ports.sleep(pause).await;
            }
        }
    }

    /// Why the server was not heard when it was asked; none where it was, which closes the circuit.
    async fn silence(self) -> Option<String> {
        let method = match self.session.server.era {
            Era::Modern => "server/discover",
            Era::Legacy(_) => "ping",
        };
        let silence = match self.session.ask(method, Map::new(), PROBE_WAIT).await {
            // Whatever it says, it answers.
            Some(Exchange::Result(_) | Exchange::Error { .. }) => None,
            Some(Exchange::Status { status, .. }) if status < 500 => None,
            Some(other) => Some(other.in_words()),
            None => Some(format!("no answer within {PROBE_WAIT}")),
        };
        if silence.is_none() {
            self.breaker.close();
        }
        silence
    }
}
