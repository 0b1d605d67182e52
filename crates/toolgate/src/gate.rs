//! The composition root: a whole gate, put together in one straight function and taken apart in
//! the reverse order.
//!
//! ```text
//! directory → key → store → sources → driver → notifications → faces → listener → timers and files
//! ```
//!
//! `serve`, `demo`, `mcp` and `mcp wrap` all start the same gate; they differ in the configuration
//! they hand in and in what they do beside it.
//!
//! Must not know: flags, how anything below decides, stores or sends.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolgate_api::{Admission, Api, LogLeaves};
use toolgate_driver::{Driver, Ports, Recovered};
use toolgate_gate::port::{Clock, Entropy, Tasks, Tools as _};
use toolgate_gate::trust::Issuers;
use toolgate_model::{Catalogue, Duration, SourceStatus};
use toolgate_notify::{Facts, Notifier};
use toolgate_store::{Options, SqliteStore, keys};
use toolgate_tools::{OnChange, SourceConfig, Sources};

use crate::clock::SystemClock;
use crate::config::{Config, Entrance, OwnTools};
use crate::entropy::SystemEntropy;
use crate::fault::Fault;
use crate::oauth::Trust;
use crate::shell::Shell;
use crate::tasks::{Drained, Group};
use crate::{home, reload, upkeep};

/// The name of the log that a gate signs.
pub(crate) const LOG_ORIGIN: &str = "toolgate.local/log";

/// How long the sources may take before the gate opens without the slow ones.
// LIMIT: five seconds; a source that takes longer joins when it is ready.
const SOURCES_WAIT: Duration = Duration::from_secs(5);

/// The same where one client waits on the standard streams, and lists tools as soon as it can.
// LIMIT: twenty seconds: `npx` may fetch a package first, and clients wait half a minute or more.
const SOURCES_WAIT_STREAMS: Duration = Duration::from_secs(20);

/// How long calls that run may go on after the gate was told to stop.
// LIMIT: thirty seconds; what is not done by then is in doubt at the next start, and says so.
const WORK_WAIT: Duration = Duration::from_secs(30);

/// How long open connections may go on after the last call ended.
// LIMIT: two seconds; only streams without a call are left by then.
const FACES_WAIT: Duration = Duration::from_secs(2);

/// How long the loops may take to notice that they are over.
// LIMIT: two seconds; a loop stops at its next await.
const UPKEEP_WAIT: Duration = Duration::from_secs(2);

/// A gate that runs.
pub(crate) struct Gate {
    /// What the faces work on.
    pub(crate) api: Api,
    /// How the MCP face behaves.
    pub(crate) mcp: toolgate_api::mcp::McpOptions,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it keeps everything.
    pub(crate) data: PathBuf,
    /// What was left from before.
    pub(crate) recovered: Recovered,
    sources: Arc<Sources>,
    store: Arc<SqliteStore>,
    groups: Groups,
    closing: CancellationToken,
}

/// The tasks of a gate, by when they end.
#[derive(Clone, Default)]
struct Groups {
    /// Invocations and thaws: end by themselves.
    work: Group,
    /// Connections to sources: end with the sources.
    sources: Group,
    /// The listener and its connections.
    faces: Group,
    /// Timers, files.
    upkeep: Group,
}

