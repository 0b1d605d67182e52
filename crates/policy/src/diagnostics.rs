//! The registry of diagnostic codes: sorted, append-only, one entry a code.
//!
//! `P021` is what a person sees beside "`require_aproval` is not an effect"; [`explain`] is the
//! long text behind it. A code never changes its meaning and is never used again. A corpus case
//! triggers each of them; a test holds that.
//!
//! Must not know: where in a document anything stands.

use toolgate_model::Severity;

/// One kind of complaint about a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The stable code, `P021`.
    pub code: &'static str,
    /// A short title, `unknown effect`.
    pub title: &'static str,
    /// How bad it is. Only errors keep a set from being loaded.
    pub severity: Severity,
    /// What it means and how to mend it.
    pub explanation: &'static str,
}

/// The long text of a code, in any letter case.
pub fn explain(code: &str) -> Option<&'static str> {
    CODES
        .iter()
        .find(|known| known.code.eq_ignore_ascii_case(code))
        .map(|known| known.explanation)
}

/// The registered code of this text, for diagnostics that come back over a wire; `P000` where the
/// other side knows a code that this version does not.
pub fn known_code(code: &str) -> &'static str {
    let known = CODES.iter().find(|known| known.code == code);
    known.map_or("P000", |known| known.code)
}

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $title:literal: $explanation:literal;)+) => {
        $(pub(crate) const $name: Code = Code {
            code: $code,
            title: $title,
            severity: Severity::$severity,
            explanation: $explanation,
        };)+

        /// Every code, sorted.
        pub const CODES: &[Code] = &[$($name),+];
    };
}

