//! Tools: their names, their descriptors, and the catalogue that holds them.
//!
//! A descriptor says what one callable operation is: schema, risk, verb, resource, effect,
//! timeout, lifecycle, version. Its digest pins all of that, so that what was approved can be
//! compared with what would run.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::{
    Authors, Checks, Digest, Duration, Effect, Offer, Recovery, Risk, RiskScore, Runner, Stance,
    Timestamp, Verb, json, resolves_to_itself,
};

/// A tool's full name, `{source}.{operation}`: `stripe.refund`, `tickets.comment.create`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolId {
    full: Arc<str>,
    dot: usize,
}

/// The text is not `{source}.{operation}`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a tool: `source.operation` of letters, digits and `_ - . /`, at most 256 bytes"
)]
pub struct ToolIdError(String);

impl ToolId {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The part before the first dot: which source it comes from.
    pub fn source(&self) -> &str {
        self.full.get(..self.dot).unwrap_or_default()
    }

    /// The part after the first dot.
    pub fn operation(&self) -> &str {
        self.full.get(self.dot + 1..).unwrap_or_default()
    }
}

impl FromStr for ToolId {
    type Err = ToolIdError;

    fn from_str(text: &str) -> Result<Self, ToolIdError> {
        let bad = || ToolIdError(text.chars().take(80).collect());
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
        let dot = text.find('.').filter(|dot| *dot > 0).ok_or_else(bad)?;
        if text.len() > 256 || dot + 1 == text.len() || !text.bytes().all(plain) {
            return Err(bad());
        }
        Ok(Self {
            full: text.into(),
            dot,
        })
    }
}

impl fmt::Display for ToolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for ToolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl Serialize for ToolId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.full)
    }
}

impl<'de> Deserialize<'de> for ToolId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Whether a tool may be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// Known, not callable yet.
    Declared,
    /// Callable.
    #[default]
    Active,
    /// Callable; whoever reads the list is told to move on.
    Deprecated,
    /// Not callable.
    Disabled,
}

impl Lifecycle {
    /// Whether a call may pass step 2 of the gate.
    pub const fn is_callable(self) -> bool {
        matches!(self, Self::Active | Self::Deprecated)
    }
}

/// The thing a call is about, `type:id`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// The whole, `customer:cust_123`.
    pub name: String,
    /// Whether the gate made it from judged arguments; a merely claimed one satisfies no
    /// resource grant but `*` (2-decision, 1).
    pub derived: bool,
}

impl Resource {
    /// The part before the first colon.
    pub fn kind(&self) -> &str {
        self.name.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// The part after the first colon.
    pub fn id(&self) -> &str {
        self.name
            .split_once(':')
            .map_or(self.name.as_str(), |(_, id)| id)
    }
}

/// How a resource is made from arguments: `customer:{args.customer}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceTemplate(String);

impl ResourceTemplate {
    /// The template that `text` writes: text with `{args.path}` in it.
    ///
    /// # Errors
    /// A message where a brace does not close or names something other than `args.…`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let tail = rest.get(open..).unwrap_or_default();
            let Some(close) = tail.find('}').filter(|_| tail.starts_with('{')) else {
                return Err(format!("the braces of `{text}` do not pair"));
            };
            let inner = tail.get(1..close).unwrap_or_default();
            if inner.strip_prefix("args.").is_none_or(str::is_empty) {
                return Err(format!("`{{{inner}}}` in `{text}` is not `{{args.name}}`"));
            }
            rest = tail.get(close + 1..).unwrap_or_default();
        }
        Ok(Self(text.to_owned()))
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The resource that these arguments name; `None` where one is missing or no plain value. One that
    /// readers could resolve to another is merely claimed: it proves nothing.
    pub fn fill(&self, args: &Value) -> Option<Resource> {
        let mut name = String::new();
        let mut rest = self.0.as_str();
        while let Some((text, tail)) = rest.split_once('{') {
            let (path, after) = tail.split_once('}')?;
            name.push_str(text);
            match json::at(args, path.strip_prefix("args.")?)? {
                Value::String(part) => name.push_str(part),
                Value::Number(part) => name.push_str(part.as_str()),
                Value::Bool(part) => name.push_str(if *part { "true" } else { "false" }),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            }
            rest = after;
        }
        name.push_str(rest);
        Some(Resource {
            derived: resolves_to_itself(&name),
            name,
        })
    }
}

