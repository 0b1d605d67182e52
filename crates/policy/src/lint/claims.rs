//! What the parts of a rule claim of its attributes, and what follows from that.
//!
//! `amount > 500 and env == prod` makes two claims. Two claims about one attribute can be at odds
//! (`amount > 500`, `amount < 100`), and one can follow from another (`amount > 500` from
//! `amount > 800`). What is no such claim is kept as its text: it follows only from itself.
//!
//! INVARIANT: "at odds" and "follows" are certain; where this page cannot say, it says no.
//!
//! Must not know: effects, documents.

use rust_decimal::Decimal;
use toolgate_model::Glob;

use super::glob::{covers, meet};
use crate::compare::Judge;
use crate::node::{Comparison, Node, NodeKind, Relation};
use crate::term::{Literal, Term};
use crate::test::{Part, PartKind};

/// LIMIT: alternatives that the `or`s of one rule make; beyond them an `or` is one opaque claim.
const ALTERNATIVES_MAX: usize = 32;

/// One claim of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    /// The attribute or argument; none where it is only a text.
    pub(super) subject: Option<String>,
    /// What is claimed of it.
    pub(super) says: Says,
    /// Its text, without white space, and with a `!` where it is denied.
    text: String,
    /// Whether the attribute is one value; of a list each of two claims may mean another element.
    scalar: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Says {
    /// It fits one of these.
    Fits(Vec<Glob>),
    /// It fits none of these.
    FitsNone(Vec<Glob>),
    /// It is a number from here to there; each bound with whether it is in.
    Between(Option<(Decimal, bool)>, Option<(Decimal, bool)>),
    /// It is this.
    Is(bool),
    /// Only its text is known.
    Text,
}

/// Attributes that every call has: a claim about them is true or false, never unknown.
const ALWAYS_THERE: [&str; 8] = [
    "agent",
    "agent_id",
    "operation",
    "risk",
    "role",
    "tool",
    "tool_name",
    "verb",
];

/// What two claims at odds are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Odds {
    /// The attribute; none where one text is claimed and denied.
    pub(super) subject: Option<String>,
    /// Whether no call at all can make both unknown.
    pub(super) certain: bool,
}

/// The ways in which all of these parts can hold: in each, every claim does.
pub(super) fn alternatives<'p>(parts: impl Iterator<Item = &'p Part>) -> Vec<Vec<Claim>> {
    let mut all: Vec<Vec<Claim>> = vec![Vec::new()];
    for part in parts {
        let ways = match &part.kind {
            PartKind::Expression(node) => ways(node, &part.text, true),
            PartKind::Test(_) => vec![vec![of_test(part)]],
        };
        all = joined(&all, &ways).unwrap_or_else(|| {
            let one = vec![vec![opaque(&part.text, true)]];
            joined(&all, &one).unwrap_or(all)
        });
    }
    all
}

/// Two claims of one alternative that cannot both hold.
pub(super) fn odds(claims: &[Claim]) -> Option<Odds> {
    let mut pairs = claims
        .iter()
        .enumerate()
        .flat_map(|(place, one)| claims.iter().skip(place + 1).map(move |other| (one, other)));
    pairs.find_map(|(one, other)| at_odds(one, other).then(|| Odds::of(one)))
}

/// Whether the part holds, or cannot be judged, wherever all of these claims do or cannot.
pub(super) fn implies(claims: &[Claim], part: &Part) -> bool {
    match &part.kind {
        PartKind::Expression(node) => node_follows(claims, node, &part.text, true),
        PartKind::Test(_) => follows(claims, &of_test(part)),
    }
}

impl Odds {
    fn of(claim: &Claim) -> Self {
        let always = |subject: &String| ALWAYS_THERE.contains(&subject.as_str());
        Self {
            certain: claim.subject.as_ref().is_some_and(always),
            subject: claim.subject.clone(),
        }
    }
}

fn joined(all: &[Vec<Claim>], ways: &[Vec<Claim>]) -> Option<Vec<Vec<Claim>>> {
    if all.len().saturating_mul(ways.len()) > ALTERNATIVES_MAX {
        return None;
    }
    let pairs = all
        .iter()
        .flat_map(|one| ways.iter().map(move |way| (one, way)));
    Some(
        pairs
            .map(|(one, way)| [one.as_slice(), way].concat())
            .collect(),
    )
}

