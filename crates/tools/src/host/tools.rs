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