/// Starts a gate.
///
/// # Errors
/// [`Fault`] names the part that did not start, and the fix. What was started is taken down.
pub(crate) async fn start(config: &Config, shell: &Shell) -> Result<Gate, Fault> {
    let groups = Groups::default();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);

    // Before anything is written: a busy port is the mistake that people make most.
    let listener = listen(config.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|error| Fault::failed(error.to_string()))?;

    home::prepare(&config.data)?;
    let signer = keys::load_or_create(&config.data, LOG_ORIGIN, entropy.as_ref())
        .map_err(|error| Fault::failed(error.to_string()))?;
    home::write_verifier(&config.data, signer.verifier())?;
    let options = Options {
        dir: config.data.clone(),
        signer,
        clock: clock.clone(),
    };
    let store = SqliteStore::open(options).map_err(home::store_fault)?;
    let store = Arc::new(store);

    let catalogues = Catalogues::default();
    let ports = toolgate_tools::Ports {
        clock: clock.clone(),
        tasks: Arc::new(groups.sources.clone()),
        entropy: entropy.clone(),
        environment: Arc::new(shell.variables.clone()),
    };
    let trust = Trust::of(config, &clock)?;
    let sources = source_configs(config, shell, &trust)?;
    let sources = Sources::start(sources, &config.overrides, ports, catalogues.listener());
    sources.settled(sources_wait(config.mcp.entrance)).await;

    let tasks: Arc<dyn Tasks> = Arc::new(groups.work.clone());
    let ports = Ports {
        store: store.clone(),
        tools: sources.clone(),
        clock: clock.clone(),
        entropy,
        tasks: tasks.clone(),
    };
    let driver = Driver::open(ports, config.settings.clone())
        .await
        .map_err(|error| Fault::failed(error.to_string()))?;
    catalogues.follow(&driver, &sources);
    driver
        .pin_tools()
        .await
        .map_err(|error| Fault::failed(error.to_string()))?;
    home::keep_admin_token(&config.data, &driver).await?;
    declare_agents(config, &driver).await?;
    let watched = reload::declare(&driver, &config.policies, &config.documents, shell).await?;
    let recovered = driver
        .recover()
        .await
        .map_err(|error| Fault::failed(error.to_string()))?;

    let url = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"));
    let admission = admission(config, &driver, trust.issuers(&url)).await?;
    let notifier = notifier(config, shell, (&store, &url)).await?;
    let api = Api {
        driver: driver.clone(),
        notices: notifier.clone(),
        tasks,
        limits: config.limits,
        public_url: url.into(),
        hosts: config.hosts.clone().into(),
        origins: config.origins.clone().into(),
        admission,
        leaves: LogLeaves::default(),
    };
    let closing = CancellationToken::new();
    let mcp = mcp_options(config, closing.clone());
    let mut faces = toolgate_api::router(api.clone());
    if config.mcp.entrance == Entrance::Http {
        faces = faces.merge(toolgate_api::mcp::router(api.clone(), mcp.clone()));
    }
    let ended = closing.clone().cancelled_owned();
    groups.faces.spawn(
        "listener",
        Box::pin(async move {
            let served = axum::serve(listener, faces)
                .with_graceful_shutdown(ended)
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "the listener broke");
            }
        }),
    );
    home::write_server(&config.data, address, clock.now())?;

    groups
        .upkeep
        .loop_until_stopped("timers", upkeep::timers(driver.clone(), clock.clone()));
    groups
        .upkeep
        .loop_until_stopped("sweeps", upkeep::sweeps(driver.clone(), clock.clone()));
    groups
        .upkeep
        .loop_until_stopped("tools", upkeep::tools(driver.clone(), clock.clone()));
    groups
        .upkeep
        .loop_until_stopped("uses", upkeep::uses(driver.clone(), clock.clone()));
    for courier in notifier.couriers() {
        let run = courier.clone().run();
        groups.upkeep.loop_until_stopped("notifications", run);
    }
    groups
        .upkeep
        .loop_until_stopped("policy files", reload::watch(driver, watched, clock));

    let data = config.data.clone();
    Ok(Gate {
        api,
        mcp,
        address,
        data,
        recovered,
        sources,
        store,
        groups,
        closing,
    })
}

