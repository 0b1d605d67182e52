//! `toolgate source add`: one more `[[source]]` at the end of the configuration file.
//!
//! ```text
//! toolgate source add git -- uvx mcp-server-git
//! toolgate source add crm --url https://crm.acme.com/mcp --bearer env:CRM_TOKEN
//! toolgate source add stripe --openapi stripe.json --base-url https://api.stripe.com --bearer file:key
//! toolgate source add refunds --plugin https://refunds.acme.com --secret env:REFUNDS_SECRET
//! ```
//! The whole configuration is read with it before anything is written, so that a file which loaded
//! still loads; what stands in it already is left as it is, comments too.
//!
//! Must not know: what a source's table may hold; the configuration's own reading says.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use serde_json::json;
use toml::{Table, Value};

use crate::config::ConfigFile;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{DEFAULT_FILE, Shell};

/// Arguments of `toolgate source add`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("kind").required(true).args(["command", "url", "openapi", "plugin", "host"])))]
pub(super) struct Add {
    /// Its name: the first half of its tools' names
    name: String,
    /// An MCP server's address
    #[arg(long)]
    url: Option<String>,
    /// An API description
    #[arg(long, value_name = "FILE")]
    openapi: Option<String>,
    /// Where that API is
    #[arg(long, value_name = "URL", requires = "openapi")]
    base_url: Option<String>,
    /// The gate's own token there: `env:NAME` or `file:PATH`
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["plugin", "host", "command"])]
    bearer: Option<String>,
    /// A plugin's address
    #[arg(long, value_name = "URL", requires = "secret")]
    plugin: Option<String>,
    /// The secret that is shared with the plugin: `env:NAME` or `file:PATH`
    #[arg(long, value_name = "PLACE", requires = "plugin")]
    secret: Option<String>,
    /// Who answers for the plugin
    #[arg(long, requires = "plugin")]
    owner: Option<String>,
    /// A program that registers its tools and runs them itself
    #[arg(long)]
    host: bool,
    /// An MCP server's program and its arguments
    #[arg(last = true)]
    command: Vec<String>,
}

impl Add {
    /// Writes it down, where the whole then still loads.
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Fault> {
        let before = shell.config_file()?;
        let path = before
            .as_ref()
            .map_or_else(|| PathBuf::from(DEFAULT_FILE), |file| file.path.clone());
        let text = before.map_or_else(String::new, |file| file.text);
        let addition = self.written(&text);
        let whole = ConfigFile {
            path: path.clone(),
            text: format!("{text}{addition}"),
        };
        shell.resolve_file(Vec::new(), Some(whole))?;
        append(&path, &addition)?;
        let shown = path.display().to_string();
        let value = json!({"file": shown, "added": addition.trim_start()});
        shell.print(&value, || {
            format!(
                "added to {shown}:\n{}\nNext: start the gate again to have it",
                addition.trim_start()
            )
        })?;
        Ok(Exit::Done)
    }

    /// What is added to a file with this text.
    fn written(&self, before: &str) -> String {
        let (kind, table) = self.table();
        let table = Value::Table(table);
        let gap = match before {
            "" => "",
            text if text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        let name = Value::from(self.name.as_str());
        format!("{gap}[[source]]\nname = {name}\n{kind} = {table}\n")
    }

    /// The key that says what it is, and what stands there.
    fn table(&self) -> (&'static str, Table) {
        let mut table = Table::new();
        let mut put = |key: &str, value: &Option<String>| {
            if let Some(text) = value {
                table.insert(key.to_owned(), text.as_str().into());
            }
        };
        put("url", &self.url.clone().or_else(|| self.plugin.clone()));
        put("file", &self.openapi);
        put("base_url", &self.base_url);
        put("secret", &self.secret);
        put("owner", &self.owner);
        if let Some(bearer) = &self.bearer {
            let auth = Table::from_iter([("bearer".to_owned(), bearer.as_str().into())]);
            table.insert("auth".to_owned(), Value::Table(auth));
        }
        if !self.command.is_empty() {
            let command = self.command.iter().map(|part| part.as_str().into());
            table.insert("command".to_owned(), Value::Array(command.collect()));
        }
        let kind = match (&self.openapi, &self.plugin, self.host) {
            (Some(_), _, _) => "openapi",
            (_, Some(_), _) => "plugin",
            (_, _, true) => "host",
            _ => "mcp",
        };
        (kind, table)
    }
}

fn append(path: &Path, addition: &str) -> Result<(), Fault> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(addition.as_bytes()))
        .map_err(|error| {
            Fault::failed(format!("`{}` cannot be written: {error}", path.display()))
                .help("name a file of your own with `--config`")
        })
}

#[cfg(test)]
mod tests {
    use super::Add;
    use clap::{Args as _, Command, FromArgMatches as _};
    use expect_test::{Expect, expect};

    fn check(arguments: &[&str], expected: &Expect) {
        let command = Add::augment_args(Command::new("add"));
        let matches = command.try_get_matches_from([&["add"], arguments].concat());
        let written = match matches.and_then(|matches| Add::from_arg_matches(&matches)) {
            Ok(add) => add.written("listen = 1"),
            Err(error) => error.kind().to_string(),
        };
        expected.assert_eq(&written);
    }

    #[test]
    fn each_kind_of_source_is_written_as_the_configuration_reads_it() {
        check(
            &["git", "--", "uvx", "mcp-server-git", "--x=\"y\""],
            &expect![[r#"


                [[source]]
                name = "git"
                mcp = { command = ["uvx", "mcp-server-git", '--x="y"'] }
            "#]],
        );
        check(
            &["crm", "--url", "https://a/mcp", "--bearer", "env:T"],
            &expect![[r#"


                [[source]]
                name = "crm"
                mcp = { auth = { bearer = "env:T" }, url = "https://a/mcp" }
            "#]],
        );
        check(
            &["stripe", "--openapi", "s.json", "--base-url", "https://a"],
            &expect![[r#"


                [[source]]
                name = "stripe"
                openapi = { base_url = "https://a", file = "s.json" }
            "#]],
        );
        check(
            &[
                "refunds",
                "--plugin",
                "https://a",
                "--secret",
                "env:S",
                "--owner",
                "ana@acme.com",
            ],
            &expect![[r#"


                [[source]]
                name = "refunds"
                plugin = { owner = "ana@acme.com", secret = "env:S", url = "https://a" }
            "#]],
        );
        check(
            &["app", "--host"],
            &expect![[r#"


            [[source]]
            name = "app"
            host = {}
        "#]],
        );
    }

    #[test]
    fn what_says_two_things_or_nothing_is_refused() {
        check(
            &["x"],
            &expect!["one or more required arguments were not provided"],
        );
        check(
            &["x", "--url", "https://a", "--host"],
            &expect![
                "an argument cannot be used with one or more of the other specified arguments"
            ],
        );
        check(
            &["x", "--plugin", "https://a"],
            &expect!["one or more required arguments were not provided"],
        );
        check(
            &["x", "--url", "https://a", "--owner", "o"],
            &expect!["one or more required arguments were not provided"],
        );
    }
}
