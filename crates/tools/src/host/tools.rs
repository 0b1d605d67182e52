//! The tools of a host as descriptors. Pure.
//!
//! What a trusted host states is taken as it stands, as an operator's word is; what anybody else
//! states may only make a tool look more dangerous than its name and schema do. What the operator
//! states about a tool wins over both.
//!
//! Must not know: who registered what.

use std::sync::Arc;

use serde_json::value::to_raw_value;
use toolgate_model::{
    Descriptor, Duration, HostStatement, HostTool, Risk, RiskScore, Runner, Verb,
};

use crate::config::{Overrides, SourceConfig, ToolOverride};
use crate::describe::{Offered, Origin, UnavailableTool, describe};
use crate::era::Era;
use crate::names;

/// How long one run may take by the word of a host.
// LIMIT: ten minutes, the most that a caller may ask for: silence is noticed no later.
const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// Describes these tools, in their order; those that cannot be described are left out.
pub(super) fn described<'t>(
    config: &SourceConfig,
    tools: impl Iterator<Item = &'t HostTool>,
    overrides: &Overrides,
) -> (Vec<Offered>, Vec<UnavailableTool>) {
    let (mut offered, mut unavailable) = (Vec::new(), Vec::new());
    for tool in tools {
        match describe_one(config, tool, overrides) {
            Ok(tool) => offered.push(tool),
            Err(reason) => unavailable.push(UnavailableTool {
                source: config.name.clone(),
                tool: tool.name.clone(),
                reason,
            }),
        }
    }
    (offered, unavailable)
}

/// Describes one tool.
///
/// # Errors
/// Why it cannot be described, and how to put it right.
pub(super) fn describe_one(
    config: &SourceConfig,
    tool: &HostTool,
    overrides: &Overrides,
) -> Result<Offered, String> {
    let origin = Origin {
        source: &config.name,
        wire_names: config.wire_names,
        limits: config.limits,
        version: None,
        era: Era::Modern,
        headers: None,
        effect: config.effect,
    };
    let stated = &tool.stated;
    let timeout = stated.timeout.unwrap_or_default();
    if timeout > TIMEOUT_MAX {
        return Err(format!(
            "its timeout of {timeout} is longer than the {TIMEOUT_MAX} allowed"
        ));
    }
    let id = names::tool_id(origin.source, &tool.name)?;
    let own = overrides.get(&id).cloned().unwrap_or_default();
    let merged = Overrides::from([(id, over(own.clone(), stated))]);
    let definition = to_raw_value(&tool.definition()).map_err(|error| error.to_string())?;
    let (mut offered, mut unavailable) = describe(origin, &[definition], &merged);
    let Some(offered) = offered.pop() else {
        let reason = unavailable.pop().map(|one| one.reason);
        return Err(reason.unwrap_or_else(|| "it cannot be described".to_owned()));
    };
    let descriptor = Descriptor {
        runner: Runner::Host,
        ..offered.descriptor.as_ref().clone()
    };
    Ok(Offered {
        descriptor: Arc::new(rated(descriptor, (&own, stated))),
        ..offered
    })
}

/// What the operator states, and where they say nothing what a trusted host does.
fn over(own: ToolOverride, stated: &HostStatement) -> ToolOverride {
    let word = if stated.trusted {
        stated.clone()
    } else {
        HostStatement {
            timeout: stated.timeout,
            version: stated.version.clone(),
            ..HostStatement::default()
        }
    };
    let attributes = match own.attributes.is_empty() {
        true => word.attributes,
        false => own.attributes,
    };
    ToolOverride {
        verb: own.verb.or(word.verb),
        resource: own.resource.or(word.resource),
        timeout: own.timeout.or(word.timeout),
        effect: own.effect.or(word.effect),
        category: own.category.or(word.category),
        version: own.version.or(word.version),
        attributes,
        ..own
    }
}

