//! Reads files of cases strictly: a key that no case has is an error with its place.
//!
//! An ignored key would be a test that tests less than it says. Every mistake of a file is told at
//! once, each with line and column.
//!
//! Must not know: how a case is run.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use toolgate_model::json::{Limits, Numbers, parse};
use toolgate_model::{Diagnostic, Severity, Span, Stance, Timestamp, Verdict};

use super::expect::Expected;
use super::place::{span, spans};
use super::tool::WrittenTool;
use super::written::{Approval, Case, CaseFile, Past, WrittenCall};
use crate::posture::Posture;

/// LIMIT: a thousand cases of 4 KiB; more wants to be several files.
const FILE_LIMITS: Limits = Limits {
    bytes_max: 4 << 20,
    ..Limits::CALL
};
/// LIMIT: ten thousand cases of one file, a second of work.
const CASES_MAX: usize = 10_000;
/// LIMIT: what one case may have before it; a history of that length is a recording.
const PAST_MAX: usize = 1_000;

const NOT_JSON: &str = "T001";
const NOT_A_CASE: &str = "T002";
const EXPECTS_NOTHING: &str = "T003";
const TOO_MANY: &str = "T004";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    #[serde(default)]
    policies: Vec<String>,
    #[serde(default)]
    tools: Vec<WrittenTool>,
    #[serde(default)]
    own_domains: Option<Vec<String>>,
    #[serde(default)]
    posture: Option<WrittenPosture>,
    tests: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPosture {
    low: Option<Stance>,
    medium: Option<Stance>,
    high: Option<Stance>,
    critical: Option<Stance>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: String,
    call: WrittenCall,
    #[serde(default)]
    history: Vec<Past>,
    #[serde(default)]
    entity: Option<Value>,
    #[serde(default)]
    approval: Option<Approval>,
    #[serde(default)]
    user_request: Option<String>,
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    now: Option<Timestamp>,
    expect: Value,
}

impl CaseFile {
    /// Reads a file of cases. `file` is the name that complaints carry.
    ///
    /// # Errors
    /// Everything that is wrong with it, with places.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let reader = Reader { file, text };
        let written: WrittenFile = reader.read(reader.json()?, "")?;
        let mut problems = Vec::new();
        let mut tools = Vec::new();
        for (place, tool) in written.tools.into_iter().enumerate() {
            match tool.descriptor() {
                Ok(tool) => tools.push(tool),
                Err(why) => {
                    problems.push(reader.wrong(NOT_A_CASE, why, &format!("/tools/{place}")))
                }
            }
        }
        let cases = reader.cases(written.tests).unwrap_or_else(|mut wrong| {
            problems.append(&mut wrong);
            Vec::new()
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            policies: written.policies,
            tools,
            own_domains: written.own_domains,
            posture: written.posture.map(WrittenPosture::posture),
            cases,
        })
    }
}

impl Case {
    /// The cases that a policy document carries in its `tests`.
    ///
    /// # Errors
    /// Everything that is wrong with them, with places.
    pub fn of_document(file: &str, text: &str) -> Result<Vec<Self>, Vec<Diagnostic>> {
        let reader = Reader { file, text };
        match reader.json()?.get_mut("tests").map(Value::take) {
            Some(Value::Array(tests)) => reader.cases(tests),
            Some(_) => Err(vec![reader.wrong(
                NOT_A_CASE,
                "`tests` is a list of cases".to_owned(),
                "/tests",
            )]),
            None => Ok(Vec::new()),
        }
    }
}

/// Reads parts of one text and says where they stand.
struct Reader<'t> {
    file: &'t str,
    text: &'t str,
}

impl Reader<'_> {
    fn json(&self) -> Result<Value, Vec<Diagnostic>> {
        parse(self.text.as_bytes(), FILE_LIMITS, Numbers::Exact)
            .map_err(|error| vec![self.wrong(NOT_JSON, error.to_string(), "")])
    }

    fn cases(&self, tests: Vec<Value>) -> Result<Vec<Case>, Vec<Diagnostic>> {
        if tests.len() > CASES_MAX {
            let message = format!("{} cases, more than {CASES_MAX}", tests.len());
            return Err(vec![self.wrong(TOO_MANY, message, "/tests")]);
        }
        let (mut cases, mut problems) = (Vec::new(), Vec::new());
        let mut spans = spans(self.text, "/tests").into_iter();
        for (place, test) in tests.into_iter().enumerate() {
            match self.case(test, (&format!("/tests/{place}"), spans.next())) {
                Ok(case) => cases.push(case),
                Err(mut found) => problems.append(&mut found),
            }
        }
        if problems.is_empty() {
            Ok(cases)
        } else {
            Err(problems)
        }
    }

    fn case(
        &self,
        test: Value,
        (pointer, place): (&str, Option<Span>),
    ) -> Result<Case, Vec<Diagnostic>> {
        let written: WrittenCase = self.read(test, pointer)?;
        let within = format!("{pointer}/expect");
        let expect = match written.expect {
            Value::String(word) => {
                Verdict::parse(&word)
                    .map(Expected::verdict)
                    .ok_or_else(|| {
                        vec![self.wrong(NOT_A_CASE, format!("`{word}` is no verdict"), &within)]
                    })?
            }
            keys => self.read(keys, &within)?,
        };
        if expect.is_empty() {
            let message = "the case expects nothing, so it could not fail".to_owned();
            return Err(vec![self.wrong(EXPECTS_NOTHING, message, &within)]);
        }
        if written.history.len() > PAST_MAX {
            let message = format!("a history of more than {PAST_MAX} calls");
            return Err(vec![self.wrong(
                TOO_MANY,
                message,
                &format!("{pointer}/history"),
            )]);
        }
        if written.call.tool.is_some() == written.call.http.is_some() {
            let message = "a call has a `tool` or an `http` request, one of them".to_owned();
            return Err(vec![self.wrong(
                NOT_A_CASE,
                message,
                &format!("{pointer}/call"),
            )]);
        }
        let now = written.now.or(written.call.at).unwrap_or(CASE_NOW);
        Ok(Case {
            name: written.name,
            file: self.file.to_owned(),
            span: place,
            call: written.call,
            history: written.history,
            entity: written.entity,
            approval: written.approval,
            user_request: written.user_request,
            result: written.result,
            now,
            expect,
        })
    }

    fn read<T: DeserializeOwned>(&self, value: Value, pointer: &str) -> Result<T, Vec<Diagnostic>> {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let inner = pointer_of(error.path());
            let message = error.inner().to_string();
            vec![self.wrong(NOT_A_CASE, message, &format!("{pointer}{inner}"))]
        })
    }

    fn wrong(&self, code: &'static str, message: String, pointer: &str) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message,
            help: None,
            file: self.file.to_owned(),
            path: pointer.to_owned(),
            span: span(self.text, pointer),
            related: Vec::new(),
        }
    }
}

/// The instant of a case that names none: a Tuesday afternoon in UTC, the same whenever it is run.
const CASE_NOW: Timestamp = Timestamp::from_millis(1_781_622_862_000);

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

impl WrittenPosture {
    fn posture(self) -> Posture {
        let usual = Posture::default();
        Posture {
            low: self.low.unwrap_or(usual.low),
            medium: self.medium.unwrap_or(usual.medium),
            high: self.high.unwrap_or(usual.high),
            critical: self.critical.unwrap_or(usual.critical),
        }
    }
}
