//! From documents to a set: text, tree, parsed, checked, compiled, or all that is wrong with them.
//!
//! Nothing is loaded by halves: one error in one document, and there is no set.
//!
//! Must not know: where documents are kept, when a set is put in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use toolgate_detect::Detector;
use toolgate_model::{Catalogue, Diagnostic, PolicyVersion, Severity, Span, json};

use crate::checked::{self, Policy};
use crate::checker::Checker;
use crate::diagnostics::{BAD_NAME, DUPLICATE_DOCUMENT, TOO_MANY_NEEDLES, TOO_MANY_RULES};
use crate::input::Document;
use crate::needles::NeedleList;
use crate::reach::Reach;
use crate::reading::{Item, name_problem};
use crate::set::PolicySet;
use crate::source::{Complaint, Report, Source, shown};
use crate::term::Mappings;
use crate::{limits, mappings, parsed, tree};

/// What loading gave.
#[derive(Debug)]
pub struct Loaded {
    /// The set; none exactly where there is an error among the diagnostics.
    pub set: Option<PolicySet>,
    /// Everything that is wrong or doubtful, in the order of the documents.
    pub diagnostics: Vec<Diagnostic>,
    /// The cases that the documents carry in `tests`, in the order in which they stand; also
    /// where there is no set.
    pub tests: Vec<StoredTest>,
}

/// One case of a document's `tests`, as it was written. What it says is checked by who runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTest {
    /// The document's name, which records carry.
    pub policy: String,
    /// The name that the document is stored by.
    pub file: String,
    /// JSON pointer to the case, `/tests/0`.
    pub path: String,
    /// Where it stands.
    pub span: Span,
    /// The case.
    pub case: Value,
}

/// What the documents of one set share while they are loaded.
struct Loading<'c> {
    catalogue: &'c Catalogue,
    detector: Arc<Detector>,
    mappings: BTreeMap<String, Arc<Mappings>>,
    needles: NeedleList,
    diagnostics: Vec<Diagnostic>,
    tests: Vec<StoredTest>,
    rules: usize,
    /// Policy and canonical value of each document by its name; none where a rule is refused.
    loaded: BTreeMap<String, Option<(Policy, Value)>>,
}

/// Loads the documents as one set, checked against the tools of the catalogue.
///
/// ```
/// use toolgate_model::Catalogue;
/// use toolgate_policy::{load, Document};
/// let text = r#"{"rules": [{"when": "env == prod", "effect": "deny"}]}"#;
/// let document = Document { name: "freeze".into(), text: text.into() };
/// let loaded = load(&[document], &Catalogue::default());
/// assert!(loaded.set.is_some());
/// ```
pub fn load(documents: &[Document], catalogue: &Catalogue) -> Loaded {
    load_with(documents, catalogue, &Detector::builtin())
}

/// The same with a detector that knows a tenant's own patterns.
pub fn load_with(
    documents: &[Document],
    catalogue: &Catalogue,
    detector: &Arc<Detector>,
) -> Loaded {
    let (mappings, diagnostics) = mappings::compile(catalogue);
    let mut loading = Loading {
        catalogue,
        detector: detector.clone(),
        mappings,
        needles: NeedleList::default(),
        diagnostics,
        tests: Vec::new(),
        rules: 0,
        loaded: BTreeMap::new(),
    };
    for document in documents {
        loading.add(document);
    }
    loading.finish()
}