/// Everything the gate knows of one tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Descriptor {
    /// Its full name.
    pub id: ToolId,
    /// Its version; `1.0.0` where the source gives none.
    pub version: String,
    /// The name that MCP clients see, `{source}__{tool}`.
    pub wire_name: String,
    /// The definition exactly as its source gave it (for MCP: the tool object of `tools/list`).
    pub definition: Value,
    /// JSON Schema of the arguments. `Null` where the source gives none.
    pub input_schema: Value,
    /// A tag such as `issues`.
    pub category: Option<String>,
    /// The HTTP method, where there is one.
    pub method: Option<String>,
    /// What it does to its resource.
    pub verb: Verb,
    /// How much harm one call can do.
    pub risk: Risk,
    /// The finer rating.
    pub risk_score: RiskScore,
    /// Why it is rated so, for people.
    pub risk_reason: String,
    /// How the resource is made from the arguments.
    pub resource: Option<ResourceTemplate>,
    /// Whether a call may leave a trace.
    pub effect: Effect,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Whether it may be called.
    pub lifecycle: Lifecycle,
    /// Well-known attributes made from arguments: name to expression text.
    pub attributes: BTreeMap<String, String>,
    /// What is verified before it runs and looked for after its answer was lost.
    pub checks: Checks,
    /// Who can write what it returns.
    pub authors: Authors,
    /// The name that grants of actions know it by, `{provider}:{action}`: a plugin's tools have one.
    pub action: Option<String>,
    /// The other name that grants, scopes and rules know it by, `{source}.{method}.{path…}`: tools
    /// of HTTP APIs have one, so that `api.get.*` means the same for every API.
    pub route: Option<ToolId>,
    /// What a granted call of it gets when no rule speaks; none: what its risk gets.
    pub posture: Option<Stance>,
    /// Who runs it.
    pub runner: Runner,
}

/// The names that one tool is known by: a pattern that fits one of them fits the tool.
#[derive(Clone, Copy, Debug)]
pub struct ToolNames<'t> {
    /// Its full name.
    pub id: &'t ToolId,
    /// What else it is known by. Its source is that of the id.
    pub route: Option<&'t ToolId>,
}

impl<'t> ToolNames<'t> {
    /// All of them, the id first.
    pub fn iter(self) -> impl Iterator<Item = &'t ToolId> {
        std::iter::once(self.id).chain(self.route)
    }
}

impl<'t> From<&'t ToolId> for ToolNames<'t> {
    fn from(id: &'t ToolId) -> Self {
        Self { id, route: None }
    }
}

impl Descriptor {
    /// The names that it is known by.
    pub fn names(&self) -> ToolNames<'_> {
        ToolNames {
            id: &self.id,
            route: self.route.as_ref(),
        }
    }

    /// What the loss of an answer of this tool can lead to.
    pub fn recovery(&self) -> Recovery {
        let effect = self.checks.effect.as_ref();
        match self.effect {
            Effect::None => Recovery::Read,
            Effect::Some if effect.is_some_and(|check| check.idempotency.is_some()) => {
                Recovery::Idempotent
            }
            Effect::Some if effect.is_some_and(|check| check.look.is_some()) => Recovery::Checkable,
            Effect::Some => Recovery::Irreversible,
        }
    }

    /// The digest over all of it but the lifecycle: what an approval pins.
    pub fn digest(&self) -> Digest {
        let mut whole = serde_json::json!({
            "id": self.id,
            "version": self.version,
            "definition": self.definition,
            "category": self.category,
            "method": self.method,
            "verb": self.verb,
            "risk": self.risk,
            "risk_score": self.risk_score,
            "resource": self.resource,
            "effect": self.effect,
            "timeout": self.timeout,
            "attributes": self.attributes,
            "checks": self.checks,
        });
        if let (Value::Object(whole), Runner::Host) = (&mut whole, self.runner) {
            whole.insert("runner".to_owned(), "host".into());
        }
        if let (Value::Object(whole), Some(route)) = (&mut whole, &self.route) {
            whole.insert("route".to_owned(), route.as_str().into());
        }
        json::digest(&whole)
    }
}

/// How one source is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// The source's name.
    pub name: String,
    /// `mcp-stdio`, `mcp-http`, …
    pub kind: String,
    /// Whether its tools can be called.
    pub health: SourceHealth,
    /// What was last wrong, for people.
    pub detail: Option<String>,
    /// How many tools it gave.
    pub tools: usize,
    /// Whose it is, how the gate and it know each other, and what it says of itself.
    pub facts: SourceFacts,
}

/// What is known of a source besides its health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceFacts {
    /// Who answers for it, by the operator's word.
    pub owner: Option<String>,
    /// How the gate and it know each other: `none`, `bearer`, `headers`, `oauth`, `hmac`, …
    pub auth: Option<String>,
    /// When it was last heard of, where it is asked now and then.
    pub heard_at: Option<Timestamp>,
    /// What it says of itself; nobody checked any of it.
    pub claims: BTreeMap<String, String>,
}

