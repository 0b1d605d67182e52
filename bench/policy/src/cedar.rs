//! Cedar: one policy a rule, no entities, no schema check a request, the context built beforehand.

use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Context, Entities, EntityUid, PolicySet, Request, RestrictedExpression,
};

use crate::{Case, Engine, RULES_A_TOOL};

struct Cedar {
    authorizer: Authorizer,
    set: PolicySet,
    entities: Entities,
    request: Request,
    denies: bool,
}

pub fn engine(size: usize, case: Case) -> Option<Box<dyn Engine>> {
    let text: String = (0..size).map(rule).collect();
    let context = [
        ("amount", case.amount.to_string()),
        ("env", "\"prod\"".to_owned()),
        ("currency", "\"eur\"".to_owned()),
        ("risk", "3".to_owned()),
    ];
    let pairs = context.map(|(key, value)| {
        let value = RestrictedExpression::from_str(&value).unwrap();
        (key.to_owned(), value)
    });
    let uid = |text: &str| EntityUid::from_str(text).unwrap();
    let request = Request::new(
        uid(r#"Agent::"billing_agent""#),
        uid(r#"Action::"pay0.refund""#),
        uid(r#"Gate::"gate""#),
        Context::from_pairs(pairs).unwrap(),
        None,
    );
    Some(Box::new(Cedar {
        authorizer: Authorizer::new(),
        set: PolicySet::from_str(&text).unwrap(),
        entities: Entities::empty(),
        request: request.unwrap(),
        denies: case.denials > 0,
    }))
}

fn rule(at: usize) -> String {
    let action = format!(r#"Action::"pay{}.refund""#, at / RULES_A_TOOL);
    let (kind, when) = match at % RULES_A_TOOL {
        0 => (
            "permit",
            r#"(context.env == "prod" || context.env == "staging") && context.risk <= 3"#
                .to_owned(),
        ),
        k => (
            "forbid",
            format!(
                r#"context.amount > {} && context.env == "prod" && context.currency != "xxx""#,
                k * 1_000
            ),
        ),
    };
    format!("{kind}(principal, action == {action}, resource) when {{ {when} }};\n")
}

impl Engine for Cedar {
    fn decide(&mut self) -> (usize, usize) {
        let response = self
            .authorizer
            .is_authorized(&self.request, &self.set, &self.entities);
        let determining = response.diagnostics().reason().count();
        // Cedar names the policies of its decision alone: denials where one holds, else permits.
        if self.denies {
            (0, determining)
        } else {
            (determining, 0)
        }
    }
}
