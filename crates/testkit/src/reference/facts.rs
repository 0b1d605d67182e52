//! What a name stands for in one call (2-decision, 1): a value, something that is missing, or
//! something that this tool cannot have.
//!
//! `amount` of a refund without one is missing; of a tool that lists other arguments it cannot be.
//!
//! Must not know: expressions, rules.

use jiff::tz::TimeZone;
use serde_json::Value;
use toolgate_detect::Detector;
use toolgate_model::searchable;

use super::history::Past;
use super::language::Term;
use super::number::Number;

/// What a name or a term came to.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Is(Val),
    /// Missing, null, of another type, or nobody can say.
    Unknown,
    /// The rule is about another tool.
    Cannot,
}

#[derive(Clone, Debug)]
pub(super) enum Val {
    Number(Number),
    Text(String),
    Bool(bool),
    /// How high a risk is, from `low` on.
    Risk(usize),
    /// Milliseconds.
    Span(i64),
    /// A list or a set of texts.
    Texts(Vec<String>),
    /// Every text of the arguments, in searchable form.
    Body(Vec<String>),
    Json(Value),
}

pub(super) const RISKS: [&str; 4] = ["low", "medium", "high", "critical"];

pub(super) const PLACES: [&str; 12] = [
    "org",
    "repo",
    "branch",
    "channel",
    "path",
    "host",
    "recipient",
    "region",
    "account",
    "principal",
    "url",
    "tags",
];

/// One call, one tool, and the names that `any` and `all` bind.
#[derive(Clone)]
pub(super) struct Sight<'s> {
    pub(super) call: &'s Value,
    pub(super) tool: Option<&'s Value>,
    pub(super) zone: TimeZone,
    pub(super) items: Vec<(String, Value)>,
}

impl<'s> Sight<'s> {
    pub(super) fn new(call: &'s Value, tools: &'s [Value]) -> Self {
        let id = call.get("tool");
        Self {
            call,
            tool: tools.iter().find(|tool| tool.get("id") == id),
            zone: TimeZone::UTC,
            items: Vec::new(),
        }
    }

