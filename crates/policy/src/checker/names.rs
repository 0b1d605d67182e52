//! Names: what a word in an expression reads.
//!
//! `amount` is a local of `any` or `all`, an attribute, or an argument, in this order. `result.status`
//! is known only after the tool has run; `is_external_principal` reads recipient and host as they were
//! sent.
//!
//! Must not know: comparisons, functions.

use super::terms::{Checker, Root, Use};
use crate::diagnostics::{RESULT_ELSEWHERE, TYPE_MISMATCH, UNKNOWN_ATTRIBUTE, WORD_IS_ATTRIBUTE};
use crate::effects::Occasion;
use crate::external::External;
use crate::facts::{self, Attribute, Source};
use crate::language::{Expr, ExprKind};
use crate::path::{Path, Step};
use crate::plain::Place;
use crate::reading::Placed;
use crate::source::{Complaint, shown};
use crate::term::Term;
use crate::tree::Offsets;

impl Checker<'_, '_> {
    /// The term for a name that a normaliser may recognise or a descriptor map.
    pub(crate) fn mapped(&self, path: Path) -> Term {
        let mappings = self.mappings.get(&path.text).cloned().unwrap_or_default();
        Term::Mapped {
            place: Place::named(&path.text),
            path,
            mappings,
        }
    }

    /// The term for an attribute that is not only searched.
    pub(crate) fn fact(&mut self, name: &str) -> Option<Term> {
        let attribute = facts::attribute(name)?;
        match attribute.source {
            Source::Facts(_) => Some(Term::Attribute(attribute)),
            Source::Found(_) => {
                self.needs.data = true;
                Some(Term::Attribute(attribute))
            }
            Source::History(_) => {
                self.needs.history = true;
                Some(Term::Attribute(attribute))
            }
            Source::ToolSignals => {
                self.needs.tool_signals = true;
                Some(Term::Attribute(attribute))
            }
            Source::External => Some(self.external()),
            Source::Mapped => Path::parse(name).map(|path| self.mapped(path)),
            Source::Body | Source::Result => None,
        }
    }

    /// Recipient and host as they stand: who is outside is judged on each as it was sent.
    fn external(&self) -> Term {
        let raw = |name: &str| {
            let path = Path {
                text: name.to_owned(),
                steps: vec![Step::Name(name.to_owned())],
            };
            let mappings = self.mappings.get(name).cloned().unwrap_or_default();
            let place = Place::Other;
            Term::Mapped {
                path,
                mappings,
                place,
            }
        };
        Term::External(Box::new(External {
            recipient: raw("recipient"),
            host: raw("host"),
        }))
    }

    pub(super) fn warn_of_attribute(&mut self, word: &str, expr: &Expr) {
        let head = word.split(['.', '[']).next().unwrap_or_default();
        let local = |local: &String| local == word || local == head;
        let known = facts::attribute(word).is_some() || self.locals.iter().any(local);
        let dotted = known && word.contains('.');
        let rooted = word.starts_with("args.") || word.starts_with("entity.");
        if dotted || rooted {
            let message = format!("`{}` is a text here, not the attribute", shown(word));
            let help = format!("write `${}` for the attribute, or quote it", shown(word));
            self.complain(WORD_IS_ATTRIBUTE, expr, &message, &help);
        }
    }

    pub(super) fn name(&mut self, name: &str, expr: &Expr) -> Option<Term> {
        let head = name.split(['.', '[']).next().unwrap_or_default();
        let local = |local: &String| local == name || local == head;
        if let Some(slot) = self.locals.iter().rposition(local) {
            let mut path = self.path(name, expr)?;
            if head != name && self.locals.get(slot).is_some_and(|local| local == name) {
                // A local with a dot in its name is one step.
                path.steps.truncate(1);
            }
            return Some(Term::Local { slot, path });
        }
        if self.locals_only {
            self.not_a_local(name, expr);
            return None;
        }
        if let Some(attribute) = facts::attribute(name) {
            return self.attribute(attribute, expr);
        }
        if let Some(argument) = name.strip_prefix("args.") {
            let path = self.path(argument, expr)?;
            self.note_use(Root::Argument, &path, expr);
            return Some(Term::Argument(path));
        }
        if let Some(field) = name.strip_prefix("result.") {
            self.about_result(name, expr)?;
            return self.path(field, expr).map(Term::Result);
        }
        if let Some(field) = name.strip_prefix("entity.") {
            let path = self.path(field, expr)?;
            self.note_use(Root::Entity, &path, expr);
            return Some(Term::Entity(path));
        }
        let parts = facts::parts_of(head);
        let whole = facts::attribute(head).filter(|known| !matches!(known.source, Source::Mapped));
        if !parts.is_empty() || whole.is_some() {
            let message = format!("`{}` is not an attribute", shown(name));
            let complaint = Complaint::new(UNKNOWN_ATTRIBUTE, message);
            let complaint = match parts.is_empty() {
                true => complaint.help(format!(
                    "`{head}` has no parts; an argument is `args.{}`",
                    shown(name)
                )),
                false => complaint.suggest(name, &parts),
            };
            self.push(complaint, expr);
            return None;
        }
        let path = self.path(name, expr)?;
        self.note_use(Root::Argument, &path, expr);
        Some(self.mapped(path))
    }

