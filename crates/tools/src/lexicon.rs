//! The words by which tools are rated: one line a word, sorted by what they are about.
//!
//! `refund` acts on money (0.90), but `list_refunds` only reads about it (0.45); `delete` is the
//! same wherever it stands. A word missing here makes a tool *unrecognisable*, hence high, unless
//! it claims to read: so the dangerous words matter most, and long ones are found inside others
//! too (`deletefile`).
//!
//! Must not know: annotations, or how words become a rating.

/// What a word is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Makes or changes something.
    Write,
    /// Reaches people or addresses outside.
    Send,
    /// Takes something away.
    Destroy,
    /// Runs whatever it is given.
    Execute,
    /// Moves money.
    Money,
    /// Changes who may do what.
    Access,
    /// Handles what opens doors.
    Secret,
}

impl Class {
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Write => "it changes something",
            Self::Send => "it reaches out",
            Self::Destroy => "it takes something away",
            Self::Execute => "it runs what it is given",
            Self::Money => "it is about money",
            Self::Access => "it is about access",
            Self::Secret => "it is about secrets",
        }
    }
}

/// One word and what it suggests, in hundredths of the full score.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) word: &'static str,
    pub(crate) class: Class,
    /// What it suggests.
    pub(crate) acting: u8,
    /// What it suggests in a tool whose name reads.
    pub(crate) reading: u8,
    /// Whether it says what is done, so that no name with it reads.
    pub(crate) always: bool,
}

/// A word that says what is done.
const fn act(word: &'static str, class: Class, score: u8) -> Word {
    Word {
        word,
        class,
        acting: score,
        reading: score,
        always: true,
    }
}

/// A word that may also just name a thing.
const fn thing(word: &'static str, class: Class, acting: u8, reading: u8) -> Word {
    Word {
        word,
        class,
        acting,
        reading,
        always: false,
    }
}

use Class::{Access, Destroy, Execute, Money, Secret, Send, Write};