impl Loading<'_> {
    fn add(&mut self, document: &Document) {
        let source = Source::new(&document.name, &document.text);
        let mut report = Report::new(&source);
        let read = self.read(document, &mut report);
        if let Some((name, policy)) = read {
            if self.loaded.contains_key(&name) {
                let message = format!("two documents of the set are called `{}`", shown(&name));
                let complaint = Complaint::new(DUPLICATE_DOCUMENT, message).at(&(0..0), "");
                report.push(complaint.help("give one of them another `name`"));
            }
            self.loaded.insert(name, policy);
        }
        // In the order in which a person reads the document, not in that of the stages.
        report
            .diagnostics
            .sort_by_key(|problem| problem.span.map_or(usize::MAX, |span| span.start));
        self.diagnostics.append(&mut report.diagnostics);
    }

    /// The document's name, and what it says where that is without errors.
    fn read(
        &mut self,
        document: &Document,
        report: &mut Report<'_>,
    ) -> Option<(String, Option<(Policy, Value)>)> {
        let tree = tree::parse_text(report)?;
        let root = Item::root(&tree);
        let parsed = parsed::document(&root, report);
        let name = parsed.name.clone().unwrap_or_else(|| document.name.clone());
        if let Some(problem) = name_problem(&name).filter(|_| parsed.name.is_none()) {
            let message = format!("the name `{}` {problem}", shown(&name));
            report.push(
                Complaint::new(BAD_NAME, message)
                    .at(&(0..0), "")
                    .help("write a `name`"),
            );
        }
        let stored = |case: &Item<'_>| StoredTest {
            policy: name.clone(),
            file: document.name.clone(),
            path: case.path.clone(),
            span: report.source.span(&case.json.at),
            case: case.json.to_value(),
        };
        self.tests.extend(parsed.tests.iter().map(stored));
        self.rules += parsed.rules.len();
        if self.rules > limits::RULES_MAX {
            let (count, max) = (self.rules, limits::RULES_MAX);
            let message = format!("with this document the set has {count} rules, more than {max}");
            report.push(Complaint::new(TOO_MANY_RULES, message).at(&(0..0), "/rules"));
            return None;
        }
        let value = tree.to_value();
        let digest = json::digest(&value);
        let policy = self.check(parsed, report, (&name, &document.name, digest));
        Some((name, policy.map(|policy| (policy, value))))
    }

    fn check(
        &mut self,
        document: parsed::Document<'_>,
        report: &mut Report<'_>,
        (name, file, digest): (&str, &str, toolgate_model::Digest),
    ) -> Option<Policy> {
        let allowed_tools = document.grant.allowed_tools.clone().unwrap_or_default();
        let reach = Reach {
            catalogue: self.catalogue,
            allowed_tools: &allowed_tools,
        };
        reach.check_grant(report);
        let mut checker = Checker::new(report, &mut self.needles, &self.mappings);
        let exemptions: Vec<_> = document
            .rules
            .iter()
            .map(|rule| checked::Exempting {
                id: rule.id.clone(),
                exempts: rule.exempts.clone(),
                occasion: rule.occasion,
            })
            .collect();
        let exempts = checked::exempts(&exemptions, &mut checker);
        let grant = checked::grant(document.grant, &mut checker);
        let mut rules = Vec::new();
        let mut whole = true;
        for (rule, exempts) in document.rules.into_iter().zip(exempts) {
            let (at, path) = (rule.item.json.at.clone(), rule.item.path.clone());
            let checked = checked::rule(rule, document.mode, &mut checker);
            reach.check_rule(&checked.scope, &checked.uses, (&at, &path), checker.report);
            match checked.rule {
                Some(rule) => rules.push(checked::Rule { exempts, ..rule }),
                None => whole = false,
            }
        }
        whole.then(|| Policy {
            name: name.to_owned(),
            file: file.to_owned(),
            digest,
            enabled: document.enabled,
            monitor: document.mode == parsed::Mode::Monitor,
            zone: document.zone.unwrap_or(jiff::tz::TimeZone::UTC),
            selectors: checked::selectors(document.selectors),
            grant,
            rules,
        })
    }

    fn finish(mut self) -> Loaded {
        let needles = match self.needles.build() {
            Ok(needles) => Some(needles),
            Err(error) => {
                let source = Source::new("", "");
                let mut report = Report::new(&source);
                report.push(Complaint::new(
                    TOO_MANY_NEEDLES,
                    format!("the texts of all conditions are too many: {error}"),
                ));
                self.diagnostics.append(&mut report.diagnostics);
                None
            }
        };
        let failed = self
            .diagnostics
            .iter()
            .any(|problem| problem.severity == Severity::Error);
        let documents: Option<Vec<(Policy, Value)>> = self.loaded.into_values().collect();
        let set = documents
            .zip(needles)
            .filter(|_| !failed)
            .map(|(documents, needles)| {
                let (policies, values): (Vec<Policy>, Vec<Value>) = documents.into_iter().unzip();
                PolicySet::new(
                    version(&policies, values),
                    policies,
                    (needles, self.detector),
                )
                .knowing(self.catalogue)
            });
        Loaded {
            set,
            diagnostics: self.diagnostics,
            tests: self.tests,
        }
    }
}

/// The digest over names and canonical documents. The policies are ordered by name.
fn version(policies: &[Policy], values: Vec<Value>) -> PolicyVersion {
    let pair =
        |(policy, value): (&Policy, Value)| Value::Array(vec![policy.name.as_str().into(), value]);
    let pairs = policies.iter().zip(values).map(pair);
    PolicyVersion(json::digest(&Value::Array(pairs.collect())))
}