    fn not_a_local(&mut self, name: &str, expr: &Expr) {
        let message = format!("there is no `{}` here", shown(name));
        let help = format!(
            "names begin with {}; texts are quoted",
            self.locals.join(", ")
        );
        self.complain(UNKNOWN_ATTRIBUTE, expr, &message, &help);
    }

    /// Whether the name stands for the searchable texts of the call.
    pub(super) fn is_body(&self, name: &str) -> bool {
        name == "body" && !self.locals_only
    }

    fn attribute(&mut self, attribute: &'static Attribute, expr: &Expr) -> Option<Term> {
        match attribute.source {
            Source::Result => {
                self.about_result(attribute.name, expr)?;
                let (text, steps) = (attribute.name.to_owned(), Vec::new());
                Some(Term::Result(Path { text, steps }))
            }
            Source::Body => {
                let help = "search it: `body contains \"deal #\"`";
                self.complain(
                    TYPE_MISMATCH,
                    expr,
                    "`body` is only searched, with `contains`",
                    help,
                );
                None
            }
            _ => self.fact(attribute.name),
        }
    }

    /// Refuses what only a rule about results can read.
    fn about_result(&mut self, name: &str, expr: &Expr) -> Option<()> {
        if self.occasion == Occasion::Result {
            return Some(());
        }
        let message = format!("`{}` is not known before the tool has run", shown(name));
        let help =
            "write `\"on\": \"result\"` into the rule; an argument of that name is `args.result`";
        self.complain(RESULT_ELSEWHERE, expr, &message, help);
        None
    }

    fn path(&mut self, name: &str, expr: &Expr) -> Option<Path> {
        let path = Path::parse(name);
        if path.is_none() {
            let message = format!("`{}` is not a name", shown(name));
            self.complain(
                UNKNOWN_ATTRIBUTE,
                expr,
                &message,
                "quote texts with \" or '",
            );
        }
        path
    }

    /// Notes that a rule replaces a field of the arguments.
    pub(crate) fn note_field(&mut self, path: &Path, written: &Placed<Path>) {
        self.uses.push(Use {
            root: Root::Argument,
            path: path.clone(),
            at: written.at.clone(),
            pointer: written.path.clone(),
            asks: false,
        });
    }

    /// The argument or mapped attribute that a path names.
    pub(crate) fn number_at(&mut self, written: &Placed<Path>) -> Option<Term> {
        let expr = Expr {
            at: 0..0,
            kind: ExprKind::Name(written.value.text.clone()),
        };
        let before = self.uses.len();
        self.place = Some((Offsets::Plain(written.at.start), written.path.clone()));
        let term = self.name(&written.value.text, &expr)?;
        for used in self.uses.iter_mut().skip(before) {
            used.at = written.at.clone();
        }
        if matches!(term, Term::Argument(_) | Term::Mapped { .. }) {
            return Some(term);
        }
        let message = format!(
            "`{}` is no argument and nothing mapped",
            shown(&written.value.text)
        );
        self.complain(
            TYPE_MISMATCH,
            &expr,
            &message,
            "sum an argument, as in `args.amount`",
        );
        None
    }

    fn note_use(&mut self, root: Root, path: &Path, expr: &Expr) {
        let (at, pointer) = self.place_of(expr);
        let path = path.clone();
        self.uses.push(Use {
            root,
            path,
            at,
            pointer,
            asks: false,
        });
    }
}