impl Gate {
    /// The URL on this machine.
    pub(crate) fn local_url(&self) -> String {
        let ip = match self.address.ip() {
            ip if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// How the sources are doing.
    pub(crate) fn sources(&self) -> Vec<SourceStatus> {
        self.sources.sources()
    }

    /// Stops it in the reverse order: nothing new, calls end, connections close, sources end, the
    /// log is signed.
    pub(crate) async fn stop(self) -> Drained {
        home::forget_server(&self.data);
        self.closing.cancel();
        let work = self.groups.work.drain(WORK_WAIT).await;
        if let Drained::Cut(count) = work {
            tracing::warn!(
                count,
                "calls were still running; they are in doubt at the next start"
            );
        }
        self.groups.upkeep.stop(UPKEEP_WAIT).await;
        self.groups.faces.drain(FACES_WAIT).await;
        self.api.driver.flush_uses().await;
        self.sources.shutdown().await;
        self.groups.sources.drain(UPKEEP_WAIT).await;
        let store = self.store.clone();
        // Closing waits for the disk, so it gets a thread where waiting is allowed.
        if tokio::task::spawn_blocking(move || store.close())
            .await
            .is_err()
        {
            tracing::error!("the store could not be closed; it is whole, and recovers by itself");
        }
        work
    }
}

/// Hands each new catalogue to the driver, once there is one.
#[derive(Clone, Default)]
struct Catalogues {
    driver: Arc<OnceLock<Weak<Driver>>>,
}

impl Catalogues {
    fn listener(&self) -> OnChange {
        let driver = self.driver.clone();
        Arc::new(move |catalogue: Arc<Catalogue>| {
            if let Some(driver) = driver.get().and_then(Weak::upgrade) {
                driver.set_catalogue(catalogue);
            }
        })
    }

    /// From here on the driver follows the sources; what changed since it was opened is caught up.
    fn follow(&self, driver: &Arc<Driver>, sources: &Sources) {
        let _first = self.driver.set(Arc::downgrade(driver));
        loop {
            let newest = sources.catalogue();
            if Arc::ptr_eq(&newest, &driver.configuration().catalogue) {
                return;
            }
            driver.set_catalogue(newest);
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Fault::failed(format!("`{address}` is in use")).help(
            "stop the other process, or choose another port: `--listen 127.0.0.1:0` takes a free one",
        ),
        std::io::ErrorKind::PermissionDenied => {
            Fault::failed(format!("listening on `{address}` is not permitted"))
                .help("choose a port above 1023")
        }
        _ => Fault::failed(format!("cannot listen on `{address}`: {error}"))
            .help("name an address of this machine with `--listen`"),
    })
}

const fn sources_wait(entrance: Entrance) -> Duration {
    match entrance {
        Entrance::Http => SOURCES_WAIT,
        Entrance::Streams => SOURCES_WAIT_STREAMS,
    }
}

fn source_configs(
    config: &Config,
    shell: &Shell,
    trust: &Trust,
) -> Result<Vec<SourceConfig>, Fault> {
    let started = config.sources.iter().map(|source| {
        let started = source.started_with(|place| place.fetch(&shell.variables));
        let started = started.map_err(|why| {
            let message = format!("the source `{}` has no credential: {why}", source.name);
            Fault::new(crate::exit::Exit::Invalid, message)
        })?;
        let grants = trust.grants(source, &shell.variables)?;
        Ok(SourceConfig { grants, ..started })
    });
    started.collect()
}

/// The notifications, each endpoint with its secret from where that is.
async fn notifier(
    config: &Config,
    shell: &Shell,
    (store, url): (&Arc<SqliteStore>, &str),
) -> Result<Arc<Notifier>, Fault> {
    let opened = config.endpoints.iter().map(|endpoint| {
        let spec = endpoint.opened_with(&shell.variables);
        spec.map_err(|why| {
            let message = format!("the endpoint `{}` cannot sign: {why}", endpoint.name);
            Fault::new(crate::exit::Exit::Invalid, message)
        })
    });
    let specs = opened.collect::<Result<_, Fault>>()?;
    let ports = toolgate_notify::Ports {
        store: store.clone(),
        outbox: store.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let facts = Facts {
        public_url: url.to_owned(),
        capture: config.settings.capture,
    };
    Notifier::open(specs, (ports, facts))
        .await
        .map_err(|error| Fault::failed(error.to_string()))
}

async fn declare_agents(config: &Config, driver: &Driver) -> Result<(), Fault> {
    for agent in &config.agents {
        let id = agent.spec.id.clone();
        let declared = driver
            .declare_agent(agent.spec.clone(), agent.tenant.clone())
            .await;
        declared.map_err(|error| {
            let message = format!("the agent `{id}` of the configuration cannot be: {error}");
            Fault::new(crate::exit::Exit::Invalid, message)
        })?;
    }
    Ok(())
}

/// The ways in beside the gate's own tokens.
async fn admission(
    config: &Config,
    driver: &Driver,
    issuers: Option<Arc<dyn Issuers>>,
) -> Result<Admission, Fault> {
    let mut admission = Admission {
        anonymous: None,
        issuers,
    };
    if let Some(agent) = &config.mcp.anonymous {
        let key = driver.stand_in(agent, "anonymous").await;
        let key = key.map_err(|error| {
            let message = format!("nobody can come in as `{agent}` (`mcp.anonymous`): {error}");
            Fault::new(crate::exit::Exit::Invalid, message).help("declare it as an `[[agent]]`")
        })?;
        admission.anonymous = Some(key);
    }
    Ok(admission)
}

fn mcp_options(config: &Config, closing: CancellationToken) -> toolgate_api::mcp::McpOptions {
    use toolgate_api::mcp::{Links, McpOptions, Presence};
    let defaults = McpOptions::default();
    let page_size = config.mcp.page_size.map(|size| size as usize);
    McpOptions {
        presence: match config.mcp.own_tools {
            OwnTools::Shown => Presence::Visible,
            OwnTools::Hidden => Presence::Transparent,
        },
        hold: config.mcp.hold.unwrap_or(defaults.hold),
        page_size: page_size.unwrap_or(defaults.page_size),
        links: if config.mcp.links {
            Links::On
        } else {
            Links::Off
        },
        closing,
    }
}