/// Words in names and titles.
pub(crate) const NAMES: &[Word] = &[
    // Money.
    thing("billing", Money, 90, 45),
    thing("buy", Money, 90, 90),
    thing("charge", Money, 90, 45),
    thing("checkout", Money, 85, 45),
    thing("credit", Money, 85, 45),
    thing("debit", Money, 90, 45),
    act("disburse", Money, 90),
    thing("donate", Money, 90, 90),
    thing("invoice", Money, 80, 40),
    act("pay", Money, 90),
    thing("payment", Money, 90, 45),
    thing("payout", Money, 90, 45),
    thing("payroll", Money, 90, 45),
    thing("purchase", Money, 90, 45),
    thing("refund", Money, 90, 45),
    thing("reimburse", Money, 90, 90),
    act("sell", Money, 90),
    thing("trade", Money, 90, 45),
    thing("transfer", Money, 90, 45),
    thing("wire", Money, 90, 45),
    act("withdraw", Money, 90),
    thing("withdrawal", Money, 90, 45),
    // Access.
    thing("access", Access, 80, 40),
    thing("acl", Access, 85, 40),
    act("allow", Access, 80),
    act("authorize", Access, 85),
    act("ban", Access, 80),
    act("block", Access, 65),
    thing("collaborator", Access, 80, 30),
    act("elevate", Access, 90),
    thing("grant", Access, 90, 40),
    thing("iam", Access, 90, 40),
    act("impersonate", Access, 95),
    act("invite", Access, 80),
    thing("permission", Access, 90, 40),
    thing("privilege", Access, 90, 40),
    thing("role", Access, 80, 30),
    thing("share", Access, 80, 40),
    act("sudo", Access, 95),
    thing("webhook", Access, 80, 40),
    // Secrets.
    thing("apikey", Secret, 90, 65),
    thing("credential", Secret, 90, 65),
    thing("env", Secret, 65, 60),
    thing("keychain", Secret, 90, 70),
    thing("password", Secret, 90, 70),
    thing("secret", Secret, 90, 65),
    thing("token", Secret, 90, 60),
    thing("vault", Secret, 90, 65),
    // Running things.
    act("bash", Execute, 95),
    act("cmd", Execute, 90),
    thing("command", Execute, 90, 40),
    act("eval", Execute, 90),
    act("evaluate", Execute, 80),
    act("exec", Execute, 95),
    act("execute", Execute, 90),
    act("invoke", Execute, 65),
    act("powershell", Execute, 95),
    thing("run", Execute, 65, 20),
    thing("script", Execute, 80, 45),
    act("shell", Execute, 95),
    act("spawn", Execute, 85),
    thing("sql", Execute, 70, 60),
    act("ssh", Execute, 95),
    thing("terminal", Execute, 90, 65),
    // Taking away.
    thing("archive", Destroy, 60, 20),
    act("cancel", Destroy, 60),
    act("clear", Destroy, 65),
    act("deactivate", Destroy, 65),
    act("del", Destroy, 70),
    act("delete", Destroy, 70),
    act("destroy", Destroy, 75),
    act("disable", Destroy, 65),
    act("discard", Destroy, 65),
    act("drop", Destroy, 75),
    act("erase", Destroy, 75),
    act("evict", Destroy, 65),
    act("force", Destroy, 65),
    act("kill", Destroy, 70),
    act("overwrite", Destroy, 65),
    act("prune", Destroy, 65),
    act("purge", Destroy, 75),
    act("reboot", Destroy, 70),
    act("remove", Destroy, 70),
    act("replace", Destroy, 55),
    act("reset", Destroy, 65),
    act("restart", Destroy, 60),
    act("revert", Destroy, 60),
    act("revoke", Destroy, 75),
    act("rm", Destroy, 75),
    act("rollback", Destroy, 65),
    act("rotate", Destroy, 65),
    act("shutdown", Destroy, 75),
    thing("stop", Destroy, 60, 20),
    act("suspend", Destroy, 65),
    act("terminate", Destroy, 75),
    act("truncate", Destroy, 75),
    act("uninstall", Destroy, 70),
    act("unpublish", Destroy, 65),
    act("wipe", Destroy, 80),
    // Reaching out.
    act("broadcast", Send, 55),
    thing("deploy", Send, 65, 20),
    act("dispatch", Send, 50),
    thing("email", Send, 50, 15),
    act("forward", Send, 50),
    act("notify", Send, 45),
    thing("post", Send, 45, 15),
    act("publish", Send, 55),
    act("reply", Send, 45),
    act("send", Send, 50),
    thing("submit", Send, 45, 15),
    act("tweet", Send, 50),
    // Making and changing.
    act("add", Write, 40),
    act("append", Write, 40),
    act("apply", Write, 45),
    act("approve", Write, 65),
    act("assign", Write, 40),
    act("attach", Write, 40),
    thing("book", Write, 45, 15),
    thing("change", Write, 45, 15),
    act("close", Write, 45),
    thing("comment", Write, 40, 15),
    thing("commit", Write, 45, 15),
    act("configure", Write, 50),
    act("connect", Write, 45),
    thing("copy", Write, 40, 15),
    act("create", Write, 40),
    act("edit", Write, 45),
    act("enable", Write, 50),
    act("generate", Write, 35),
    thing("import", Write, 45, 15),
    act("insert", Write, 40),
    act("install", Write, 60),
    thing("make", Write, 40, 15),
    thing("mark", Write, 35, 15),
    thing("merge", Write, 50, 15),
    act("modify", Write, 45),
    act("move", Write, 45),
    act("mv", Write, 45),
    thing("open", Write, 40, 15),
    thing("order", Write, 60, 20),
    thing("patch", Write, 45, 15),
    thing("push", Write, 50, 15),
    act("put", Write, 45),
    act("register", Write, 45),
    act("rename", Write, 45),
    act("reopen", Write, 40),
    act("resolve", Write, 40),
    act("save", Write, 40),
    thing("schedule", Write, 45, 15),
    thing("set", Write, 45, 15),
    thing("start", Write, 50, 15),
    thing("store", Write, 40, 15),
    act("sync", Write, 45),
    act("toggle", Write, 45),
    thing("trigger", Write, 50, 15),
    thing("update", Write, 45, 20),
    thing("upload", Write, 45, 15),
    act("upsert", Write, 45),
    act("write", Write, 45),
];