codes! {
    NOT_JSON "P001" Error "not strict JSON":
        "A policy is strict JSON (RFC 8259): no comments, no trailing commas, names and texts in \
         double quotes, no NaN. Two readers of one policy must never see two policies.";
    DOCUMENT_TOO_LARGE "P002" Error "document too large":
        "One document may have 262144 bytes. Split it: documents of one set are decided together, \
         so nothing is lost by it.";
    DUPLICATE_KEY "P003" Error "duplicate key":
        "A key stands twice in one object. Readers disagree about which of the two counts, so \
         neither does. Remove one.";
    UNKNOWN_KEY "P004" Error "unknown key":
        "The key is not in the schema. It is refused rather than ignored, because an ignored key \
         is a hole: `condtion` would be a rule without its condition. Mend the spelling or remove \
         it.";
    WRONG_TYPE "P005" Error "wrong type":
        "The value has another type than its key takes, for example a number where a list of \
         texts is wanted.";
    OUT_OF_RANGE "P006" Error "out of range":
        "A number or a length is outside its published bounds, or a number is not one that every \
         reader reads alike.";
    UNKNOWN_VALUE "P007" Error "unknown value":
        "The key takes one of a few words, and this is none of them.";
    BAD_NAME "P008" Error "bad name":
        "Names of documents and ids of rules stand in records and messages: 1 to 128 characters, \
         none of them invisible; a rule's id has no `/`.";
    TOO_MANY_PROBLEMS "P009" Error "too many problems":
        "The document has more problems than are listed. Mend the first ones and load it again.";
    TWO_NAMES "P010" Error "two names of one key":
        "`env` and `env_names` are two names of one key. A document has one of them.";
    EFFECT_MISSING "P020" Error "no effect":
        "A rule says what happens in `effect` (or `action`, which means the same). Without it the \
         rule would do nothing.";
    UNKNOWN_EFFECT "P021" Error "unknown effect":
        "The effects are allow, sanitize, require_approval, deny, reconcile_before_retry, \
         verify_entity, verify_trigger, limit, notify and open_incident, in any letter case.";
    EFFECT_TWICE "P022" Error "effect and action":
        "`effect` and `action` are two names of one key. A rule has one of them.";
    DUPLICATE_RULE "P023" Error "duplicate rule id":
        "Two rules of one document have the same id. A rule without `rule_id` gets `r` and its \
         position, so the third rule is `r3` and no other rule may be called so.";
    UNKNOWN_EXEMPT "P024" Error "exempts an unknown rule":
        "`exempts` names rules of the same document that are judged on the same occasion, on the call \
         or on the result. Only who owns a rule may exempt from it.";
    EXEMPT_CHAIN "P025" Error "exempts an exempting rule":
        "A rule that exempts from others cannot itself be exempted: whether the exemption still \
         holds would depend on the order of reading. Write the condition into the rule.";
    PARAMETER_MISPLACED "P026" Error "parameter of another effect":
        "The parameter belongs to another effect and would do nothing here: `quorum` to \
         require_approval, `sanitize_fields` to sanitize, and so on.";
    PARAMETER_MISSING "P027" Error "parameter missing":
        "The effect says too little without it: `limit` wants `limit` and `per`, `notify` its \
         channel in `notify`.";
    TOO_LATE "P028" Error "too late for a result":
        "A rule with `on: result` is judged after the tool has run. What it returned can be sanitized \
         or withheld (`deny`), and somebody can be told (`notify`, `open_incident`); nothing can be \
         approved, limited or verified any more.";
    BAD_PATTERN "P030" Error "bad pattern":
        "The pattern is empty, too long, or nothing searchable is left of it once invisible \
         characters are removed.";
    BAD_DURATION "P031" Error "bad duration":
        "A duration is a whole number and a unit: 250ms, 20s, 5m, 24h, 30d.";
    BAD_TIME "P032" Error "bad time":
        "A time of day is written 09:00 or 17:30 (24:00 ends a day), a day mon to sun, a time zone \
         as in Europe/Berlin.";
    EMPTY_LIST "P033" Error "empty list":
        "An empty list matches nothing, so the rule or selector could never match. Leave the key \
         out to match everything.";
    SYNTAX "P040" Error "expression syntax":
        "The expression is not of the `when` language: comparisons such as `amount > 500`, joined \
         by and, or and not. See the reference of the policy language.";
    EXPRESSION_TOO_LARGE "P041" Error "expression too large":
        "An expression is bounded in bytes, parts and nesting, so that deciding always ends soon. \
         Write several rules: they are joined by the strictest effect.";
    UNKNOWN_FUNCTION "P042" Error "unknown function":
        "The functions are addresses, all, any, count, default, domain, exists, has_read, host, lower, number, \
         rate, source and sum.";
    WRONG_ARGUMENTS "P043" Error "wrong arguments":
        "The function takes other arguments than it was given.";
    BAD_REGEX "P044" Error "bad regular expression":
        "The right of `~` is a regular expression that runs in linear time: no look-around, no \
         back-references, and a bounded size.";
    BAD_NUMBER "P045" Error "bad number":
        "Numbers are exact decimals of at most 28 digits. A number that would be rounded is \
         refused.";
    UNKNOWN_ARGUMENT "P050" Error "unknown argument":
        "A name that is no attribute is an argument of the tool, and no tool that the rule can be \
         about has such an argument, so the comparison would always be false.";
    TYPE_MISMATCH "P051" Error "types do not fit":
        "The two sides can never be compared: a text with a number, an unordered text by `<`. \
         Numbers are written without quotes.";
    NOT_A_CONDITION "P052" Error "not a condition":
        "The expression has a value that is neither true nor false, such as `amount` alone.";
    NOT_AVAILABLE "P053" Error "not available yet":
        "This part of the language is understood, but what it reads or does is not in this \
         version. It is refused rather than ignored, because a rule that silently does nothing is \
         worse than none.";
    UNKNOWN_ATTRIBUTE "P054" Error "unknown attribute":
        "The name begins like a known attribute but is none.";
    PATTERN_NOT_LITERAL "P055" Error "pattern is not a text":
        "The right of `matches` and `~` is a written pattern, so that it is checked once, at load.";
    RESULT_ELSEWHERE "P056" Error "reads a result that is not there":
        "`result` is what the tool answered. Only rules with `on: result` are judged after it has; an \
         argument of that name is `args.result`.";
    DUPLICATE_DOCUMENT "P060" Error "duplicate document":
        "Two documents of a set have the same name, so records could not tell them apart. The name \
         is `name`, or the file's.";
    TOO_MANY_RULES "P061" Error "too many rules":
        "A set has at most 10000 rules.";
    TOO_MANY_NEEDLES "P062" Error "too many texts to search for":
        "The texts of all `body_contains` conditions together are too many for one search.";
    TOOL_NOT_IN_CATALOGUE "P070" Warning "tool not in the catalogue":
        "The tool is not known (yet), so the names of its arguments were not checked. Until it is \
         known, its arguments count as possibly there.";
    UNCHECKED_ARGUMENTS "P071" Warning "arguments not checked":
        "No tool of the catalogue is within reach of the rule, so the names of arguments in it \
         were not checked.";
    GRANT_WITHOUT_TOOLS "P072" Warning "narrows nothing":
        "`resources` and `max_risk` narrow what `allowed_tools` or `actions` open, and the \
         document opens nothing. To make a rule about some resources use `match.resources`.";
    BAD_MAPPING "P074" Warning "descriptor mapping not usable":
        "A tool's descriptor maps an attribute by an expression that is not one over its \
         arguments. The attribute is unknown for every call of that tool, which is strict.";
    WORD_IS_ATTRIBUTE "P075" Warning "word on the right of an operator":
        "On the right of an operator a bare word is a text. Write `$user.id` to mean the \
         attribute, or quote it to mean the text.";
    NO_ENTITY "P076" Warning "no entity to read":
        "The rule reads a field of the live entity, and no tool that it can be about says in its \
         descriptor how its entity is looked up (`entity`), so the comparison is always false.";
}

#[cfg(test)]
mod tests {
    use super::{CODES, explain, known_code};

    #[test]
    fn codes_are_sorted_unique_and_explained() {
        for pair in CODES.windows(2) {
            assert!(
                pair[0].code < pair[1].code,
                "{} is out of order",
                pair[1].code
            );
        }
        for code in CODES {
            assert!(code.explanation.ends_with('.'), "{}", code.code);
            assert!(!code.title.is_empty(), "{}", code.code);
        }
        assert!(explain("p021").unwrap().contains("require_approval"));
        assert_eq!(explain("P999"), None);
        assert_eq!((known_code("P021"), known_code("P999")), ("P021", "P000"));
    }
}
