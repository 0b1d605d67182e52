//! `operations`: what the tool does, by name, HTTP method or tag.
//!
//! `["post_message", "delete_*", "method:POST", "category:issues"]`: one of them has to fit. A tool
//! of which nothing is known has a method and a tag that are unknown.

use serde_json::json;
use toolgate_model::Glob;

use crate::call::Call;
use crate::checker::Checker;
use crate::facts::attribute;
use crate::patterns::{Patterns, matches_any};
use crate::reading::Item;
use crate::ruling::Fault;
use crate::scope::Scope;
use crate::term::Term;
use crate::test::{Key, Test};
use crate::value::Answer;

pub(super) const KEY: Key = Key {
    name: "operations",
    doc: "operations by name or glob, `method:POST`, or `category:issues`",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read,
};

#[derive(Debug)]
struct Operations {
    names: Vec<Glob>,
    methods: Option<Patterns>,
    categories: Option<Patterns>,
}

fn read(checker: &mut Checker<'_, '_>, item: &Item<'_>) -> Option<Box<dyn Test>> {
    let (mut names, mut methods, mut categories) = (Vec::new(), Vec::new(), Vec::new());
    for glob in checker.report.globs(item)? {
        let text = glob.value.as_str();
        if let Some(method) = text.strip_prefix("method:") {
            methods.push(Glob::new(method.to_ascii_uppercase()));
        } else if let Some(category) = text.strip_prefix("category:") {
            categories.push(Glob::new(category));
        } else {
            names.push(glob.value);
        }
    }
    let over = |name, globs: Vec<Glob>| {
        let term = attribute(name)
            .filter(|_| !globs.is_empty())
            .map(Term::Attribute);
        term.map(|term| Patterns { term, globs })
    };
    Some(Box::new(Operations {
        names,
        methods: over("method", methods),
        categories: over("category", categories),
    }))
}

impl Test for Operations {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        let mut answer = match call.facts {
            Some(facts) => {
                let mut answer = Answer::FALSE;
                for name in facts.names().iter() {
                    answer = answer.or(matches_any(&self.names, name.operation(), call)?);
                }
                answer
            }
            None => Answer::UNKNOWN,
        };
        for patterns in [&self.methods, &self.categories].into_iter().flatten() {
            answer = answer.or(patterns.answer(call)?);
        }
        Ok(answer)
    }

    fn scope(&self) -> Scope {
        match (&self.methods, &self.categories) {
            (None, None) => Scope::operations(self.names.iter().cloned()),
            _ => Scope::Any,
        }
    }
}
