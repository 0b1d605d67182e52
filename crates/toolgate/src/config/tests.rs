//! Every kind of mistake, drawn as a person would see it, and the order of precedence.
//!
//! What is expected was written down from the contract and then drawn; a new key needs a line in
//! `EVERYTHING`, or the test of the schema names it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use expect_test::{Expect, expect};

use super::{ConfigFile, Flags, Listing, Resolved, resolve};
use crate::diagnostic::drawn;

fn file(text: &str) -> ConfigFile {
    ConfigFile {
        path: PathBuf::from("etc/toolgate.toml"),
        text: text.to_owned(),
    }
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn good(text: &str) -> Resolved {
    resolve(&Flags::new(), &BTreeMap::new(), Some(&file(text))).unwrap()
}

/// All complaints about a file, drawn.
fn check(text: &str, expected: Expect) {
    check_with(text, &[], expected);
}

fn check_with(text: &str, pairs: &[(&str, &str)], expected: Expect) {
    let shown = match resolve(&Flags::new(), &variables(pairs), Some(&file(text))) {
        Ok(resolved) => {
            let warnings = resolved.warnings.iter().map(|found| drawn(found, text));
            format!("usable\n{}", warnings.collect::<Vec<_>>().join("\n"))
        }
        Err(found) => found
            .iter()
            .map(|found| drawn(found, text))
            .collect::<Vec<_>>()
            .join("\n\n"),
    };
    expected.assert_eq(&shown);
}

const SPEC: &str = r#"
listen = "127.0.0.1:8787"
data = "./toolgate-data"
store = "sqlite"
policies = ["policies/"]
own_domains = ["acme.com"]
[posture]
low = "allow"
medium = "allow"
high = "require_approval"
critical = "deny"
[[source]]
name = "git"
mcp = { command = ["uvx", "mcp-server-git"] }
[[source]]
name = "crm"
mcp = { url = "http://127.0.0.1:9000/mcp", auth = { bearer = "env:CRM_TOKEN" } }
[tools."stripe.refund"]
risk = "high"
[[agent]]
id = "billing_agent"
owner = "ana@acme.com"
role = "agent"
profile = { tools = ["stripe.*"], resources = ["customer:*"], actions = [], max_risk = "high" }
"#;

#[test]
fn the_example_of_the_contract_is_usable() {
    let config = good(SPEC).config;
    assert_eq!(config.data, PathBuf::from("etc/./toolgate-data"));
    assert_eq!(config.policies, [PathBuf::from("etc/policies/")]);
    assert_eq!(config.sources.len(), 2);
    assert_eq!(config.agents[0].spec.id.as_str(), "billing_agent");
    assert_eq!(config.overrides.len(), 1);
}

#[test]
fn every_value_is_listed_with_its_origin_and_no_secret() {
    let text = SPEC.replace("\"127.0.0.1:8787\"", "\"127.0.0.1:1\"");
    let file = file(&text);
    let flags = vec![("--listen", "listen", "127.0.0.1:3".to_owned())];
    let variables = variables(&[
        ("TOOLGATE_LISTEN", "127.0.0.1:2"),
        ("TOOLGATE_POSTURE__HIGH", "deny"),
        ("TOOLGATE_HOSTS", "gate.example, other.example"),
        ("TOOLGATE_LIMITS__JSON_DEPTH", "32"),
        ("TOOLGATE_KEY", "tg_not_a_setting"),
        ("TOOLGATE_TOKEN", "tgp_not_a_setting"),
        ("CRM_TOKEN", "hunter2"),
    ]);
    let resolved = resolve(&flags, &variables, Some(&file)).unwrap();
    let listing = Listing {
        file: Some(&file),
        origins: true,
    };
    let text = listing.to_text(&resolved.effective);
    assert!(
        !text.contains("hunter2") && !text.contains("tgp_"),
        "{text}"
    );
    expect![[r#"
        agent[0].id = "billing_agent"  # etc/toolgate.toml:21
        agent[0].owner = "ana@acme.com"  # etc/toolgate.toml:22
        agent[0].profile.actions = []  # etc/toolgate.toml:24
        agent[0].profile.max_risk = "high"  # etc/toolgate.toml:24
        agent[0].profile.resources = ["customer:*"]  # etc/toolgate.toml:24
        agent[0].profile.tools = ["stripe.*"]  # etc/toolgate.toml:24
        agent[0].role = "agent"  # etc/toolgate.toml:23
        approvals.expires_in = "1d"  # default
        data = "./toolgate-data"  # etc/toolgate.toml:3
        detect.allow = []  # default
        detect.allow_domains = []  # default
        detect.confidence_percent_min = 50  # default
        detect.disabled = []  # default
        hosts = ["gate.example","other.example"]  # TOOLGATE_HOSTS
        idempotency.duplicate_window = "10m"  # default
        idempotency.ttl = "1d"  # default
        limits.body_bytes = 1048576  # default
        limits.json_depth = 32  # TOOLGATE_LIMITS__JSON_DEPTH
        limits.string_bytes = 262144  # default
        limits.wait = "2m"  # default
        listen = "127.0.0.1:3"  # --listen
        mcp.links = false  # default
        mcp.own_tools = true  # default
        oauth.private_addresses = false  # default
        origins = []  # default
        own_domains = ["acme.com"]  # etc/toolgate.toml:6
        policies = ["policies/"]  # etc/toolgate.toml:5
        policy.second_person = false  # default
        posture.critical = "deny"  # etc/toolgate.toml:11
        posture.high = "deny"  # TOOLGATE_POSTURE__HIGH
        posture.low = "allow"  # etc/toolgate.toml:8
        posture.medium = "allow"  # etc/toolgate.toml:9
        record.capture = "digest"  # default
        source[0].mcp.command = ["uvx","mcp-server-git"]  # etc/toolgate.toml:14
        source[0].name = "git"  # etc/toolgate.toml:13
        source[1].mcp.auth.bearer = "env:CRM_TOKEN"  # etc/toolgate.toml:17
        source[1].mcp.url = "http://127.0.0.1:9000/mcp"  # etc/toolgate.toml:17
        source[1].name = "crm"  # etc/toolgate.toml:16
        store = "sqlite"  # etc/toolgate.toml:4
        tool_changes = "hold"  # default
        tools.stripe.refund.risk = "high"  # etc/toolgate.toml:19
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_gate_without_a_file_listens_on_loopback_only() {
    let resolved = resolve(&Flags::new(), &BTreeMap::new(), None).unwrap();
    assert!(resolved.config.listen.ip().is_loopback());
    assert_eq!(resolved.config.data, PathBuf::from("./toolgate-data"));
    assert!(resolved.warnings.is_empty());
}

#[test]
fn an_unknown_key_is_drawn_with_the_nearest_one() {
    check(
        "listn = \"127.0.0.1:1\"\n[posture]\nhihg = \"deny\"\n",
        expect![[r#"
        error[C002]: `listn` is not a key of the configuration
         --> etc/toolgate.toml:1:1
          |
        1 | listn = "127.0.0.1:1"
          | ^^^^^
          |
        help: did you mean `listen`?

        error[C002]: `posture.hihg` is not a key of the configuration
         --> etc/toolgate.toml:3:1
          |
        3 | hihg = "deny"
          | ^^^^
          |
        help: did you mean `high`?"#]],
    );
}

#[test]
fn a_value_that_does_not_fit_says_what_does() {
    check(
        "listen = 8787\n[posture]\nhigh = \"maybe\"\n[limits]\njson_depth = -1\nwait = \"1.5h\"\n",
        expect![[r#"
            error[C003]: `listen` cannot be an integer
             --> etc/toolgate.toml:1:10
              |
            1 | listen = 8787
              |          ^^^^
              |
            help: it takes an address with a port such as "127.0.0.1:8787"

            error[C003]: `posture.high` cannot be `maybe`
             --> etc/toolgate.toml:3:8
              |
            3 | high = "maybe"
              |        ^^^^^^^
              |
            help: it takes "allow", "require_approval" or "deny"

            error[C003]: `limits.json_depth` cannot be an integer
             --> etc/toolgate.toml:5:14
              |
            5 | json_depth = -1
              |              ^^
              |
            help: it takes a whole number from 1 to 4294967295

            error[C003]: `limits.wait` cannot be `1.5h`
             --> etc/toolgate.toml:6:8
              |
            6 | wait = "1.5h"
              |        ^^^^^^
              |
            help: it takes a duration such as 250ms, 20s, 5m, 24h or 30d"#]],
    );
}

#[test]
fn what_is_not_toml_is_said_where() {
    check(
        "listen = \"127.0.0.1:1\ndata = \n",
        expect![[r#"
        error[C001]: this is not TOML: invalid basic string, expected `"`
         --> etc/toolgate.toml:1:22
          |
        1 | listen = "127.0.0.1:1
          |                      ^

        error[C001]: this is not TOML: string values must be quoted, expected literal string
         --> etc/toolgate.toml:2:8
          |
        2 | data = 
          |        ^"#]],
    );
    check(
        "data = \"a\"\ndata = \"b\"\n",
        expect![[r#"
        error[C001]: this is not TOML: duplicate key
         --> etc/toolgate.toml:2:1
          |
        2 | data = "b"
          | ^^^^"#]],
    );
}

#[test]
fn a_secret_in_the_open_is_refused_and_not_repeated() {
    let text = r#"
[[source]]
name = "crm"
mcp = { url = "http://127.0.0.1:9/mcp", auth = { bearer = "hunter2" } }
[[source]]
name = "git"
mcp = { command = ["x"], env = { GITHUB_TOKEN = "hunter3", LOG_LEVEL = "debug" } }
"#;
    check(
        text,
        expect![[r#"
            error[C005]: `source[0].mcp.auth.bearer` holds a secret in the open
            --> etc/toolgate.toml:4:59
             |
            help: put it into a variable or a file and write `env:NAME` or `file:PATH`

            error[C005]: `source[1].mcp.env.GITHUB_TOKEN` holds a secret in the open
            --> etc/toolgate.toml:7:49
             |
            help: put it into a variable or a file and write `env:NAME` or `file:PATH`"#]],
    );
}

#[test]
fn what_does_not_work_yet_is_refused_and_not_ignored() {
    let text = r#"
store = "postgres://ana@db/gate"
tls = { certificate = "c.pem" }
[record]
capture = "redacted"
"#;
    check(
        text,
        expect![[r#"
        error[C004]: `store` cannot be PostgreSQL yet: it is not available
         --> etc/toolgate.toml:2:9
          |
        2 | store = "postgres://ana@db/gate"
          |         ^^^^^^^^^^^^^^^^^^^^^^^^
          |
        help: leave `store` out, or write `store = "sqlite"`

        error[C004]: `tls` is not available yet
         --> etc/toolgate.toml:3:7
          |
        3 | tls = { certificate = "c.pem" }
          |       ^^^^^^^^^^^^^^^^^^^^^^^^^
          |
        help: put a TLS proxy in front, and name its host in `hosts`

        error[C004]: `record.capture` cannot be `redacted` yet: it is not available
         --> etc/toolgate.toml:5:11
          |
        5 | capture = "redacted"
          |           ^^^^^^^^^^
          |
        help: write "digest" to keep no arguments in the record"#]],
    );
}

#[test]
fn a_source_is_one_process_or_one_server() {
    let text = r#"
[[source]]
mcp = { command = ["x"], url = "http://h/mcp" }
[[source]]
name = "b"
[[source]]
name = "b"
mcp = { command = [] }
[[source]]
name = "u"
mcp = { url = "https://ana:pw@host/mcp" }
"#;
    check(
        text,
        expect![[r#"
        error[C006]: `source[0].name` is missing
         --> etc/toolgate.toml:2:1
          |
        2 | [[source]]
          | ^^^^^^^^^^
          |
        help: add `name = …`: a text in quotes

        error[C007]: `source[0].mcp` has both of `command` and `url`
         --> etc/toolgate.toml:3:7
          |
        3 | mcp = { command = ["x"], url = "http://h/mcp" }
          |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
        help: a process has `command`, a server has `url`

        error[C006]: `source[1].mcp` is missing
         --> etc/toolgate.toml:4:1
          |
        4 | [[source]]
          | ^^^^^^^^^^
          |
        help: write one of `mcp = { … }`, `openapi = { … }`, `plugin = { … }`, `host = { … }`, `http = { … }`

        error[C007]: source `b`: the command is empty; name a program
         --> etc/toolgate.toml:6:1
          |
        6 | [[source]]
          | ^^^^^^^^^^

        error[C007]: source `u`: the URL carries a credential; move it to `auth`
         --> etc/toolgate.toml:9:1
          |
        9 | [[source]]
          | ^^^^^^^^^^"#]],
    );
}

#[test]
fn agents_and_tools_are_checked_to_the_last_key() {
    let text = r#"
[[agent]]
id = "a b"
profile = { tool = ["x.*"] }
[[agent]]
id = "x"
owner = "ana@acme.com"
role = "owner"
profile = "root"
[[agent]]
id = "x"
owner = "ana@acme.com"
[tools.refund]
risk = "severe"
[tools."crm.update"]
effect = "maybe"
resource = "customer:{customer}"
"#;
    check(
        text,
        expect![[r#"
        error[C006]: `agent[0].owner` is missing
         --> etc/toolgate.toml:2:1
          |
        2 | [[agent]]
          | ^^^^^^^^^
          |
        help: add `owner = …`: a name of 1 to 128 letters, digits and `_ - . @ + :`

        error[C003]: `agent[0].id` cannot be `a b`
         --> etc/toolgate.toml:3:6
          |
        3 | id = "a b"
          |      ^^^^^
          |
        help: it takes a name of 1 to 128 letters, digits and `_ - . @ + :`

        error[C002]: `agent[0].profile.tool` is not a key of the configuration
         --> etc/toolgate.toml:4:13
          |
        4 | profile = { tool = ["x.*"] }
          |             ^^^^
          |
        help: did you mean `tools`?

        error[C003]: `agent[1].role` cannot be `owner`
         --> etc/toolgate.toml:8:8
          |
        8 | role = "owner"
          |        ^^^^^^^
          |
        help: it takes "reader", "agent" or "service"

        error[C003]: `agent[1].profile` cannot be `root`
         --> etc/toolgate.toml:9:11
          |
        9 | profile = "root"
          |           ^^^^^^
          |
        help: it takes a grant such as { tools = ["crm.*"] }, a list of grants, or "admin"

        error[C007]: there are two agents `x`
          --> etc/toolgate.toml:10:1
           |
        10 | [[agent]]
           | ^^^^^^^^^
           |
        help: an id names one agent in all tenants: choose another

        error[C003]: `refund` is not a tool: `source.operation` of letters, digits and `_ - . /`, at most 256 bytes
          --> etc/toolgate.toml:13:8
           |
        13 | [tools.refund]
           |        ^^^^^^
           |
        help: quote the whole name: `[tools."source.operation"]`

        error[C003]: `tools.refund.risk` cannot be `severe`
          --> etc/toolgate.toml:14:8
           |
        14 | risk = "severe"
           |        ^^^^^^^^
           |
        help: it takes "low", "medium", "high" or "critical"

        error[C003]: `tools.crm.update.effect` cannot be `maybe`
          --> etc/toolgate.toml:16:10
           |
        16 | effect = "maybe"
           |          ^^^^^^^
           |
        help: it takes "none" for a tool that only reads, "some", or a table that says how to look for it

        error[C003]: `tools.crm.update.resource` cannot be `customer:{customer}`
          --> etc/toolgate.toml:17:12
           |
        17 | resource = "customer:{customer}"
           |            ^^^^^^^^^^^^^^^^^^^^^
           |
        help: it takes a template such as "customer:{args.customer}""#]],
    );
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    check_with(
        "",
        &[
            ("TOOLGATE_LISTN", "x"),
            ("TOOLGATE_POSTURE__HIGH", "maybe"),
            ("TOOLGATE_SOURCE", "x"),
        ],
        expect![[r#"
            error[C003]: `posture.high` cannot be `maybe` (from `TOOLGATE_POSTURE__HIGH`)
            --> environment
             |
            help: it takes "allow", "require_approval" or "deny"

            error[C003]: `source` is a text, not a list of tables (from `TOOLGATE_SOURCE`)
            --> environment
             |
            help: write each one as `[[source]]` in the file

            error[C002]: `listn` is not a key of the configuration (from `TOOLGATE_LISTN`)
            --> environment
             |
            help: did you mean `listen`?"#]],
    );
}

#[test]
fn a_variable_that_resembles_no_key_is_a_warning() {
    check_with(
        "",
        &[("TOOLGATE_DEPLOYMENT", "blue")],
        expect![[r#"
            usable
            warning[C002]: `deployment` is not a key of the configuration (from `TOOLGATE_DEPLOYMENT`)
            --> environment
             |
            help: known here: `agent`, `approvals`, `data`, `detect`, `hosts`, `idempotency`, `limits`, `listen`, `mcp`, `notify`, `oauth`, `origins`, `own_domains`, `policies`, `policy`, `posture`, `public_url`, `record`, `source`, `store`, `tls`, `tool_changes`, `tools`"#]],
    );
}

/// A file that sets every key there is.
const EVERYTHING: &str = r#"
listen = "127.0.0.1:1"
data = "d"
store = "sqlite"
policies = []
own_domains = []
public_url = "http://localhost:1"
hosts = []
origins = []
tool_changes = "record"
policy = { second_person = true }
posture = { low = "deny", medium = "deny", high = "deny", critical = "deny" }
approvals = { expires_in = "1h", escalate_after = "1h", escalate_to = ["owner"] }
idempotency = { ttl = "1h", duplicate_window = "1h" }
record = { capture = "full" }
limits = { body_bytes = 1, json_depth = 1, string_bytes = 1, wait = "1s" }
mcp = { hold = "1s", own_tools = false, page_size = 1, links = true, anonymous = "a" }
[oauth]
resource = "https://gate.example/mcp"
private_addresses = true
[[oauth.issuers]]
issuer = "https://login.example"
audience = "a"
jwks_url = "https://login.example/keys"
claim = "client_id"
agents = { A = "a" }
agent = "ci_{claim}"
allow = ["a"]
user = "sub"
groups = "groups"
scopes = []
[detect]
allow = []
allow_domains = []
disabled = []
confidence_percent_min = 1
[[detect.pattern]]
name = "A"
class = "PII"
regex = "a"
words = []
confidence_percent = 1
[[source]]
name = "a"
names = "prefixed"
era = "modern"
isolation = "principal"
effect = "none"
client = { sampling = false, elicitation = false, roots = false, assumed = true }
offers_max = 1
timeout = "1s"
start_timeout = "1s"
tools_max = 1
message_bytes = 1
tool_changes = "hold"
mcp = { command = ["a"], env = { A = "b" }, cwd = "c" }
[[source]]
name = "b"
mcp = { url = "http://h/mcp", headers = { A = "b" }, auth = { bearer = "env:B" } }
[[source]]
name = "c"
[source.mcp]
url = "http://h/mcp"
[source.mcp.auth.client_credentials]
issuer = "https://login.example"
client_id = "c"
client_secret = "env:C"
scopes = []
resource = "r"
[[source]]
name = "d"
[source.mcp]
url = "http://h/mcp"
[source.mcp.auth.client_credentials]
token_url = "https://login.example/token"
client_id = "c"
client_secret = "env:C"
[[source]]
name = "e"
[source.mcp]
url = "http://h/mcp"
[source.mcp.auth.token_exchange]
issuer = "https://login.example"
client_id = "c"
client_secret = "env:C"
scopes = []
resource = "r"
[[source]]
name = "f"
[source.mcp]
url = "http://h/mcp"
[source.mcp.auth.token_exchange]
token_url = "https://login.example/token"
client_id = "c"
client_secret = "env:C"
[[source]]
name = "g"
[source.openapi]
file = "f"
base_url = "http://h"
private_addresses = true
headers = { A = "env:A" }
[source.openapi.auth.client_credentials]
issuer = "https://login.example"
client_id = "c"
client_secret = "env:C"
scopes = []
resource = "r"
[[source]]
name = "h"
[source.openapi]
file = "f"
base_url = "http://h"
private_addresses = true
headers = { A = "env:A" }
[source.openapi.auth.client_credentials]
token_url = "https://login.example/token"
client_id = "c"
client_secret = "env:C"
[[source]]
name = "i"
[source.openapi]
file = "f"
base_url = "http://h"
private_addresses = true
headers = { A = "env:A" }
[source.openapi.auth.token_exchange]
issuer = "https://login.example"
client_id = "c"
client_secret = "env:C"
scopes = []
resource = "r"
[[source]]
name = "j"
[source.openapi]
file = "f"
base_url = "http://h"
private_addresses = true
headers = { A = "env:A" }
[source.openapi.auth.token_exchange]
token_url = "https://login.example/token"
client_id = "c"
client_secret = "env:C"
[[source]]
name = "k"
openapi = { file = "f", base_url = "http://h", auth = { bearer = "env:B" }, include = ["k.get.*"], exclude = [] }
[[source]]
name = "k2"
[source.openapi]
file = "f"
base_url = "http://h"
[source.openapi.auth]
header = { name = "X-Key", value = "env:B" }
[source.openapi.auth.schemes.A]
bearer = "env:B"
[source.openapi.auth.schemes.B.basic]
user = "u"
password = "env:B"
[source.openapi.auth.schemes.C]
header = { name = "X-Key", value = "env:B" }
[source.openapi.auth.schemes.D]
query = { name = "key", value = "env:B" }
[[source]]
name = "k3"
openapi = { file = "f", base_url = "http://h", auth = { basic = { user = "u", password = "env:B" } } }
[[source]]
name = "k4"
openapi = { file = "f", base_url = "http://h", auth = { query = { name = "key", value = "env:B" } } }
[[source]]
name = "r1"
http = { base_url = "http://h", auth = { bearer = "env:B" }, headers = { A = "env:A" }, private_addresses = true }
[[source]]
name = "r2"
http = { base_url = "http://h", auth = { basic = { user = "u", password = "env:B" } } }
[[source]]
name = "r3"
http = { base_url = "http://h", auth = { header = { name = "X-Key", value = "env:B" } } }
[[source]]
name = "r4"
http = { base_url = "http://h", auth = { query = { name = "key", value = "env:B" } } }
[[source]]
name = "s1"
[source.http]
base_url = "http://h"
[source.http.auth.client_credentials]
issuer = "https://login.example"
client_id = "c"
client_secret = "env:C"
scopes = []
resource = "r"
[[source]]
name = "s2"
[source.http]
base_url = "http://h"
[source.http.auth.client_credentials]
token_url = "https://login.example/token"
client_id = "c"
client_secret = "env:C"
[[source]]
name = "t1"
[source.http]
base_url = "http://h"
[source.http.auth.token_exchange]
issuer = "https://login.example"
client_id = "c"
client_secret = "env:C"
scopes = []
resource = "r"
[[source]]
name = "t2"
[source.http]
base_url = "http://h"
[source.http.auth.token_exchange]
token_url = "https://login.example/token"
client_id = "c"
client_secret = "env:C"
[[source]]
name = "l"
plugin = { url = "http://h", secret = "env:S", owner = "o" }
[[source]]
name = "m"
[source.host]
agents = []
[[source.host.tools]]
name = "a"
description = "d"
input_schema = { type = "object" }
risk = "low"
verb = "READ"
effect = "none"
resource = "a:b"
timeout = "1s"
category = "c"
version = "1"
[[agent]]
id = "a"
owner = "o"
role = "reader"
tenant = "t"
runtime = "r"
project = "p"
trusted_host = true
profile = { tools = [], resources = [], actions = [], envs = [], workflows = [], max_risk = "low" }
[[notify]]
name = "n"
url = "https://h/in"
secret = "env:N"
events = []
tenant = "t"
[tools."a.b"]
risk = "low"
verb = "READ"
resource = "r:{args.r}"
timeout = "1s"
effect = "none"
lifecycle = "active"
version = "1"
category = "c"
attributes = { amount = "args.cents / 100" }
authors = "anyone"
wire_name = "w"
posture = "require_approval"
duplicate_window = "1m"
entity = { probe = "a.c", args = { A = 1 }, list = "l", match = { A = 1 }, pin = ["p"] }
trigger = { probe = "a.c", args = { A = 1 }, match = { A = 1 } }
[tools."a.d".effect]
idempotency = { header = "h" }
probe = "a.c"
args = { A = 1 }
landed = "result.ok"
lands_within = "1s"
tries = 1
backoff = "1s..2s"
[tools."a.e"]
effect = { idempotency = { argument = "a" } }
[tools."a.f"]
effect = { idempotency = { meta = "m" } }
"#;

/// The paths of a schema's leaves, in the form of the listing.
fn leaves(schema: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    if let Some(options) = schema.get("oneOf") {
        return leaves(&options[0], path, found);
    }
    if let Some(forms) = schema.get("anyOf").and_then(serde_json::Value::as_array) {
        return forms.iter().for_each(|form| leaves(form, path, found));
    }
    if let Some(items) = schema
        .get("items")
        .filter(|items| items["type"] == "object")
    {
        return leaves(items, &format!("{path}[]"), found);
    }
    let open = schema
        .get("additionalProperties")
        .filter(|open| open.is_object());
    if let Some(open) = open {
        return leaves(open, &format!("{path}.*"), found);
    }
    match schema
        .get("properties")
        .and_then(serde_json::Value::as_object)
    {
        Some(properties) => {
            for (key, inner) in properties {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(inner, &format!("{path}{dot}{key}"), found);
            }
        }
        None => found.push(path.to_owned()),
    }
}

#[test]
fn the_schema_names_exactly_the_keys_that_are_read() {
    let mut published = Vec::new();
    leaves(&super::json_schema(), "", &mut published);
    published.sort();
    published.dedup();
    let general = |path: &str| {
        let path = (0..40)
            .fold(path.to_owned(), |path, position| {
                path.replace(&format!("[{position}]"), "[]")
            })
            .replace("tools.a.b", "tools.*")
            .replace("tools.a.d", "tools.*")
            .replace("tools.a.e", "tools.*")
            .replace("tools.a.f", "tools.*")
            .replace(".schemes.A.", ".schemes.*.")
            .replace(".schemes.B.", ".schemes.*.")
            .replace(".schemes.C.", ".schemes.*.")
            .replace(".schemes.D.", ".schemes.*.");
        for map in [
            ".env.A",
            ".headers.A",
            ".attributes.amount",
            ".args.A",
            ".agents.A",
            ".match.A",
        ] {
            if let Some(start) = path.strip_suffix(map) {
                let name = map.rsplit_once('.').map_or("", |(name, _)| name);
                return format!("{start}{name}.*");
            }
        }
        path
    };
    let mut read: Vec<_> = good(EVERYTHING)
        .effective
        .iter()
        .map(|value| general(&value.path))
        .collect();
    read.sort();
    read.dedup();
    assert_eq!(published, read);
}

#[test]
fn nobody_comes_in_without_a_token_from_another_machine() {
    for (open, inside) in [
        ("", true),
        ("listen = \"[::1]:1\"", true),
        (
            "hosts = [\"localhost:1\", \"[::1]:1\", \"127.0.0.1\", \"localhost\"]",
            true,
        ),
        ("public_url = \"http://127.0.0.1:1/base\"", true),
        ("listen = \"0.0.0.0:1\"", false),
        ("listen = \"[::]:1\"", false),
        ("listen = \"10.0.0.1:1\"", false),
        ("hosts = [\"gate.example\"]", false),
        ("hosts = [\"localhost.gate.example\"]", false),
        ("public_url = \"https://gate.example\"", false),
        ("public_url = \"http://localhost.gate.example:1\"", false),
    ] {
        let text = format!("{open}\n[mcp]\nanonymous = \"a\"\n");
        let read = resolve(&Flags::new(), &BTreeMap::new(), Some(&file(&text)));
        assert_eq!(read.is_ok(), inside, "{open}");
    }
    check_with(
        "[mcp]\nanonymous = \"a\"\n",
        &[("TOOLGATE_LISTEN", "0.0.0.0:8787")],
        expect![[r#"
            error[C007]: `mcp.anonymous` lets everybody in, and the gate listens on `0.0.0.0:8787`
             --> etc/toolgate.toml:2:13
              |
            2 | anonymous = "a"
              |             ^^^
              |
            help: listen on loopback only, or give the agent a key: `toolgate key create AGENT`"#]],
    );
}

#[test]
fn whose_tokens_are_taken_is_read_strictly() {
    let complaints = |text: &str| match resolve(&Flags::new(), &BTreeMap::new(), Some(&file(text)))
    {
        Ok(_) => Vec::new(),
        Err(found) => found.into_iter().map(|one| one.message).collect(),
    };
    let issuer =
        |more: &str| format!("[[oauth.issuers]]\nissuer = \"https://a.example\"\n{more}\n");
    let agents = "agents = { c = \"a\" }";
    assert_eq!(complaints(&issuer(agents)), Vec::<String>::new());
    let twice = issuer(agents).repeat(2);
    let plain = issuer(agents).replace("https", "http");
    let near = issuer(agents).replace("a.example", "127.0.0.1:1");
    let allowed = format!("[oauth]\nprivate_addresses = true\n{near}");
    assert_eq!(complaints(&allowed), Vec::<String>::new());
    let metadata = allowed.replace("127.0.0.1:1", "169.254.169.254");
    for (text, found) in [
        (issuer(""), "makes no client an agent"),
        (issuer("agent = \"ci_{claim}\""), "no `allow`"),
        (
            issuer("agent = \"ci\"\nallow = [\"*\"]"),
            "no name with `{claim}` in it",
        ),
        (
            issuer("agents = { c = \"a b\" }"),
            "`oauth.issuers[0].agents.c` cannot be `a b`",
        ),
        (
            issuer("agents = { c = \"a\" }\nuesr = \"sub\""),
            "`oauth.issuers[0].uesr` is not a key",
        ),
        (twice, "issues tokens twice"),
        (plain, "is not https"),
        (near, "is an address that is not asked"),
        (metadata, "is an address that is not asked"),
    ] {
        let all = complaints(&text);
        assert!(all.iter().any(|one| one.contains(found)), "{text}: {all:?}");
    }
}

#[test]
fn how_the_gate_gets_its_own_tokens_is_read_strictly() {
    let complaints = |auth: &str| {
        let text = format!(
            "[[source]]\nname = \"c\"\nmcp = {{ url = \"http://h/mcp\", auth = {auth} }}\n"
        );
        match resolve(&Flags::new(), &BTreeMap::new(), Some(&file(&text))) {
            Ok(_) => String::new(),
            Err(found) => format!("{found:?}"),
        }
    };
    let good = r#"{ client_credentials = { issuer = "https://a.example", client_id = "c", client_secret = "env:S" } }"#;
    assert_eq!(complaints(good), "");
    let open = complaints(&good.replace("env:S", "hunter2"));
    assert!(open.contains("holds a secret in the open") && !open.contains("hunter2"));
    for (from, to, found) in [
        (
            "issuer = \"https://a.example\", ",
            "",
            "has not one of `issuer` and `token_url`",
        ),
        (
            "client_id",
            "token_url = \"https://a.example/t\", client_id",
            "has not one of",
        ),
        (
            ", client_secret = \"env:S\"",
            "",
            "client_secret` is missing",
        ),
        ("https://a.example", "http://a.example", "is not https"),
        (
            "{ client_credentials",
            "{ bearer = \"env:B\", client_credentials",
            "has several credentials",
        ),
        (
            "client_credentials",
            "token_exchange",
            "and no issuer has any",
        ),
        (
            "client_id = \"c\"",
            "client = \"c\"",
            "`source[0].mcp.auth.client_credentials.client` is not a key",
        ),
    ] {
        let said = complaints(&good.replacen(from, to, 1));
        assert!(said.contains(found), "{to}: {said}");
    }
}

#[test]
fn an_endpoint_is_read_strictly() {
    check(
        r#"
[[notify]]
name = "pager"
url = "http://hooks.acme.com/in"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[[notify]]
name = "two words"
url = "https://169.254.169.254/latest"
[[notify]]
name = "chat"
url = "https://hooks.acme.com/services/T0/secret"
secret = "env:CHAT"
[[notify]]
name = "chat"
url = "https://hooks.acme.com/"
secret = "file:chat"
event = ["approval.*"]
"#,
        expect![[r#"
            error[C003]: `notify[0].url` cannot be told anything: plain http is only for this machine: write an https URL
             --> etc/toolgate.toml:4:7
              |
            4 | url = "http://hooks.acme.com/in"
              |       ^^^^^^^^^^^^^^^^^^^^^^^^^^

            error[C005]: `notify[0].secret` holds a secret in the open
            --> etc/toolgate.toml:5:10
             |
            help: put it into a variable or a file and write `env:NAME` or `file:PATH`

            error[C007]: `notify[1].name` is no name of an endpoint
             --> etc/toolgate.toml:6:1
              |
            6 | [[notify]]
              | ^^^^^^^^^^
              |
            help: write 1 to 64 letters, digits and `_ - .`

            error[C006]: `notify[1].secret` is missing
             --> etc/toolgate.toml:6:1
              |
            6 | [[notify]]
              | ^^^^^^^^^^
              |
            help: add `secret = …`: a text in quotes

            error[C003]: `notify[1].url` cannot be told anything: `169.254.169.254` is an address that no endpoint is on
             --> etc/toolgate.toml:8:7
              |
            8 | url = "https://169.254.169.254/latest"
              |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

            error[C007]: there are two endpoints `chat`
              --> etc/toolgate.toml:13:1
               |
            13 | [[notify]]
               | ^^^^^^^^^^
               |
            help: the name is what deliveries are kept under: choose another

            error[C002]: `notify[3].event` is not a key of the configuration
              --> etc/toolgate.toml:17:1
               |
            17 | event = ["approval.*"]
               | ^^^^^
               |
            help: did you mean `events`?"#]],
    );
}

#[test]
fn the_path_of_an_endpoint_is_not_shown() {
    let resolved = good(
        "[[notify]]\nname = \"chat\"\nurl = \"https://hooks.acme.com/T0/hush\"\n\
         secret = \"env:CHAT\"\n",
    );
    let shown = format!("{:?}", resolved.effective);
    assert!(shown.contains("https://hooks.acme.com/…") && shown.contains("env:CHAT"));
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn a_plugins_own_look_is_tuned_without_naming_a_probe() {
    let text = r#"
[[source]]
name = "refunds"
plugin = { url = "http://127.0.0.1:9100", secret = "env:REFUNDS_SECRET" }
[[source]]
name = "crm"
mcp = { url = "http://127.0.0.1:9000/mcp" }
[tools."refunds.issue".effect]
lands_within = "90s"
tries = 3
"#;
    let config = good(text).config;
    let stated = &config.overrides[&"refunds.issue".parse().unwrap()];
    let effect = stated.checks.effect.as_ref().unwrap();
    assert_eq!(
        effect.lands_within,
        Some(toolgate_model::Duration::from_secs(90))
    );
    assert_eq!((effect.tries, effect.look.is_none()), (3, true));
    // Of any other source nobody would look.
    let other = text.replace("tools.\"refunds.issue\"", "tools.\"crm.refunds.issue\"");
    assert!(resolve(&Flags::new(), &BTreeMap::new(), Some(&file(&other))).is_err());
}
