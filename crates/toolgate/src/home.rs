//! The data directory, and the small files in it that are not the store's.
//!
//! ```text
//! toolgate.db   the store            signing.key    signs the log (0600)
//! admin.token   the first person's   verifier.key   checks the log, for everybody
//! server.json   where the gate listens, while it runs
//! ```
//!
//! Whoever can read the directory is the gate's owner; therefore it is 0700.
//! Must not know: what is in the store.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::json;
use toolgate_driver::Driver;
use toolgate_model::{Duration, Timestamp, Token};
use toolgate_record::Verifier;
use toolgate_store::OpenError;

use crate::admin::{SERVER_FILE, TOKEN_FILE};
use crate::fault::Fault;

/// The public half of the key that signs the log.
pub(crate) const VERIFIER_FILE: &str = "verifier.key";

/// The first person of a gate: whoever owns its data directory.
pub(crate) const LOCAL_PERSON: &str = "local@localhost";

/// A token of the data directory that ends sooner is replaced at the start.
// LIMIT: thirty days, a third of a token's life.
const TOKEN_LEFT_MIN: Duration = Duration::from_secs(30 * 86_400);

/// Makes the directory, for its owner alone.
///
/// # Errors
/// [`Fault`] where it cannot be made or is a file.
pub(crate) fn prepare(dir: &Path) -> Result<(), Fault> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| unusable(dir, &error))?;
    if let Some(mode) = too_open(dir) {
        tracing::warn!(
            directory = %dir.display(),
            "the data directory is open to others (mode {mode:o}): run `chmod 700` on it"
        );
    }
    Ok(())
}

/// The permission bits of the directory, where they let others in.
pub(crate) fn too_open(dir: &Path) -> Option<u32> {
    let mode = fs::metadata(dir).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Writes the key that everybody may know.
///
/// # Errors
/// [`Fault`] where the directory cannot be written.
pub(crate) fn write_verifier(dir: &Path, verifier: &Verifier) -> Result<(), Fault> {
    write(dir, VERIFIER_FILE, (&format!("{verifier}\n"), 0o644))
}

/// Writes down where the gate listens.
///
/// # Errors
/// [`Fault`] where the directory cannot be written.
pub(crate) fn write_server(dir: &Path, address: SocketAddr, now: Timestamp) -> Result<(), Fault> {
    let ip = match address.ip() {
        ip if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("http://{}", SocketAddr::new(ip, address.port()));
    let text = json!({"url": url, "pid": std::process::id(), "started_at": now});
    write(dir, SERVER_FILE, (&format!("{text}\n"), 0o600))
}

/// Forgets where the gate listened.
pub(crate) fn forget_server(dir: &Path) {
    if let Err(error) = fs::remove_file(dir.join(SERVER_FILE)) {
        tracing::debug!(%error, "server.json was gone already");
    }
}

/// Sees to it that the directory holds a token of its owner that works, and for a while yet.
///
/// # Errors
/// [`Fault`] where the store or the directory cannot be written.
pub(crate) async fn keep_admin_token(dir: &Path, driver: &Driver) -> Result<(), Fault> {
    if stands(dir, driver) {
        return Ok(());
    }
    let local = LOCAL_PERSON
        .parse()
        .map_err(|_| Fault::failed("the local person has no name"))?;
    let issued = driver.renew_local(local).await;
    let Some(issued) = issued.map_err(|error| Fault::failed(error.to_string()))? else {
        tracing::warn!("`{LOCAL_PERSON}` is disabled, so the data directory has no token");
        return Ok(());
    };
    write(
        dir,
        TOKEN_FILE,
        (&format!("{}\n", issued.token.reveal()), 0o600),
    )
}

fn stands(dir: &Path, driver: &Driver) -> bool {
    let Ok(text) = fs::read_to_string(dir.join(TOKEN_FILE)) else {
        return false;
    };
    let Ok(token) = Token::parse(text.trim()) else {
        return false;
    };
    let configuration = driver.configuration();
    let least = driver.now().plus(TOKEN_LEFT_MIN);
    configuration
        .credential(&token.key)
        .is_some_and(|credential| {
            credential.secret_hash.verifies(&token)
                && credential.revoked_at.is_none()
                && credential.expires_at.is_none_or(|expiry| expiry > least)
        })
}

/// What a store that does not open means.
pub(crate) fn store_fault(error: OpenError) -> Fault {
    match error {
        OpenError::InUse { .. } => Fault::failed(error.to_string()).coded("in_use"),
        other => Fault::failed(other.to_string()),
    }
}

/// Writes a file whole or not at all.
fn write(dir: &Path, name: &str, (text, mode): (&str, u32)) -> Result<(), Fault> {
    let (path, fresh) = (dir.join(name), dir.join(format!(".{name}.new")));
    let written = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&fresh)?;
        // A file that was left there keeps its old mode otherwise.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)
    };
    written().map_err(|error| unusable(dir, &error))
}

fn unusable(dir: &Path, error: &io::Error) -> Fault {
    Fault::failed(format!(
        "the data directory `{}` cannot be used: {error}",
        dir.display()
    ))
    .help("let the gate's own user own it, or name another one with `--data`")
}
