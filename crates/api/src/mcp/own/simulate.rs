//! `toolgate_simulate`: what a call would get, without making it. Nothing is recorded or used up.
//!
//! Must not know: how anything is decided.

use serde_json::{Value, json};
use toolgate_driver::Watch;
use toolgate_model::{Call, Mode, Verdict};

use super::meant::Meant;
use super::structured;
use crate::mcp::call::renderer;
use crate::mcp::face::{Asked, Face};

pub(super) const DESCRIPTION: &str = "Says what Toolgate would decide about a call of a tool, \
without making it: whether it would run, need a person's approval, or be denied, and why.";

pub(super) async fn run(face: &Face, asked: &Asked, given: Value) -> Result<String, String> {
    let (meant, call) = Meant::read(face, asked, given)?;
    let call = Call {
        mode: Mode::Simulate,
        ..call
    };
    let driver = &face.api.driver;
    let outcome = driver.submit(&asked.identity, call, Watch::default()).await;
    let outcome = meant.reached(outcome)?;
    let decision = &outcome.invocation.proposal.decision;
    let renderer = renderer(face, asked);
    let (by, reason) = renderer.denial(&outcome);
    let words = match decision.verdict {
        Verdict::Allow => "This call would run.".to_owned(),
        Verdict::Sanitize => "This call would run with some data replaced.".to_owned(),
        Verdict::RequireApproval => format!("This call would need approval, by {by}: {reason}"),
        Verdict::Deny => format!("This call would be denied by {by}: {reason}"),
    };
    let envelope = renderer.envelope(&outcome);
    let field = |name: &str| envelope.get(name).cloned().unwrap_or_default();
    let answer = json!({
        "verdict": decision.verdict,
        "summary": words,
        "denial": field("denial"),
        "decision": field("decision"),
    });
    Ok(structured(&answer, asked))
}
