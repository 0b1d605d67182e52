//! The two names of a tool: the dotted id of policies, and the wire name of MCP clients. Pure.
//!
//! The tool `comment.create` of source `tickets` is `tickets.comment.create` here and
//! `tickets__comment_create` there. A name depends on nothing but itself, so it stays the same
//! whatever else a source offers; what cannot be written or is too long gets a piece of a digest.
//!
//! Must not know: which names are taken.

use toolgate_model::{Digest, ToolId};

use crate::config::WireNames;

/// The id by which policies know the tool. What an id cannot hold becomes `_`, and a piece of the
/// name's digest follows, so that two names stay two ids and each stays the same for ever.
pub(crate) fn tool_id(source: &str, name: &str) -> Result<ToolId, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let operation = if name.chars().all(plain) {
        name.to_owned()
    } else {
        let kept: String = name
            .chars()
            .map(|c| if plain(c) { c } else { '_' })
            .collect();
        marked(&kept, name, usize::MAX, '-')
    };
    format!("{source}.{operation}")
        .parse()
        .map_err(|error| format!("it cannot be named: {error}"))
}

/// LIMIT: clients put `mcp__{server}__` in front, and models' interfaces end at 64 characters.
pub(crate) const WIRE_NAME_CHARS_MAX: usize = 48;
const MARK_CHARS: usize = 8;

/// The name by which MCP clients know the tool.
pub(crate) fn wire_name(style: WireNames, id: &ToolId) -> String {
    let full = match style {
        WireNames::Prefixed => format!("{}__{}", id.source(), id.operation()),
        WireNames::Bare => id.operation().to_owned(),
    };
    let plain: String = full
        .chars()
        .map(|c| if is_wire_char(c) { c } else { '_' })
        .collect();
    if plain.len() <= WIRE_NAME_CHARS_MAX {
        return plain;
    }
    marked(&plain, id.as_str(), WIRE_NAME_CHARS_MAX, '_')
}

/// The wire name of a method that is called like a tool. The slash in it is in no tool's.
pub(crate) fn method_wire_name(style: WireNames, id: &ToolId) -> String {
    match style {
        WireNames::Prefixed => format!("{}__{}", id.source(), id.operation()),
        WireNames::Bare => id.operation().to_owned(),
    }
}

/// Whether MCP clients accept this as a tool's name.
pub(crate) fn is_wire_name(name: &str) -> bool {
    (1..=WIRE_NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(is_wire_char)
}

fn is_wire_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// What there is room for of `kept`, and a piece of the digest of `whole`, which sets it apart for
/// ever.
pub(crate) fn marked(kept: &str, whole: &str, chars_max: usize, joint: char) -> String {
    let room = chars_max.saturating_sub(MARK_CHARS + 1);
    let kept: String = kept.chars().take(room).collect();
    match kept.is_empty() {
        true => mark(whole),
        false => format!("{kept}{joint}{}", mark(whole)),
    }
}

/// A few hex digits that stand for a whole name.
fn mark(name: &str) -> String {
    Digest::of(name.as_bytes())
        .hex()
        .chars()
        .take(MARK_CHARS)
        .collect()
}
