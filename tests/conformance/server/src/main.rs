//! The upstream of the conformance runs: every fixture that the official suites ask a server for.
//!
//!     conformance-server --listen 127.0.0.1:8001            # streamable HTTP at /mcp, both eras
//!     conformance-server --listen 127.0.0.1:8001 --legacy   # nothing newer than 2025-11-25
//!     conformance-server                                    # standard streams
//!
//! What it offers is data (`fixtures.json`); how such data is played is in `fixtures.rs`,
//! `rounds.rs` and `server.rs`. Must not know: that a gate may stand in front of it.

mod fixtures;
#[expect(
    deprecated,
    reason = "sampling and roots are deprecated, and clients still have them"
)]
mod rounds;
#[expect(
    deprecated,
    reason = "logging is deprecated, and clients still ask for it"
)]
mod server;

use anyhow::{Context, Result, bail};
use rmcp::ServiceExt;
use rmcp::transport::{
    StreamableHttpServerConfig, StreamableHttpService, stdio,
    streamable_http_server::session::local::LocalSessionManager,
};

use server::Server;

struct Options {
    listen: Option<String>,
    legacy: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = parsed(std::env::args().skip(1))?;
    let server = Server::new(options.legacy)?;
    match options.listen {
        Some(address) => over_http(server, &address).await,
        None => over_streams(server).await,
    }
}

fn parsed(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        listen: None,
        legacy: false,
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => {
                options.listen = Some(arguments.next().context("`--listen` needs an address")?)
            }
            "--legacy" => options.legacy = true,
            other => {
                bail!("`{other}` is no flag of this server: there are `--listen` and `--legacy`")
            }
        }
    }
    Ok(options)
}

/// Says on standard output where it listens, once it does.
async fn over_http(server: Server, address: &str) -> Result<()> {
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        LocalSessionManager::default().into(),
        StreamableHttpServerConfig::default(),
    );
    let router = axum::Router::new().nest_service("/mcp", service);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}/mcp", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn over_streams(server: Server) -> Result<()> {
    server.serve(stdio()).await?.waiting().await?;
    Ok(())
}