/// Whether a source answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceHealth {
    /// Not connected yet.
    Starting,
    /// Answers.
    Up,
    /// Does not answer; its tools are refused, all others go on.
    Down,
}

/// All tools that are known at one moment. Immutable; a change makes another one.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    tools: BTreeMap<ToolId, Arc<Descriptor>>,
    /// In the order in which their sources gave them.
    in_order: Vec<Arc<Descriptor>>,
    by_wire_name: BTreeMap<String, ToolId>,
    faults: BTreeMap<ToolId, Vec<String>>,
    offers: BTreeMap<String, Arc<Offer>>,
}

impl Catalogue {
    /// A catalogue of these tools; of two with the same id the first stays.
    pub fn new<D: Into<Arc<Descriptor>>>(descriptors: impl IntoIterator<Item = D>) -> Self {
        let mut catalogue = Self::default();
        for descriptor in descriptors {
            let descriptor = descriptor.into();
            let id = descriptor.id.clone();
            if catalogue.tools.contains_key(&id) {
                continue;
            }
            catalogue
                .by_wire_name
                .entry(descriptor.wire_name.clone())
                .or_insert(id.clone());
            catalogue.in_order.push(descriptor.clone());
            catalogue.tools.insert(id, descriptor);
        }
        catalogue
    }

    /// The same tools, some of which cannot be called: what their descriptors state does not fit
    /// the other tools.
    #[must_use]
    pub fn with_faults(self, faults: BTreeMap<ToolId, Vec<String>>) -> Self {
        Self { faults, ..self }
    }

    /// The same tools, with what their sources offer besides.
    #[must_use]
    pub fn with_offers(self, offers: BTreeMap<String, Arc<Offer>>) -> Self {
        Self { offers, ..self }
    }

    /// What sources offer besides tools, by their name.
    pub const fn offers(&self) -> &BTreeMap<String, Arc<Offer>> {
        &self.offers
    }

    /// Why a tool that is there cannot be called; nothing where it can.
    pub fn faults(&self, id: &ToolId) -> &[String] {
        self.faults.get(id).map_or(&[], Vec::as_slice)
    }

    /// The same tools with nothing said about their arguments.
    #[must_use]
    pub fn without_schemas(&self) -> Self {
        let bare = |tool: &Arc<Descriptor>| Descriptor {
            input_schema: Value::Null,
            ..tool.as_ref().clone()
        };
        Self::new(self.iter().map(bare))
            .with_faults(self.faults.clone())
            .with_offers(self.offers.clone())
    }

    /// The tool of this name.
    pub fn get(&self, id: &ToolId) -> Option<&Arc<Descriptor>> {
        self.tools.get(id)
    }

    /// The tool that MCP clients know by this name.
    pub fn by_wire_name(&self, name: &str) -> Option<&Arc<Descriptor>> {
        self.by_wire_name
            .get(name)
            .and_then(|id| self.tools.get(id))
    }

    /// All tools, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Descriptor>> {
        self.tools.values()
    }

    /// All tools, in the order in which their sources gave them.
    pub fn in_order(&self) -> impl Iterator<Item = &Arc<Descriptor>> {
        self.in_order.iter()
    }

    /// How many tools there are.
    pub fn len(&self) -> usize {
        self.tools.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{ResourceTemplate, ToolId};

    #[test]
    fn a_tool_name_splits_at_its_first_dot() {
        let tool: ToolId = "tickets.comment.create".parse().unwrap();
        assert_eq!(
            (tool.source(), tool.operation()),
            ("tickets", "comment.create")
        );
        for bad in ["stripe", ".refund", "stripe.", "a b.c", "a.b\u{200b}"] {
            assert!(bad.parse::<ToolId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_template_takes_only_plain_values() {
        let template = ResourceTemplate::parse("customer:{args.customer.id}").unwrap();
        let args = serde_json::json!({"customer": {"id": "cust_123"}});
        assert_eq!(template.fill(&args).unwrap().name, "customer:cust_123");
        assert_eq!(
            template.fill(&serde_json::json!({"customer": {"id": ["x"]}})),
            None
        );
        assert_eq!(template.fill(&serde_json::json!({})), None);
        let odd = serde_json::json!({"customer": {"id": "x/../cust_9"}});
        assert!(!template.fill(&odd).unwrap().derived);
        assert!(ResourceTemplate::parse("customer:{customer}").is_err());
        assert!(ResourceTemplate::parse("customer:{args.x").is_err());
        assert!(ResourceTemplate::parse("customer:}").is_err());
    }
}
