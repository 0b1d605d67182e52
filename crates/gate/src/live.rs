//! A tool's answer as data, for probes.
//!
//! An MCP tool answers `{"content": [...], "structuredContent": {...}}`. What a probe's expectation
//! calls `result` is the structured content; where there is none, the one text that it wrote, read
//! as JSON if it is JSON. Any other tool's answer is the data itself.
//!
//! Must not know: what is looked for.

use serde_json::Value;
use toolgate_model::json::{self, Limits, Numbers};

/// The data of an answer.
///
/// # Errors
/// Why it cannot be read; no part of it is quoted.
pub fn live(answer: &str) -> Result<Value, String> {
    let whole = parse(answer)?;
    let Some(content) = whole.get("content").and_then(Value::as_array) else {
        return Ok(whole);
    };
    if let Some(structured) = whole.get("structuredContent").filter(|s| !s.is_null()) {
        return Ok(structured.clone());
    }
    let mut texts = content.iter().filter_map(|part| part.get("text")?.as_str());
    match (texts.next(), texts.next()) {
        (Some(text), None) => Ok(parse(text).unwrap_or_else(|_| Value::String(text.to_owned()))),
        _ => Err("the answer holds neither structured content nor a single text".to_owned()),
    }
}

fn parse(text: &str) -> Result<Value, String> {
    json::parse(text.as_bytes(), Limits::RESULT, Numbers::Exact)
        .map_err(|_| "the answer is not strict JSON".to_owned())
}