fn ways(node: &Node, text: &str, holds: bool) -> Vec<Vec<Claim>> {
    match (&node.kind, holds) {
        (NodeKind::Not(inner), _) => ways(inner, text, !holds),
        (NodeKind::And(parts), true) | (NodeKind::Or(parts), false) => {
            let mut all = vec![Vec::new()];
            for part in parts {
                let part_ways = ways(part, text, holds);
                let opaque = || vec![vec![opaque(slice(part, text), holds)]];
                all = joined(&all, &part_ways)
                    .or_else(|| joined(&all, &opaque()))
                    .unwrap_or(all);
            }
            all
        }
        (NodeKind::Or(parts), true) | (NodeKind::And(parts), false)
            if parts.len() <= ALTERNATIVES_MAX =>
        {
            parts
                .iter()
                .flat_map(|part| ways(part, text, holds))
                .collect()
        }
        _ => vec![vec![of_node(node, text, holds)]],
    }
}

fn node_follows(claims: &[Claim], node: &Node, text: &str, holds: bool) -> bool {
    let each = |parts: &[Node], all: bool| {
        let mut parts = parts.iter();
        let mut one = |part: &Node| node_follows(claims, part, text, holds);
        if all {
            parts.all(&mut one)
        } else {
            parts.any(&mut one)
        }
    };
    match (&node.kind, holds) {
        (NodeKind::Constant(value), _) => *value == holds,
        (NodeKind::Not(inner), _) => node_follows(claims, inner, text, !holds),
        (NodeKind::And(parts), true) | (NodeKind::Or(parts), false) => each(parts, true),
        (NodeKind::Or(parts), true) | (NodeKind::And(parts), false) => {
            each(parts, false) || follows(claims, &opaque(slice(node, text), holds))
        }
        _ => follows(claims, &of_node(node, text, holds)),
    }
}

fn follows(claims: &[Claim], wanted: &Claim) -> bool {
    claims.iter().any(|claim| entails(claim, wanted))
}

fn slice<'t>(node: &Node, text: &'t str) -> &'t str {
    text.get(node.at.clone()).unwrap_or_default()
}

fn opaque(text: &str, holds: bool) -> Claim {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    Claim {
        subject: None,
        says: Says::Text,
        text: if holds { plain } else { format!("!{plain}") },
        scalar: true,
    }
}

fn of_test(part: &Part) -> Claim {
    let text = format!("{}{}", part.place, part.text);
    let PartKind::Test(test) = &part.kind else {
        return opaque(&text, true);
    };
    match test.patterns() {
        Some((term, globs)) => Claim {
            subject: subject(term),
            says: Says::Fits(globs.to_vec()),
            // A place may be a list, of which one element is enough.
            scalar: matches!(term, Term::Attribute(_)) && !is_list(term),
            ..opaque(&text, true)
        },
        None => opaque(&text, true),
    }
}

fn is_list(term: &Term) -> bool {
    let Term::Attribute(attribute) = term else {
        return true;
    };
    !matches!(
        attribute.kind,
        crate::facts::Type::Text | crate::facts::Type::Risk | crate::facts::Type::Words(_)
    )
}

/// What a comparison is about, where its left side is plainly an attribute or argument.
fn subject(term: &Term) -> Option<String> {
    match term {
        Term::Attribute(_) | Term::Argument(_) | Term::Entity(_) => term.subject(),
        // What a descriptor maps is another value than the argument of that name.
        Term::Mapped { path, .. } => Some(path.text.clone()),
        _ => None,
    }
}

fn of_node(node: &Node, text: &str, holds: bool) -> Claim {
    let plain = opaque(slice(node, text), holds);
    let (term, says) = match &node.kind {
        NodeKind::Compare(comparison) => (&comparison.left, of_comparison(comparison, holds)),
        NodeKind::Holds(term) => (term, Some(Says::Is(holds))),
        _ => return plain,
    };
    match (subject(term), says) {
        (Some(subject), Some(says)) => Claim {
            subject: Some(subject),
            says,
            ..plain
        },
        _ => plain,
    }
}

fn of_comparison(comparison: &Comparison, holds: bool) -> Option<Says> {
    let fits = |globs: Vec<Glob>| match holds {
        true => Says::Fits(globs),
        false => Says::FitsNone(globs),
    };
    match &comparison.relation {
        Relation::Glob(glob) => Some(fits(vec![glob.clone()])),
        Relation::OneOf(terms) => {
            let globs: Option<Vec<Glob>> = terms.iter().map(word).collect();
            globs.map(fits)
        }
        Relation::To(Judge::Equal, term) if word(term).is_some() => {
            word(term).map(|glob| fits(vec![glob]))
        }
        Relation::To(Judge::Equal, Term::Literal(Literal::Bool(value))) => {
            Some(Says::Is(*value == holds))
        }
        Relation::To(judge, Term::Literal(Literal::Number(bound))) => range(*judge, *bound, holds),
        _ => None,
    }
}