/// The rating with the host's own word on it where the operator says nothing: as it is from a
/// trusted one, and from anybody else only where it is the higher one.
fn rated(descriptor: Descriptor, (own, stated): (&ToolOverride, &HostStatement)) -> Descriptor {
    let raises = |risk: &Risk| own.risk.is_none() && (stated.trusted || *risk > descriptor.risk);
    let risk = stated.risk.filter(raises);
    let raises = |verb: &Verb| own.verb.is_none() && *verb > descriptor.verb;
    let verb = stated.verb.filter(raises);
    Descriptor {
        risk: risk.unwrap_or(descriptor.risk),
        risk_score: risk.map_or(descriptor.risk_score, RiskScore::of_band),
        risk_reason: match risk {
            Some(_) => "its host says so".to_owned(),
            None => descriptor.risk_reason,
        },
        verb: verb.unwrap_or(descriptor.verb),
        ..descriptor
    }
}

#[cfg(test)]
mod tests {
    use super::describe_one;
    use crate::config::{Overrides, SourceConfig, SourceKind, ToolOverride};
    use expect_test::{Expect, expect};
    use serde_json::json;
    use toolgate_model::{Effect, HostStatement, HostTool, ResourceTemplate, Risk, Runner, Verb};

    /// What is known of a tool of this name that states everything there is to state.
    fn check(
        name: &str,
        (trusted, risk, verb): (bool, Risk, Verb),
        own: ToolOverride,
        expected: Expect,
    ) {
        let tool = HostTool {
            name: name.to_owned(),
            description: None,
            input_schema: json!({"type": "object", "properties": {"id": {"type": "string"}}}),
            stated: HostStatement {
                registered: true,
                trusted,
                risk: Some(risk),
                verb: Some(verb),
                effect: Some(Effect::None),
                resource: ResourceTemplate::parse("account:{args.id}").ok(),
                timeout: Some(toolgate_model::Duration::from_secs(5)),
                category: Some("billing".to_owned()),
                version: Some("2.0.0".to_owned()),
                attributes: [("path".to_owned(), "args.id".to_owned())].into(),
            },
        };
        let config = SourceConfig::new("app", SourceKind::Host(Box::default()));
        let overrides = Overrides::from([(format!("app.{name}").parse().unwrap(), own)]);
        let found = describe_one(&config, &tool, &overrides).unwrap().descriptor;
        assert_eq!(found.runner, Runner::Host);
        let resource = found.resource.as_ref().map(ResourceTemplate::as_str);
        let attributes: Vec<_> = found.attributes.keys().collect();
        let shown = format!(
            "{} {} {:?} {resource:?} {} {:?} {} {attributes:?}",
            found.risk, found.verb, found.effect, found.timeout, found.category, found.version
        );
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_trusted_host_is_taken_at_its_word() {
        check(
            "delete_account",
            (true, Risk::Low, Verb::Read),
            ToolOverride::default(),
            expect![[
                r#"low READ None Some("account:{args.id}") 5s Some("billing") 2.0.0 ["path"]"#
            ]],
        );
    }

    #[test]
    fn anybody_else_raises_and_never_lowers() {
        check(
            "delete_account",
            (false, Risk::Low, Verb::Read),
            ToolOverride::default(),
            expect!["high DELETE Some None 5s None 2.0.0 []"],
        );
        check(
            "get_account",
            (false, Risk::Critical, Verb::Admin),
            ToolOverride::default(),
            expect!["critical ADMIN Some None 5s None 2.0.0 []"],
        );
    }

    #[test]
    fn the_operator_wins_over_both() {
        for trusted in [true, false] {
            let own = ToolOverride {
                risk: Some(Risk::Medium),
                verb: Some(Verb::Write),
                effect: Some(Effect::Some),
                version: Some("9".to_owned()),
                category: Some("ours".to_owned()),
                resource: ResourceTemplate::parse("ours:{args.id}").ok(),
                attributes: [("amount".to_owned(), "args.id".to_owned())].into(),
                ..ToolOverride::default()
            };
            check(
                "delete_account",
                (trusted, Risk::Critical, Verb::Admin),
                own,
                expect![[
                    r#"medium WRITE Some Some("ours:{args.id}") 5s Some("ours") 9 ["amount"]"#
                ]],
            );
        }
    }
}
