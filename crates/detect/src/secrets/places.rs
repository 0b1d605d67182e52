//! Places that hold a secret whatever it looks like: the user part of a URL, an `Authorization`
//! header, a private key between its marks, `curl -u`, a `.netrc` line, a Kubernetes secret.
//!
//! In `postgres://app:s3cr3t@db/prod` the finding is `app:s3cr3t`.
//!
//! Must not know: formats of tokens, key words.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;
use toolgate_model::DataClass::Secrets;

use super::filler::{is_filler, is_reference, is_word_of_forms};
use crate::bytes::{at, before, contains, count, entropy, is_name, is_word, run, run_back, slice};
use crate::decode::base64_text;
use crate::page::Page;

/// Bytes of one place that are looked at. LIMIT: longer commands and URLs are cut here.
const PLACE_BYTES_MAX: usize = 2_048;
/// Bytes of one private key. LIMIT: an RSA key of 16,384 bits has 13,000.
const PRIVATE_KEY_BYTES_MAX: usize = 16 << 10;
/// Bytes of a JSON web token. LIMIT: headers of HTTP servers end at 8 or 16 KiB.
const JWT_BYTES_MAX: usize = 16 << 10;

/// What such a place begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    PrivateKey,
    Jwt,
    Bearer,
    Basic,
    Curl,
    Login,
    Netrc,
    Kubernetes,
    Connection,
}

/// Each place with its beginnings, in lower case.
#[rustfmt::skip]
pub(crate) const PLACES: &[(Place, &[&str])] = &[
    (Place::PrivateKey, &["-----begin", "---- begin ssh2 encrypted private", "putty-user-key-file-"]),
    (Place::Jwt, &["eyj"]),
    (Place::Bearer, &["bearer ", "authorization: token ", "authorization: apikey ", "api-token "]),
    (Place::Basic, &["basic "]),
    (Place::Curl, &["curl "]),
    (Place::Login, &["docker login", "psexec", "sshpass", "mysql -", "mysqldump -", "podman login", "helm registry login", "net use "]),
    (Place::Netrc, &["machine "]),
    (Place::Kubernetes, &["kind: secret", "kind: \"secret", "kind: 'secret", "\"kind\": \"secret"]),
    (Place::Connection, &[".azconfig.io;", "accountname="]),
];

/// Looks for what such a place holds.
pub(crate) fn read(page: &mut Page<'_>, hit: &Range<usize>, place: Place) {
    if page.covers(hit.start) {
        return;
    }
    match place {
        Place::PrivateKey => private_key(page, hit),
        Place::Jwt => jwt(page, hit),
        Place::Bearer => bearer(page, hit),
        Place::Basic => basic(page, hit),
        Place::Curl => commands(page, hit, &CURL),
        Place::Login => commands(page, hit, &LOGIN),
        Place::Netrc => commands(page, hit, &NETRC),
        Place::Kubernetes => kubernetes(page, hit),
        Place::Connection => commands(page, hit, &CONNECTION),
    }
}

/// User and password before the `@` of a URL.
pub(crate) fn url(page: &mut Page<'_>, hit: &Range<usize>) {
    let bytes = page.bytes;
    let user_length = run_back(bytes, hit.start, USER_BYTES_MAX, |byte| {
        !byte.is_ascii_whitespace()
            && !matches!(byte, b'/' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'?')
    });
    let user_at = hit.start - user_length;
    let user = slice(bytes, user_at, hit.start);
    let Some(colon) = user.iter().position(|byte| *byte == b':') else {
        return;
    };
    let before = slice(bytes, user_at.saturating_sub(3), user_at);
    let scheme = run_back(bytes, user_at.saturating_sub(3), 24, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-')
    });
    if before != b"://" || scheme == 0 {
        return;
    }
    let password = slice(user, colon + 1, user.len());
    let store = is_store(slice(bytes, user_at - 3 - scheme, user_at - 3));
    let invented =
        is_reference(password) || is_filler(password) || is_word_of_forms(password) && !store;
    let host = at(bytes, hit.end).is_some_and(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'[' | b'$' | b'{' | b'%' | b'_')
    });
    if !password.is_empty() && !invented && host {
        page.add(Secrets, "URL_CREDENTIALS", user_at..hit.start, 0.85);
    }
}

/// Bytes of user and password in a URL.
const USER_BYTES_MAX: usize = 160;

/// Whether a scheme is that of a data store or queue, whose passwords are often plain words.
fn is_store(scheme: &[u8]) -> bool {
    [
        &b"postgres"[..],
        b"postgis",
        b"mysql",
        b"mongodb",
        b"redis",
        b"amqp",
        b"mssql",
        b"mariadb",
        b"sqlserver",
        b"oracle",
        b"clickhouse",
        b"ftp",
    ]
    .iter()
    .any(|name| contains(scheme, name))
}