/// A text as a glob that fits only it.
fn word(term: &Term) -> Option<Glob> {
    let text = match term {
        Term::Literal(Literal::Text(text)) => text.as_str(),
        Term::Literal(Literal::Risk(risk)) => risk.as_str(),
        _ => return None,
    };
    let glob = Glob::new(text);
    glob.is_exact().then_some(glob)
}

fn range(judge: Judge, bound: Decimal, holds: bool) -> Option<Says> {
    let above = |inside| Says::Between(Some((bound, inside)), None);
    let below = |inside| Says::Between(None, Some((bound, inside)));
    Some(match (judge, holds) {
        (Judge::Greater, true) | (Judge::LessOrEqual, false) => above(false),
        (Judge::GreaterOrEqual, true) | (Judge::Less, false) => above(true),
        (Judge::Less, true) | (Judge::GreaterOrEqual, false) => below(false),
        (Judge::LessOrEqual, true) | (Judge::Greater, false) => below(true),
        (Judge::Equal, true) => Says::Between(Some((bound, true)), Some((bound, true))),
        _ => return None,
    })
}

fn at_odds(one: &Claim, other: &Claim) -> bool {
    if one.subject.is_none() || one.subject != other.subject {
        let denies = |a: &Claim, b: &Claim| a.text.strip_prefix('!') == Some(b.text.as_str());
        return denies(one, other) || denies(other, one);
    }
    if !(one.scalar && other.scalar) {
        return false;
    }
    match (&one.says, &other.says) {
        (Says::Fits(ours), Says::Fits(theirs)) => {
            !ours.iter().any(|a| theirs.iter().any(|b| meet(a, b)))
        }
        (Says::Fits(fits), Says::FitsNone(none)) | (Says::FitsNone(none), Says::Fits(fits)) => fits
            .iter()
            .all(|inner| none.iter().any(|outer| covers(outer, inner))),
        (Says::Between(low, high), Says::Between(other_low, other_high)) => {
            is_empty(low, other_high) || is_empty(other_low, high)
        }
        (Says::Is(one), Says::Is(other)) => one != other,
        (Says::Between(..), Says::Fits(_) | Says::Is(_))
        | (Says::Fits(_) | Says::Is(_), Says::Between(..)) => true,
        _ => false,
    }
}

/// Whether nothing lies from `low` up to `high`.
fn is_empty(low: &Option<(Decimal, bool)>, high: &Option<(Decimal, bool)>) -> bool {
    match (low, high) {
        (Some((low, low_in)), Some((high, high_in))) => {
            low > high || (low == high && !(*low_in && *high_in))
        }
        _ => false,
    }
}

fn entails(claim: &Claim, wanted: &Claim) -> bool {
    if claim.text == wanted.text {
        return true;
    }
    // A place of `match` and the same word in `when` differ on lists and on look-alikes.
    if claim.subject.is_none() || claim.subject != wanted.subject || claim.scalar != wanted.scalar {
        return false;
    }
    match (&claim.says, &wanted.says) {
        (Says::Fits(ours), Says::Fits(wanted)) => ours
            .iter()
            .all(|inner| wanted.iter().any(|outer| covers(outer, inner))),
        (Says::FitsNone(ours), Says::FitsNone(wanted)) => wanted
            .iter()
            .all(|inner| ours.iter().any(|outer| covers(outer, inner))),
        (Says::Fits(ours), Says::FitsNone(none)) => {
            claim.scalar && !ours.iter().any(|a| none.iter().any(|b| meet(a, b)))
        }
        (Says::Between(low, high), Says::Between(wanted_low, wanted_high)) => {
            reaches(low, wanted_low, |low, wanted| low > wanted)
                && reaches(high, wanted_high, |high, wanted| high < wanted)
        }
        (Says::Is(ours), Says::Is(wanted)) => ours == wanted,
        _ => false,
    }
}

/// Whether a bound is at least as tight as the one that is wanted.
fn reaches(
    bound: &Option<(Decimal, bool)>,
    wanted: &Option<(Decimal, bool)>,
    tighter: fn(&Decimal, &Decimal) -> bool,
) -> bool {
    match (bound, wanted) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some((bound, inside)), Some((wanted, wanted_inside))) => {
            tighter(bound, wanted) || (bound == wanted && (*wanted_inside || !inside))
        }
    }
}