    pub(super) const fn past(&self) -> Past<'s> {
        Past::of(self.call)
    }

    fn own(&self, key: &str) -> Found {
        self.call.get(key).map_or(Found::Unknown, value)
    }

    fn always(&self, key: &str, other: &str) -> Found {
        let text = self.call.get(key).and_then(Value::as_str);
        Found::Is(Val::Text(text.unwrap_or(other).to_owned()))
    }

    pub(super) fn tool_name(&self) -> (&'s str, &'s str) {
        let full = self
            .call
            .get("tool")
            .and_then(Value::as_str)
            .unwrap_or_default();
        full.split_once('.').unwrap_or((full, ""))
    }

    /// What the name stands for; `mapped` terms are left to the caller.
    pub(super) fn find(&self, name: &str) -> Found {
        let (head, rest) = name.split_once(['.', '[']).unwrap_or((name, ""));
        if let Some((_, item)) = self.items.iter().rev().find(|(known, _)| known == head) {
            let rest = name.get(head.len()..).unwrap_or_default();
            return walk(item, None, &segments(rest));
        }
        match name {
            "agent" | "agent_id" => self.always("agent", "bot"),
            "role" => self.always("role", "agent"),
            "tenant" => self.always("tenant", "default"),
            "project" | "env" | "workflow" | "runtime" => self.own(name),
            "tool" => self.own("tool"),
            "tool_name" => Found::Is(Val::Text(self.tool_name().0.to_owned())),
            "operation" => Found::Is(Val::Text(self.tool_name().1.to_owned())),
            "category" | "method" | "verb" | "risk" => self.descriptor(name),
            "allow_duplicate" => {
                Found::Is(Val::Bool(self.call.get(name) == Some(&Value::Bool(true))))
            }
            "resource" | "resource.type" | "resource.id" => self.resource(name),
            "body" => self.body(),
            "data_class" => {
                self.scanned(|scan| scan.classes().iter().map(ToString::to_string).collect())
            }
            "signals" => {
                self.scanned(|scan| scan.signals.iter().map(|s| s.kind.to_owned()).collect())
            }
            "new_resource" => match self.resource("resource") {
                Found::Cannot => Found::Cannot,
                _ => self
                    .past()
                    .is_new_resource()
                    .map_or(Found::Unknown, bool_of),
            },
            "volume_burst" => self.past().is_burst().map_or(Found::Unknown, bool_of),
            "is_external_principal" => self.is_external(|name| self.name(name)),
            "user" | "user.id" => self.inside("user", "id"),
            "user.groups" => self.inside("user", "groups"),
            "trigger.source" | "trigger.id" => self.inside("trigger", rest),
            "trigger.confirmed" => self.confirmed(),
            "chain.depth" => Found::Is(Val::Number(Number::of(self.chain().len() as i64))),
            "chain.root" => self
                .chain()
                .first()
                .map_or_else(|| self.find("agent"), value),
            "chain" => Found::Is(Val::Json(Value::Array(self.chain().to_vec()))),
            "args" => self.own("args"),
            _ => self.by_head(name, head, rest),
        }
    }

    fn by_head(&self, name: &str, head: &str, rest: &str) -> Found {
        match head {
            "time" => self.time(rest),
            "session" => self.session(rest),
            "entity" => self.entity(rest),
            "approval" => self.approval(rest),
            "result" => match self.call.get("result") {
                Some(result) => walk(result, None, &segments(rest)),
                None => Found::Unknown,
            },
            "args" => self.argument(rest),
            _ if PLACES.contains(&name) || ["amount", "currency"].contains(&name) => {
                self.place(name)
            }
            _ => self.argument(name),
        }
    }

    pub(super) fn argument(&self, path: &str) -> Found {
        let nothing = Value::Null;
        let args = self.call.get("args").unwrap_or(&nothing);
        let schema = self.tool.and_then(|tool| tool.get("input_schema"));
        walk(args, schema, &segments(path))
    }

    /// What a normaliser recognised goes before an argument of that name.
    pub(super) fn place(&self, name: &str) -> Found {
        match self.call.get("places").and_then(|places| places.get(name)) {
            Some(place) => value(place),
            None => self.argument(name),
        }
    }

    fn descriptor(&self, name: &str) -> Found {
        match (self.tool, name) {
            (None, _) => Found::Unknown,
            (Some(tool), "risk") => {
                let band = tool.get("risk").and_then(Value::as_str).unwrap_or("low");
                let place = RISKS.iter().position(|risk| *risk == band);
                place.map_or(Found::Unknown, |place| Found::Is(Val::Risk(place)))
            }
            (Some(tool), "verb") => {
                let verb = tool.get("verb").and_then(Value::as_str).unwrap_or("WRITE");
                Found::Is(Val::Text(verb.to_owned()))
            }
            (Some(tool), _) => tool.get(name).map_or(Found::Cannot, value),
        }
    }

    /// Only what the gate derived counts; what is merely claimed proves nothing.
    fn resource(&self, name: &str) -> Found {
        if self.tool.is_some_and(|tool| tool.get("resource").is_none()) {
            return Found::Cannot;
        }
        let Some(full) = self.call.get("resource").and_then(Value::as_str) else {
            return Found::Unknown;
        };
        let (kind, id) = full.split_once(':').unwrap_or(("", full));
        Found::Is(Val::Text(match name {
            "resource.type" => kind.to_owned(),
            "resource.id" => id.to_owned(),
            _ => full.to_owned(),
        }))
    }

    /// What texts are judged: the answer on a result rule, else the arguments.
    fn judged(&self) -> &'s Value {
        let judged = self.call.get("result").or_else(|| self.call.get("args"));
        judged.unwrap_or(&Value::Null)
    }

    pub(super) fn body(&self) -> Found {
        let mut texts = Vec::new();
        gather(self.judged(), &mut texts);
        Found::Is(Val::Body(texts))
    }

    fn scanned(&self, take: fn(&toolgate_detect::Scan) -> Vec<String>) -> Found {
        match Detector::builtin().scan(self.judged()) {
            Ok(scan) => Found::Is(Val::Texts(take(&scan))),
            Err(_) => Found::Unknown,
        }
    }

    fn inside(&self, object: &str, key: &str) -> Found {
        let found = self.call.get(object).and_then(|object| object.get(key));
        found.map_or(Found::Unknown, value)
    }

    fn confirmed(&self) -> Found {
        let named = self.call.get("trigger").is_some_and(Value::is_object);
        match self.call.get("trigger_confirmed").and_then(Value::as_bool) {
            Some(confirmed) if named => bool_of(confirmed),
            None if named => bool_of(false),
            _ => Found::Unknown,
        }
    }

    fn chain(&self) -> &'s [Value] {
        self.call
            .get("chain")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    fn entity(&self, path: &str) -> Found {
        if self.tool.is_some_and(|tool| tool.get("looks_up").is_none()) {
            return Found::Cannot;
        }
        match self.call.get("entity") {
            Some(entity) => walk(entity, None, &segments(path)),
            None => Found::Unknown,
        }
    }

    fn approval(&self, key: &str) -> Found {
        self.inside("approval", key)
    }

    fn session(&self, name: &str) -> Found {
        let past = self.past();
        if !past.is_known() {
            return Found::Unknown;
        }
        let count = |count: usize| Found::Is(Val::Number(Number::of(count as i64)));
        match name {
            "calls" => count(past.session_calls()),
            "denials" => count(past.session_denials()),
            "external_content" => bool_of(past.session_external()),
            _ => Found::Is(Val::Texts(past.session_set(name).into_iter().collect())),
        }
    }

    fn now(&self) -> Option<jiff::Zoned> {
        let now = self.call.get("now").and_then(Value::as_str)?;
        Some(
            now.parse::<jiff::Timestamp>()
                .ok()?
                .to_zoned(self.zone.clone()),
        )
    }

    fn time(&self, name: &str) -> Found {
        let Some(now) = self.now() else {
            return Found::Unknown;
        };
        match name {
            "hour" => Found::Is(Val::Number(Number::of(now.hour().into()))),
            "date" => Found::Is(Val::Text(now.date().to_string())),
            "weekday" => Found::Is(Val::Text(now.strftime("%A").to_string())),
            _ => Found::Unknown,
        }
    }

    /// Minutes since midnight, and the day of the week counted from Monday.
    pub(super) fn clock(&self, zone: Option<&TimeZone>) -> Option<(i64, usize)> {
        let now = self.now()?;
        let now = zone.map_or(now.clone(), |zone| now.with_time_zone(zone.clone()));
        let day = usize::try_from(now.weekday().to_monday_zero_offset()).ok()?;
        Some((i64::from(now.hour()) * 60 + i64::from(now.minute()), day))
    }

    /// Whether a recipient or the host is outside the tenant's own domains. Of a raw request only what
    /// its normaliser recognised counts, and there a recipient goes before the host.
    pub(super) fn is_external(&self, read: impl Fn(&str) -> Found) -> Found {
        let places = self.call.get("places").and_then(Value::as_object);
        if let Some(said) = places.and_then(|places| places.get("external")) {
            return value(said);
        }
        let read = |name: &str| match places.map(|places| places.get(name)) {
            Some(recognised) => recognised.map_or(Found::Cannot, value),
            None => read(name),
        };
        match (read("recipient"), read("host")) {
            (Found::Is(whom), _) if places.is_some() => self.outside(&whom, ".@"),
            (Found::Is(whom), host) => match (self.outside(&whom, ".@"), host) {
                (Found::Is(Val::Bool(true)), _) => bool_of(true),
                (whom, Found::Is(host)) => match self.outside(&host, "") {
                    Found::Is(Val::Bool(false)) => whom,
                    host => host,
                },
                (_, Found::Unknown) if self.exists(&Term::Name("host".to_owned())) => {
                    Found::Unknown
                }
                (whom, _) => whom,
            },
            (Found::Cannot, Found::Is(host)) => self.outside(&host, ""),
            (Found::Cannot, other) => other,
            (Found::Unknown, Found::Is(host)) => match self.outside(&host, "") {
                Found::Is(Val::Bool(true)) => Found::Is(Val::Bool(true)),
                _ => Found::Unknown,
            },
            (Found::Unknown, _) => Found::Unknown,
        }
    }

    /// What has none of these characters is the name of something else.
    fn outside(&self, whom: &Val, marks: &str) -> Found {
        let whom: Vec<Option<&str>> = match whom {
            Val::Text(text) => vec![Some(text)],
            Val::Json(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
            _ => return Found::Unknown,
        };
        let own = self.call.get("own_domains").and_then(Value::as_array);
        let own: Vec<&str> = own
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let one = |one: &Option<&str>| {
            let named = one.filter(|one| marks.is_empty() || one.contains(|c| marks.contains(c)));
            outside(named?, &own, !marks.is_empty())
        };
        let each: Vec<Option<bool>> = whom.iter().map(one).collect();
        match (
            each.contains(&Some(true)),
            each.contains(&None) || each.is_empty(),
        ) {
            (true, _) => bool_of(true),
            (false, true) => Found::Unknown,
            (false, false) => bool_of(false),
        }
    }
}

