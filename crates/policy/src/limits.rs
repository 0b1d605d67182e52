//! The published bounds of the policy language, each with its unit and its reason.
//!
//! Reaching one while loading is a diagnostic that names it; reaching one while deciding makes the
//! value unknown (a text too long to compare) or is a fault (the step budget). `json_schema` and
//! the reference page read them here.
//!
//! Must not know: who enforces them.

/// Bytes of one document. LIMIT: what the editor can repaint and a person can still read.
pub const DOCUMENT_BYTES_MAX: usize = 256 << 10;
/// Levels of nesting of a document's JSON. LIMIT: the deepest key of the schema is at level 6.
pub const DOCUMENT_DEPTH_MAX: usize = 32;
/// Rules of one set, disabled ones too. LIMIT: what the interfaces promise (4-interfaces, 5).
pub const RULES_MAX: usize = 10_000;
/// Errors reported a document, and as many warnings. LIMIT: nobody reads the hundred and first.
pub const DIAGNOSTICS_MAX: usize = 100;
/// Characters of a document's name or a rule's id. LIMIT: they stand in records and messages.
pub const NAME_CHARS_MAX: usize = 128;
/// Bytes of one `when` or `unless`. LIMIT: longer ones want to be several rules.
pub const EXPRESSION_BYTES_MAX: usize = 16 << 10;
/// Parts (names, values, operators) of one expression. LIMIT: bounds what one rule can cost.
pub const EXPRESSION_PARTS_MAX: usize = 2_048;
/// Nesting of one expression. LIMIT: keeps every walk over it on a small stack.
pub const EXPRESSION_DEPTH_MAX: usize = 32;
/// Bytes of one glob, regular expression or needle. LIMIT: see [`REGEX_BYTES_MAX`].
pub const PATTERN_BYTES_MAX: usize = 1_024;
/// Entries of one list of patterns, names or needles. LIMIT: a longer list is a data set.
pub const LIST_MAX: usize = 1_000;
/// Bytes of one compiled regular expression. LIMIT: what matching costs a byte grows with it;
/// `\w{10}` fits, `\w{100}` does not, `[a-z]{100}` does.
pub const REGEX_BYTES_MAX: usize = 256 << 10;
/// Bytes of one text that is compared or searched by an expression; a longer one is unknown.
/// LIMIT: bounds one comparison at about a tenth of a millisecond.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// Bytes of all texts in the arguments that `body` reads; more is unknown. LIMIT: a whole call.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Elements of one list that `any` and `all` walk; a longer one is unknown. LIMIT: with the
/// nesting bound it keeps one rule inside the step budget for all but hostile calls.
pub const ELEMENTS_MAX: usize = 10_000;
/// Values in what one `source` asks about; more is unknown. LIMIT: each is looked for in everything
/// that the session read.
pub const SOURCES_MAX: usize = 200;
/// Parts of an input schema that one missing argument makes the gate look at; where that is not
/// enough the argument could exist. LIMIT: real schemas need under ten.
pub const SCHEMA_PARTS_MAX: usize = 256;
/// Seconds of the longest `expires_in`: 30 days. LIMIT: an older approval approves another world.
pub const EXPIRES_SECONDS_MAX: u32 = 30 * 86_400;
/// Seconds of the longest window over earlier calls: 31 days. LIMIT: what history is kept.
pub const WINDOW_SECONDS_MAX: u32 = 31 * 86_400;
/// The largest `quorum`. LIMIT: more people than that do not look at one call.
pub const QUORUM_MAX: u32 = 20;
/// The largest `priority`.
pub const PRIORITY_MAX: u32 = 1_000_000;
/// Steps of one decision where the caller names no other budget. LIMIT: about 20 ms of work.
pub const STEPS_MAX: u32 = 1_000_000;
/// Bytes of text that count as one step. LIMIT: about what a comparison costs.
pub const BYTES_PER_STEP: usize = 64;
