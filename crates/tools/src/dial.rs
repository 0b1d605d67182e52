//! How a connection to a source is made: a process is started, or an endpoint made ready.
//!
//! All connections of one source are made here, its first one and those that single principals
//! get, and all of them share what the server tells unasked ([`News`]).
//!
//! Must not know: eras, sessions, when to connect.

use std::sync::Arc;

use toolgate_gate::trust::Behalf;

use crate::config::{SourceConfig, SourceKind};
use crate::exchange::Link;
use crate::follow::News;
use crate::http::{Endpoint, HttpLink};
use crate::ports::Ports;
use crate::stdio::{Program, StdioLink};

/// Makes one more connection to a source: a person's behind a call, or everybody's.
///
/// # Errors
/// Why it cannot be made, in words.
pub(crate) fn dial(
    config: &SourceConfig,
    ports: &Ports,
    news: &Arc<News>,
    behalf: Option<Behalf>,
) -> Result<Arc<dyn Link>, String> {
    let message_bytes_max = config.limits.message_bytes_max;
    let news = Arc::clone(news);
    match config.kind.clone() {
        SourceKind::Stdio { command, env, cwd } => {
            let program = Program {
                command,
                env,
                cwd,
                message_bytes_max,
            };
            let link = StdioLink::start(&config.name, &program, ports, news)?;
            Ok(Arc::new(link))
        }
        SourceKind::Http {
            url,
            bearer,
            headers,
        } => {
            let endpoint = Endpoint {
                url,
                bearer,
                headers,
                message_bytes_max,
                grants: config.grants.clone(),
                behalf,
            };
            let link = HttpLink::new(&config.name, &endpoint, ports, news)?;
            Ok(Arc::new(link))
        }
        SourceKind::OpenApi(_)
        | SourceKind::Plugin(_)
        | SourceKind::Raw(_)
        | SourceKind::Host(_) => Err("no MCP is spoken with a source of this kind".to_owned()),
    }
}