/// Whether the address or host is outside; nothing where that cannot be said.
fn outside(whom: &str, own: &[&str], of_people: bool) -> Option<bool> {
    let address = of_people && whom.contains('@') && !whom.contains("://");
    let domain = match address {
        true => domain(whom)?,
        false => plain("host", whom)?,
    };
    let within = |own: &&str| domain == *own || domain.ends_with(&format!(".{own}"));
    (!own.is_empty()).then(|| !own.iter().any(within))
}

/// The one form in which a place is compared; nothing where readers would differ about it.
pub(super) fn plain(place: &str, text: &str) -> Option<String> {
    let normal = searchable(text) == text.to_lowercase();
    match place {
        "host" if text.contains("://") => host(text),
        "host" => {
            let text = match text.rsplit_once(':') {
                Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
                _ => text,
            };
            let named = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
            let last = text.rsplit('.').next().unwrap_or_default();
            let number = last.chars().all(|c| c.is_ascii_digit());
            (!number && text.chars().all(named)).then(|| text.to_ascii_lowercase())
        }
        "recipient" if text.contains('@') => {
            let (name, _) = text.split_once('@')?;
            domain(text).map(|domain| format!("{name}@{domain}"))
        }
        "path" => (normal && !text.contains("/../")).then(|| text.to_owned()),
        "url" => match text.split_once("://") {
            Some((_, rest)) if !rest.contains('/') => Some(format!("{text}/")),
            _ => Some(text.to_owned()),
        },
        "recipient" => normal.then(|| text.to_owned()),
        _ => Some(text.to_owned()),
    }
}

