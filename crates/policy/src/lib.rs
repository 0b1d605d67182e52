//! The policy language: text, parsed, checked, compiled, decided (2-decision, 3 to 5).
//!
//! [`load`] reads documents and gives a [`PolicySet`], or all that is wrong with them as
//! diagnostics with line and column. [`PolicySet::decide`] takes the [`Facts`] of one call and
//! gives a [`Ruling`], the same one for the same inputs, within a budget of counted steps.
//! A missing or mistyped attribute is neither true nor false, and a rule that would tighten then
//! counts as matching: leaving an argument out is no way around it.
//!
//! Must not know: invocations, stores, transports, clocks, randomness.

pub mod limits;

mod call;
mod checked;
mod checker;
mod compare;
mod conditions;
mod counted;
mod decide;
pub mod diagnostics;
mod effects;
mod expectation;
mod explanation;
mod external;
mod facts;
mod functions;
mod history;
mod index;
mod input;
mod json_schema;
mod language;
mod lint;
mod load;
mod mappings;
mod matching;
mod meter;
mod needles;
mod needs;
mod node;
mod number;
mod parameters;
mod parsed;
mod path;
mod patterns;
mod plain;
mod quota;
mod reach;
mod reading;
mod reason;
mod ruling;
mod schema;
mod scope;
mod seen;
mod set;
mod signals;
mod source;
mod term;
mod test;
mod tree;
mod value;

pub use conditions::CONDITIONS;
pub use diagnostics::known_code;
pub use effects::{EFFECTS, EffectWord};
pub use expectation::{Expectation, ExpectationError, Sight};
pub use explanation::{ExplainedPart, ExplainedRule, Explanation};
pub use facts::{ATTRIBUTES, Attribute, Type};
pub use functions::{FUNCTIONS, Function};
pub use history::{History, Scope as HistoryScope, Session, Window};
pub use input::{ApprovalFacts, Document, Facts, ResultFacts};
pub use json_schema::json_schema;
pub use lint::{
    DocumentDifference, KeyDifference, LINT_CODES, Lint, LintCode, RuleDifference, RuleSummary,
    difference, findings,
};
pub use load::{Loaded, StoredTest, load, load_with};
pub use matching::MATCH_KEYS;
pub use ruling::{Budget, Fault, Ruling, Sanitize};
pub use set::{DocumentSummary, PolicySet};
pub use test::Key;