/// A private key up to its end mark, or as far as it looks like one.
fn private_key(page: &mut Page<'_>, hit: &Range<usize>) {
    let bytes = page.bytes;
    let head = slice(bytes, hit.start, hit.start + 80);
    let closed = head
        .get(10..)
        .unwrap_or_default()
        .windows(5)
        .position(|mark| mark == b"-----");
    let putty = head.starts_with(b"PuTTY") || head.starts_with(b"----");
    let Some(head_end) = closed.map(|place| place + 15).or(putty.then_some(30)) else {
        return;
    };
    let title = slice(head, 0, head_end);
    if !contains(title, b"private") && !head.starts_with(b"PuTTY") {
        return;
    }
    let body = slice(
        bytes,
        hit.start + head_end,
        hit.start + PRIVATE_KEY_BYTES_MAX,
    );
    let marked = memchr::memmem::find(body, b"-----END").map(|place| {
        let rest = slice(body, place + 8, place + 80);
        let close = rest
            .windows(5)
            .position(|mark| mark == b"-----")
            .map_or(0, |at| at + 5);
        place + 8 + close
    });
    let open = || {
        run(body, 0, body.len(), |byte| {
            byte.is_ascii_alphanumeric()
                || byte.is_ascii_whitespace()
                || matches!(byte, b'+' | b'/' | b'=' | b'\\' | b'"' | b',' | b'-' | b':')
        })
    };
    let length = marked.unwrap_or_else(open);
    page.add(
        Secrets,
        "PRIVATE_KEY",
        hit.start..hit.start + head_end + length,
        0.95,
    );
}

/// A JSON web token whose header decodes to JSON.
fn jwt(page: &mut Page<'_>, hit: &Range<usize>) {
    let bytes = page.bytes;
    if before(bytes, hit.start).is_some_and(is_word) || at(bytes, hit.start) != Some(b'e') {
        return;
    }
    let mut end = hit.start;
    let mut parts = Vec::new();
    while parts.len() < 5 {
        let length = run(bytes, end, JWT_BYTES_MAX, |byte| {
            is_name(byte) || byte == b'='
        });
        parts.push(end..end + length);
        end += length;
        if at(bytes, end) != Some(b'.') {
            break;
        }
        end += 1;
    }
    let [header, payload, ..] = parts.as_slice() else {
        return;
    };
    let header = slice(bytes, header.start, header.end);
    let is_token = base64_text(header).is_some_and(|text| {
        text.contains("\"alg\"") || text.contains("\"enc\"") || text.contains("\"typ\"")
    }) || slice(bytes, payload.start, payload.end).starts_with(b"eyJ");
    let last = parts
        .iter()
        .rfind(|part| !part.is_empty())
        .map_or(end, |part| part.end);
    if is_token && payload.len() >= 10 && header.len() >= 12 {
        page.add(Secrets, "JWT", hit.start..last, 0.9);
    }
}

fn bearer(page: &mut Page<'_>, hit: &Range<usize>) {
    let bytes = page.bytes;
    let length = run(bytes, hit.end, PLACE_BYTES_MAX, |byte| {
        byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'"' | b'\'' | b'`' | b'<' | b'>' | b',' | b';' | b'\\'
            )
    });
    let token = slice(bytes, hit.end, hit.end + length);
    let odd = count(token, |byte| !byte.is_ascii_alphabetic());
    if token.len() >= 16
        && odd > 0
        && entropy(token) > 2.5
        && !is_filler(token)
        && !is_reference(token)
    {
        page.add(Secrets, "BEARER_TOKEN", hit.end..hit.end + length, 0.85);
    }
}

/// `Basic` and base64 of user and password.
fn basic(page: &mut Page<'_>, hit: &Range<usize>) {
    let bytes = page.bytes;
    let length = run(bytes, hit.end, PLACE_BYTES_MAX, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
    });
    let token = slice(bytes, hit.end, hit.end + length);
    let pair = base64_text(token).filter(|_| length >= 8);
    if pair.is_some_and(|pair| pair.contains(':') && !is_word_of_forms(pair.as_bytes())) {
        page.add(Secrets, "BASIC_CREDENTIALS", hit.end..hit.end + length, 0.9);
    }
}

/// What a command, file or connection text calls by position. Each pattern's first group is the
/// secret.
struct Command {
    kind: &'static str,
    patterns: Vec<Regex>,
}