/// Words in the paths of HTTP APIs that make even a look more than a harmless one.
pub(crate) const PATHS: &[Word] = &[
    thing("admin", Access, 80, 40),
    thing("backup", Secret, 60, 40),
    thing("certificate", Secret, 65, 40),
    thing("cookie", Secret, 65, 40),
    thing("dump", Secret, 65, 45),
    thing("export", Secret, 55, 40),
    thing("graphql", Execute, 70, 60),
    thing("key", Secret, 80, 40),
    act("login", Access, 60),
    act("logout", Access, 60),
    thing("otp", Secret, 65, 45),
    thing("passphrase", Secret, 90, 65),
    thing("pii", Secret, 65, 50),
    thing("private", Secret, 60, 40),
    thing("session", Secret, 60, 35),
    thing("ssn", Secret, 70, 60),
];

/// Words in the names of arguments.
pub(crate) const FIELDS: &[Word] = &[
    thing("acl", Access, 80, 40),
    thing("amount", Money, 90, 45),
    thing("apikey", Secret, 70, 65),
    thing("bash", Execute, 95, 80),
    thing("cmd", Execute, 90, 70),
    thing("code", Execute, 50, 15),
    thing("command", Execute, 90, 70),
    thing("credential", Secret, 70, 65),
    thing("currency", Money, 65, 15),
    thing("grantee", Access, 85, 40),
    thing("iban", Money, 90, 45),
    thing("overwrite", Destroy, 60, 60),
    thing("password", Secret, 70, 65),
    thing("payee", Money, 90, 45),
    thing("permission", Access, 80, 35),
    thing("price", Money, 65, 15),
    thing("script", Execute, 80, 70),
    thing("secret", Secret, 70, 65),
    thing("shell", Execute, 90, 70),
    thing("sql", Execute, 70, 60),
    thing("token", Secret, 65, 60),
    thing("url", Send, 40, 35),
];

const WRITES_FILE: Word = thing("path and content", Write, 50, 50);
const SENDS_MESSAGE: Word = thing("recipient and text", Send, 50, 50);

/// Arguments that mean something only together.
pub(crate) const PAIRS: &[(&[&str], &[&str], Word)] = &[
    (
        &["path", "file", "filename"],
        &["content", "contents"],
        WRITES_FILE,
    ),
    (
        &["to", "recipient", "recipients"],
        &["body", "message", "text"],
        SENDS_MESSAGE,
    ),
];

/// Words of names that only look.
const READING: &[&str] = &[
    "browse",
    "calculate",
    "check",
    "compare",
    "compute",
    "convert",
    "count",
    "describe",
    "diff",
    "download",
    "echo",
    "estimate",
    "examine",
    "explain",
    "fetch",
    "filter",
    "find",
    "get",
    "glob",
    "grep",
    "head",
    "help",
    "history",
    "info",
    "inspect",
    "list",
    "load",
    "lookup",
    "ls",
    "outline",
    "peek",
    "ping",
    "preview",
    "query",
    "read",
    "retrieve",
    "search",
    "select",
    "show",
    "stat",
    "status",
    "summarize",
    "tail",
    "tree",
    "validate",
    "version",
    "view",
    "watch",
    "whoami",
];

/// Words that join two deeds in one name, so that the first does not speak for the second.
const JOINTS: &[&str] = &["and", "or", "then"];

/// Words beside `token` that make it a place in a list or a count, and no secret.
const HARMLESS: &[&str] = &[
    "batch",
    "continuation",
    "cursor",
    "max",
    "min",
    "next",
    "page",
    "sync",
];

pub(crate) fn is_reading(word: &str) -> bool {
    READING.contains(&word) || READING.contains(&singular(word))
}

