//! Step 4: how far does this identity reach?
//!
//! Credential scope ∩ role ∩ (profile grants ∪ policy grants). The same code answers whether a
//! tool is shown at all, so that a list never shows what may not be called.

use toolgate_model::{
    Code, Coverage, Denial, Descriptor, Identity, Permission, Profile, Reach, TokenKind,
};
use toolgate_policy::{Facts, PolicySet};

use crate::configuration::Configuration;

/// Whether the identity reaches the call.
///
/// # Errors
/// A [`Denial`] with the code of what was missed most narrowly.
pub(crate) fn check(
    configuration: &Configuration,
    identity: &Identity,
    facts: &Facts<'_>,
    (tool, reach): (&Descriptor, &Reach<'_>),
) -> Result<(), Denial> {
    let (agent, scope) = (&identity.agent, &identity.credential.scope);
    if !scope.allows(reach) || !(scope.agents.is_empty() || scope.agents.contains(&agent.id)) {
        let message = format!("the credential's scope does not cover `{}` here", tool.id);
        return Err(Denial::new(Code::OutOfScope, message));
    }
    role(identity, tool)?;
    match coverage(configuration, identity, facts, reach) {
        Coverage::Covered => Ok(()),
        Coverage::TooRisky => {
            let message = format!("`{}` is {} risk, above the ceiling", tool.id, tool.risk);
            Err(Denial::new(Code::RiskCeiling, message))
        }
        Coverage::Elsewhere => {
            let message = format!(
                "`{}` is not granted to `{}` for this resource, environment or workflow",
                tool.id, agent.id
            );
            Err(Denial::new(Code::ResourceNotGranted, message))
        }
        Coverage::NotNamed => {
            let message = format!("nothing grants `{}` to `{}`", tool.id, agent.id);
            Err(Denial::new(Code::NotGranted, message))
        }
    }
}

fn role(identity: &Identity, tool: &Descriptor) -> Result<(), Denial> {
    let role = identity.agent.role;
    let fits = role.kind() == TokenKind::Agent && role.may(Permission::to_invoke(tool.verb));
    if fits {
        return Ok(());
    }
    let message = format!("role `{role}` may not call tools that {}", tool.verb);
    Err(Denial::new(Code::RoleDenied, message))
}

fn coverage(
    configuration: &Configuration,
    identity: &Identity,
    facts: &Facts<'_>,
    reach: &Reach<'_>,
) -> Coverage {
    let own = match &identity.agent.profile {
        Profile::Admin => Coverage::Covered,
        Profile::Scoped { grants } => grants
            .iter()
            .map(|grant| grant.coverage(reach))
            .max()
            .unwrap_or(Coverage::NotNamed),
    };
    let granted = configuration
        .policies
        .as_ref()
        .map_or(Coverage::NotNamed, |set| set.grant_coverage(facts, reach).0);
    own.max(granted)
}

/// Whether some call of this tool could be reached, were it callable.
pub(crate) fn visible(
    configuration: &Configuration,
    identity: &Identity,
    facts: &Facts<'_>,
    (tool, reach): (&Descriptor, &Reach<'_>),
) -> bool {
    let (agent, scope) = (&identity.agent, &identity.credential.scope);
    let scoped =
        scope.opens(reach) && (scope.agents.is_empty() || scope.agents.contains(&agent.id));
    let own = match &agent.profile {
        Profile::Admin => true,
        Profile::Scoped { grants } => grants.iter().any(|grant| grant.opens(reach)),
    };
    let by_policy = || {
        let opens = |set: &PolicySet| set.grant_opens(facts, reach);
        configuration.policies.as_deref().is_some_and(opens)
    };
    scoped && role(identity, tool).is_ok() && (own || by_policy())
}