impl Command {
    fn new(kind: &'static str, patterns: &[&str]) -> Self {
        let patterns = patterns
            .iter()
            .filter_map(|text| Regex::new(text).ok())
            .collect();
        Self { kind, patterns }
    }
}

static CURL: LazyLock<Command> = LazyLock::new(|| {
    let patterns = [
        r#"(?s)\A.*?\s(?:-u|--user|--proxy-user|-U)[ =]*(?:"([^"\s]+:[^"\s]+)"|'([^'\s]+:[^'\s]+)'|("[^"\s]+":"[^"\s]+")|([^\s"'<]+:(?:'[^']+'|"[^"]+"|[^\s"'<]+)))"#,
        r#"(?is)\A.*?(?:-H|--header)[ =]*["']?(?:authorization|[a-z0-9-]*(?:token|key|secret|auth|apikey))\s*:\s*(?:(?:bearer|basic|token|apikey|api-token|key|bot|digest)\s+)?([^\s"'<]{8,})"#,
    ];
    Command::new("COMMAND_CREDENTIALS", &patterns)
});

static LOGIN: LazyLock<Command> = LazyLock::new(|| {
    let patterns = [
        r#"(?is)\A[^\n|;&]{0,400}?\s(?:-p|--password|/p)[ =]*(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"'<-][^\s"'<]{3,}))"#,
        r#"(?i)\Anet use \S+ \S+ /user:\S+ (\S+)|\Anet use \S+ /user:\S+ (\S+)"#,
    ];
    Command::new("COMMAND_CREDENTIALS", &patterns)
});

static NETRC: LazyLock<Command> = LazyLock::new(|| {
    Command::new(
        "NETRC_CREDENTIALS",
        &[
            r"(?i)\Amachine\s+\S+\s+login\s+\S+\s+password\s+(\S+)",
            r"(?i)\Amachine\s+\S+\s+password\s+(\S+)",
        ],
    )
});

static CONNECTION: LazyLock<Command> = LazyLock::new(|| {
    Command::new(
        "CONNECTION_SECRET",
        &[
            r"(?is)\A[^\n]{0,80}?;\s*Id=[^;\s]+;\s*Secret=([A-Za-z0-9+/=]{20,})",
            r"(?is)\Aaccountname=[^;]+;\s*AccountKey=([A-Za-z0-9+/]{20,}={0,2})",
        ],
    )
});

fn commands(page: &mut Page<'_>, hit: &Range<usize>, command: &Command) {
    let window = slice(page.bytes, hit.start, hit.start + PLACE_BYTES_MAX);
    for pattern in &command.patterns {
        let groups = pattern.captures(window);
        let Some(group) = groups.and_then(|groups| groups.iter().skip(1).flatten().next()) else {
            continue;
        };
        let value = group.as_bytes();
        let secret = value
            .rsplit(|byte| *byte == b':')
            .next()
            .unwrap_or_default();
        let named = value
            .iter()
            .position(|byte| *byte == b':')
            .map_or(value, |at| slice(value, at + 1, value.len()));
        let invented = is_reference(value)
            || is_reference(named)
            || is_filler(value)
            || is_word_of_forms(secret)
            || is_word_of_forms(value)
            || value.starts_with(b"$")
            || secret.starts_with(b"$");
        if !invented {
            page.add(
                Secrets,
                command.kind,
                hit.start + group.start()..hit.start + group.end(),
                0.75,
            );
        }
    }
}

/// The values under `data` of a Kubernetes secret.
fn kubernetes(page: &mut Page<'_>, hit: &Range<usize>) {
    static VALUES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)"?[\w.-]+"?:[ \t]*(?:[|>][^\n]*\n\s+)?["']?([A-Za-z0-9+/]{8,}={0,2})"#)
            .ok()
    });
    let bytes = page.bytes;
    let from = hit.start.saturating_sub(PLACE_BYTES_MAX);
    let window = slice(bytes, from, hit.end + PLACE_BYTES_MAX);
    let Some(data) = [&b"data:"[..], b"\"data\":"]
        .iter()
        .find_map(|mark| memchr::memmem::find(window, mark))
    else {
        return;
    };
    let Some(values) = VALUES.as_ref() else {
        return;
    };
    for found in values.captures_iter(slice(window, data + 5, window.len())) {
        let Some(value) = found.get(1) else { continue };
        let start = from + data + 5 + value.start();
        let decoded = base64_text(value.as_bytes());
        if decoded.is_some_and(|text| {
            text.len() > 4
                && (text.len() > 32 || !is_filler(text.as_bytes()))
                && !is_reference(text.as_bytes())
        }) {
            page.add(
                Secrets,
                "KUBERNETES_SECRET",
                start..start + value.len(),
                0.75,
            );
        }
    }
}