pub(crate) fn is_joint(word: &str) -> bool {
    JOINTS.contains(&word)
}

/// Whether an argument such as `page_token` or `max_tokens` is no secret.
pub(crate) fn is_harmless(field: &[String]) -> bool {
    let token = |word: &String| singular(word) == "token";
    let place = |word: &String| HARMLESS.contains(&word.as_str());
    field.iter().any(token) && field.iter().any(place)
}

/// The lines of `table` that `word` fits: equal, its plural, or a long dangerous one inside it.
pub(crate) fn matches<'w>(
    table: &'static [Word],
    word: &'w str,
) -> impl Iterator<Item = &'static Word> + 'w {
    table
        .iter()
        .filter(move |line| line.word == word || line.word == singular(word) || hides(word, line))
}

/// LIMIT: shorter words stand inside too many harmless ones (`paper`, `spawned`).
const HIDDEN_BYTES_MIN: usize = 6;

/// Words that a dangerous one stands inside of by accident: a `description` is no script.
const INNOCENT: &[&str] = &["descript", "prescript", "subscript", "transcript"];

fn hides(word: &str, line: &Word) -> bool {
    let hidden = || match INNOCENT.iter().find(|innocent| word.contains(*innocent)) {
        Some(innocent) => word.replace(innocent, " ").contains(line.word),
        None => word.contains(line.word),
    };
    line.word.len() >= HIDDEN_BYTES_MIN && line.acting >= 70 && hidden()
}

fn singular(word: &str) -> &str {
    let stem = word.strip_suffix('s').unwrap_or(word);
    if stem.len() < 3 { word } else { stem }
}

/// The words of a name in any style: `listOpenIssues`, `list-open-issues`, `HTTPGet2`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    let chars: Vec<char> = name.chars().collect();
    for (place, c) in chars.iter().copied().enumerate() {
        let after = chars.get(place + 1).copied().unwrap_or(' ');
        let humps = before.is_lowercase() && c.is_uppercase()
            || before.is_uppercase() && c.is_uppercase() && after.is_lowercase();
        if humps || !c.is_alphabetic() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphabetic(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    // After the first word: what a name begins and ends with is read too.
    let joined = joined_pairs(&words);
    let place = words.len().min(1);
    words.splice(place..place, joined);
    words
}

/// Two words that are one in the tables: `api_key`, `pay_out`, `check-out`.
fn joined_pairs(words: &[String]) -> Vec<String> {
    words
        .windows(2)
        .filter_map(|pair| match pair {
            [left, right] => Some(format!("{left}{right}")),
            _ => None,
        })
        .filter(|both| NAMES.iter().chain(FIELDS).any(|line| line.word == both))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{FIELDS, NAMES, PATHS, is_reading, words};

    #[test]
    fn words_are_found_in_any_style() {
        let check = |name: &str, expected: &[&str]| assert_eq!(words(name), expected, "{name}");
        check("listOpenIssues", &["list", "open", "issues"]);
        check("list-open_issues.v2", &["list", "open", "issues", "v"]);
        check("HTTPGetURL", &["http", "get", "url"]);
        check("create_api_key", &["create", "apikey", "api", "key"]);
        check("__", &[]);
        check("löscheAlles", &["lösche", "alles"]);
    }

    #[test]
    fn no_word_both_reads_and_does() {
        for line in NAMES.iter().filter(|line| line.always) {
            assert!(!is_reading(line.word), "{}", line.word);
        }
    }

    #[test]
    fn scores_are_scores_and_reading_never_raises() {
        for line in NAMES.iter().chain(PATHS).chain(FIELDS) {
            assert!(
                line.acting <= 100 && line.reading <= line.acting,
                "{}",
                line.word
            );
        }
    }

    #[test]
    fn each_word_stands_once() {
        for table in [NAMES, PATHS, FIELDS] {
            let mut seen = std::collections::BTreeSet::new();
            assert!(table.iter().all(|line| seen.insert(line.word)));
        }
    }
}