/// The domain of exactly one plain address.
pub(super) fn domain(text: &str) -> Option<String> {
    let (name, domain) = text.split_once('@')?;
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
    };
    let dotted = domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    (plain(name) && plain(domain) && dotted).then(|| domain.to_ascii_lowercase())
}

/// The host of a plain `http` or `https` URL.
pub(super) fn host(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let place = rest.split(['/', '?', '#']).next()?;
    let host = place.split_once('@').map_or(place, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let plain = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    plain.then(|| host.to_ascii_lowercase())
}

fn bool_of(bool: bool) -> Found {
    Found::Is(Val::Bool(bool))
}

pub(super) fn value(json: &Value) -> Found {
    Found::Is(match json {
        Value::Null => return Found::Unknown,
        Value::Bool(bool) => Val::Bool(*bool),
        Value::String(text) => Val::Text(text.clone()),
        Value::Number(number) => match Number::read(number.as_str()) {
            Some(number) => Val::Number(number),
            // It is there, and compares with nothing.
            None => Val::Json(json.clone()),
        },
        Value::Array(_) | Value::Object(_) => Val::Json(json.clone()),
    })
}

/// Every text in the value, keys left out.
fn gather(json: &Value, texts: &mut Vec<String>) {
    match json {
        Value::String(text) => texts.push(searchable(text)),
        Value::Array(items) => items.iter().for_each(|item| gather(item, texts)),
        Value::Object(members) => members.values().for_each(|member| gather(member, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn segments(path: &str) -> Vec<&str> {
    let parts = path.split(['.', '[', ']']);
    parts.filter(|part| !part.is_empty()).collect()
}

/// Follows the path; where it ends too early the schema says whether it could have gone on.
fn walk(from: &Value, schema: Option<&Value>, path: &[&str]) -> Found {
    let Some((first, rest)) = path.split_first() else {
        return value(from);
    };
    match from {
        Value::Object(members) => match members.get(*first) {
            Some(member) => walk(member, below(schema, first), rest),
            None if could(schema, path) => Found::Unknown,
            None => Found::Cannot,
        },
        Value::Array(items) => {
            let item = first.parse::<usize>().ok().and_then(|at| items.get(at));
            item.map_or(Found::Unknown, |item| walk(item, None, rest))
        }
        _ => Found::Unknown,
    }
}

fn below<'s>(schema: Option<&'s Value>, name: &str) -> Option<&'s Value> {
    schema?.get("properties")?.get(name)
}

/// Whether the schema declares the path or leaves room for it.
fn could(schema: Option<&Value>, path: &[&str]) -> bool {
    let (Some(schema), Some((first, rest))) = (schema, path.split_first()) else {
        return true;
    };
    let Some(members) = schema.as_object() else {
        return true;
    };
    if let Some(declared) = below(Some(schema), first) {
        return could(Some(declared), rest);
    }
    match members.get("additionalProperties") {
        Some(more) => *more != Value::Bool(false),
        None => !members.contains_key("properties"),
    }
}
