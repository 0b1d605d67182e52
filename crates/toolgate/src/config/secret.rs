//! Secrets in the configuration: never their text, always where they are.
//!
//! `env:CRM_TOKEN` is a variable of the gate's environment, `file:/run/secrets/crm` a file. A
//! secret that stands in the file itself is refused, because the file ends up in a repository.
//!
//! Must not know: how a secret is used. Only [`SecretPlace::fetch`] looks at the world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toolgate_tools::Secret;

/// LIMIT: a credential is short; a larger file is not one.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretPlace {
    /// In this variable.
    Variable(String),
    /// In this file; white space around it does not count.
    File(PathBuf),
    /// Here: a plain value of a key that carries no secret.
    Plain(String),
}

/// What a reference looks like, for help.
pub(super) const FORM: &str =
    "put it into a variable or a file and write `env:NAME` or `file:PATH`";

/// Words in the name of a variable or header whose value is a secret.
const SECRET_WORDS: [&str; 8] = [
    "auth",
    "cookie",
    "credential",
    "key",
    "passphrase",
    "password",
    "secret",
    "token",
];

impl SecretPlace {
    /// Reads a reference; `None` where the text is the secret itself.
    pub(super) fn reference(text: &str, base: &Path) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            let named = !name.is_empty() && name.bytes().all(plain);
            return named.then(|| Self::Variable(name.to_owned()));
        }
        let path = text.strip_prefix("file:").filter(|path| !path.is_empty())?;
        Some(Self::File(base.join(path)))
    }

    /// Reads the value of a key that may be a secret: a literal is fine only where the key's
    /// name does not say so.
    pub(super) fn under(name: &str, text: &str, base: &Path) -> Option<Self> {
        let lower = name.to_lowercase();
        let secret = SECRET_WORDS.iter().any(|word| lower.contains(word));
        Self::reference(text, base).or_else(|| (!secret).then(|| Self::Plain(text.to_owned())))
    }

    /// How it is shown: the place, and never what is there.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Variable(name) => format!("env:{name}"),
            Self::File(path) => format!("file:{}", path.display()),
            Self::Plain(text) => text.clone(),
        }
    }

    /// Gets the secret.
    ///
    /// # Errors
    /// A sentence that names the place and the fix.
    pub(crate) fn fetch(&self, variables: &BTreeMap<String, String>) -> Result<Secret, String> {
        self.text(variables).map(Secret::new)
    }

    /// The same for what reads the secret's form at once.
    ///
    /// # Errors
    /// As for [`SecretPlace::fetch`].
    pub(crate) fn text(&self, variables: &BTreeMap<String, String>) -> Result<String, String> {
        match self {
            Self::Plain(text) => Ok(text.clone()),
            Self::Variable(name) => variables
                .get(name)
                .filter(|text| !text.is_empty())
                .cloned()
                .ok_or_else(|| format!("the variable `{name}` is not set: export it")),
            Self::File(path) => read(path),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let about = |why: String| format!("the secret file `{shown}` {why}");
    let size = std::fs::metadata(path).map(|found| found.len());
    match size {
        Ok(size) if size > SECRET_BYTES_MAX => {
            Err(about(format!("has {size} bytes: not a secret")))
        }
        Err(error) => Err(about(format!("cannot be read: {error}"))),
        Ok(_) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| about(format!("cannot be read: {error}")))?;
            let text = text.trim();
            if text.is_empty() {
                Err(about("is empty".to_owned()))
            } else {
                Ok(text.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SecretPlace;
    use std::path::Path;

    #[test]
    fn a_literal_is_a_secret_only_where_its_name_says_so() {
        let base = Path::new("/etc/toolgate");
        let read = |name, text| SecretPlace::under(name, text, base).map(|place| place.shown());
        assert_eq!(read("LOG_LEVEL", "debug"), Some("debug".to_owned()));
        assert_eq!(read("GITHUB_TOKEN", "ghp_x"), None);
        assert_eq!(read("GITHUB_TOKEN", "env:GH"), Some("env:GH".to_owned()));
        assert_eq!(
            read("x-api-key", "file:k"),
            Some("file:/etc/toolgate/k".to_owned())
        );
        assert_eq!(read("password", "env:A B"), None);
    }

    #[test]
    fn a_secret_that_is_not_there_is_named() {
        let none = std::collections::BTreeMap::new();
        let missing = SecretPlace::Variable("CRM".to_owned())
            .fetch(&none)
            .unwrap_err();
        assert_eq!(missing, "the variable `CRM` is not set: export it");
    }
}
