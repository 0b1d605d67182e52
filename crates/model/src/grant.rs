//! Reach: what a profile, a policy or a credential opens.
//!
//! A **grant** opens tools, resources, plugin actions, environments and workflows up to a risk
//! ceiling. A **scope** only narrows: it belongs to a credential. Grants open, rules tighten,
//! and nothing else does either (2-decision, 2).

use serde::{Deserialize, Serialize};

use crate::{AgentId, Glob, Risk};

/// One line of reach. An empty list opens nothing on that axis for tools and actions, and is
/// no restriction for resources, environments and workflows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Tools, exact or pattern: `stripe.refund`, `tickets.*`.
    #[serde(default)]
    pub tools: Vec<Glob>,
    /// Resources, `customer:*`. Empty: any resource, and calls without one.
    #[serde(default)]
    pub resources: Vec<Glob>,
    /// Plugin actions, `{provider}:{action}`.
    #[serde(default)]
    pub actions: Vec<Glob>,
    /// Environments. Empty: any.
    #[serde(default)]
    pub envs: Vec<Glob>,
    /// Workflows. Empty: any.
    #[serde(default)]
    pub workflows: Vec<Glob>,
    /// The highest risk it opens. None: whatever the tools have.
    #[serde(default)]
    pub max_risk: Option<Risk>,
}

/// What an agent may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Profile {
    /// Grants nothing until something is listed. The default.
    Scoped {
        /// What is listed.
        #[serde(default)]
        grants: Vec<Grant>,
    },
    /// No limits of reach; rules and posture still bind it.
    Admin,
}

impl Default for Profile {
    fn default() -> Self {
        Self::Scoped { grants: Vec::new() }
    }
}

/// What a credential narrows its agent's reach to. An empty list narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Tools.
    #[serde(default)]
    pub tools: Vec<Glob>,
    /// Plugin actions.
    #[serde(default)]
    pub actions: Vec<Glob>,
    /// Environments. With exactly one plain name, that is the environment of every call.
    #[serde(default)]
    pub envs: Vec<Glob>,
    /// Agents that the credential may act as or delegate to.
    #[serde(default)]
    pub agents: Vec<AgentId>,
    /// Workflows. With exactly one plain name, that is the workflow of every call.
    #[serde(default)]
    pub workflows: Vec<Glob>,
    /// Resources.
    #[serde(default)]
    pub resources: Vec<Glob>,
}

/// What one call needs opened. Borrowed from the call; the gate asks every grant with it.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'c> {
    /// The tool's full name.
    pub tool: &'c str,
    /// Its other name, `{source}.{method}.{path…}`, where it has one.
    pub route: Option<&'c str>,
    /// The plugin action, `{provider}:{action}`, where the tool is one.
    pub action: Option<&'c str>,
    /// The resource, and whether the gate derived it itself.
    pub resource: Option<(&'c str, bool)>,
    /// The environment.
    pub env: Option<&'c str>,
    /// The workflow.
    pub workflow: Option<&'c str>,
    /// The tool's risk.
    pub risk: Risk,
}

/// How far a grant covers a call: the reasons are ordered, the nearest miss is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coverage {
    /// The tool or action is not named.
    NotNamed,
    /// Named, but not for this resource, environment or workflow.
    Elsewhere,
    /// Named there, but the tool's risk is above the ceiling.
    TooRisky,
    /// Covered.
    Covered,
}

impl Grant {
    /// How far this grant covers the call. A missing or merely claimed resource is covered only
    /// by no restriction or by `*` (2-decision, 1); a missing environment or workflow only by no
    /// restriction: an unknown grant does not hold.
    pub fn coverage(&self, reach: &Reach<'_>) -> Coverage {
        let named = names_tool(&self.tools, reach)
            || reach
                .action
                .is_some_and(|action| any(&self.actions, action));
        let there = resource_fits(&self.resources, reach.resource)
            && fits(&self.envs, reach.env)
            && fits(&self.workflows, reach.workflow);
        if !named {
            Coverage::NotNamed
        } else if !there {
            Coverage::Elsewhere
        } else if self.max_risk.is_some_and(|ceiling| reach.risk > ceiling) {
            Coverage::TooRisky
        } else {
            Coverage::Covered
        }
    }
}

impl Grant {
    /// Whether some call of this tool could be covered: on the resource and in the environment and
    /// workflow given, where they are known already, else on and in some.
    pub fn opens(&self, reach: &Reach<'_>) -> bool {
        let somewhere = |globs: &[Glob], value: Option<&str>| value.is_none() || fits(globs, value);
        let on_it = reach.resource.is_none() || resource_fits(&self.resources, reach.resource);
        let named = names_tool(&self.tools, reach)
            || reach
                .action
                .is_some_and(|action| any(&self.actions, action));
        named
            && on_it
            && somewhere(&self.envs, reach.env)
            && somewhere(&self.workflows, reach.workflow)
            && self.max_risk.is_none_or(|ceiling| reach.risk <= ceiling)
    }
}

impl Scope {
    /// Whether some call of this tool could be allowed (see [`Grant::opens`]).
    pub fn opens(&self, reach: &Reach<'_>) -> bool {
        let resources = if reach.resource.is_none() {
            Vec::new()
        } else {
            self.resources.clone()
        };
        let unbound = Self {
            resources,
            ..self.clone()
        };
        let envs = if reach.env.is_none() {
            Vec::new()
        } else {
            unbound.envs
        };
        let workflows = if reach.workflow.is_none() {
            Vec::new()
        } else {
            unbound.workflows
        };
        Self {
            envs,
            workflows,
            ..unbound
        }
        .allows(reach)
    }

    /// Whether the credential's scope allows the call.
    pub fn allows(&self, reach: &Reach<'_>) -> bool {
        let named = match reach.action {
            Some(action) if !self.actions.is_empty() => any(&self.actions, action),
            _ => self.tools.is_empty() || names_tool(&self.tools, reach),
        };
        named
            && resource_fits(&self.resources, reach.resource)
            && fits(&self.envs, reach.env)
            && fits(&self.workflows, reach.workflow)
    }

    /// The environment that the scope fixes, if it names exactly one.
    pub fn fixed_env(&self) -> Option<&str> {
        only(&self.envs)
    }

    /// The workflow that the scope fixes, if it names exactly one.
    pub fn fixed_workflow(&self) -> Option<&str> {
        only(&self.workflows)
    }
}

fn only(globs: &[Glob]) -> Option<&str> {
    match globs {
        [one] if one.is_exact() => Some(one.as_str()),
        _ => None,
    }
}

fn any(globs: &[Glob], text: &str) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}

/// Whether the tool is named by one of its names.
fn names_tool(globs: &[Glob], reach: &Reach<'_>) -> bool {
    any(globs, reach.tool) || reach.route.is_some_and(|route| any(globs, route))
}

fn fits(globs: &[Glob], value: Option<&str>) -> bool {
    globs.is_empty() || value.is_some_and(|value| any(globs, value))
}

fn resource_fits(globs: &[Glob], resource: Option<(&str, bool)>) -> bool {
    match resource {
        Some((name, true)) => globs.is_empty() || any(globs, name),
        Some((_, false)) | None => globs.is_empty() || globs.iter().any(Glob::is_any),
    }
}

#[cfg(test)]
mod tests {
    use super::{Coverage, Grant, Reach, Scope};
    use crate::{Glob, Risk};

    fn grant(tools: &[&str], resources: &[&str]) -> Grant {
        let globs = |list: &[&str]| list.iter().map(|text| Glob::new(*text)).collect();
        Grant {
            tools: globs(tools),
            resources: globs(resources),
            actions: Vec::new(),
            envs: globs(&["prod"]),
            workflows: Vec::new(),
            max_risk: Some(Risk::High),
        }
    }

    const CALL: Reach<'static> = Reach {
        tool: "stripe.refund",
        route: None,
        action: None,
        resource: Some(("customer:cust_123", true)),
        env: Some("prod"),
        workflow: None,
        risk: Risk::High,
    };

    #[test]
    fn the_nearest_miss_is_reported() {
        let covers = |grant: Grant, call: &Reach<'_>| grant.coverage(call);
        assert_eq!(
            covers(grant(&["stripe.*"], &["customer:*"]), &CALL),
            Coverage::Covered
        );
        assert_eq!(
            covers(grant(&["crm.*"], &["customer:*"]), &CALL),
            Coverage::NotNamed
        );
        assert_eq!(
            covers(grant(&["stripe.*"], &["order:*"]), &CALL),
            Coverage::Elsewhere
        );
        let risky = Reach {
            risk: Risk::Critical,
            ..CALL
        };
        assert_eq!(
            covers(grant(&["stripe.*"], &[]), &risky),
            Coverage::TooRisky
        );
        let nowhere = Reach { env: None, ..CALL };
        assert_eq!(
            covers(grant(&["stripe.*"], &[]), &nowhere),
            Coverage::Elsewhere
        );
    }

    #[test]
    fn a_tool_is_named_by_its_route_as_well() {
        let routed = Reach {
            tool: "api.GetCustomers",
            route: Some("api.get.customers"),
            ..CALL
        };
        let fits = |tools: &[&str]| {
            let scope = Scope {
                tools: tools.iter().map(|text| Glob::new(*text)).collect(),
                ..Scope::default()
            };
            let grant = grant(tools, &[]);
            let covered = grant.coverage(&routed) == Coverage::Covered;
            [
                covered,
                grant.opens(&routed),
                scope.allows(&routed),
                scope.opens(&routed),
            ]
        };
        assert_eq!(fits(&["api.get.*"]), [true; 4]);
        assert_eq!(fits(&["api.Get*"]), [true; 4]);
        assert_eq!(fits(&["api.post.*"]), [false; 4]);
    }

    #[test]
    fn a_claimed_resource_satisfies_only_a_star() {
        let claimed = Reach {
            resource: Some(("customer:cust_123", false)),
            ..CALL
        };
        let covers = |resources: &[&str]| grant(&["stripe.*"], resources).coverage(&claimed);
        assert_eq!(covers(&["customer:*"]), Coverage::Elsewhere);
        assert_eq!(covers(&["*"]), Coverage::Covered);
    }

    #[test]
    fn what_is_not_known_yet_closes_nothing_and_what_is_known_does() {
        let on = |resource: Option<&'static str>| Reach {
            resource: resource.map(|name| (name, true)),
            env: None,
            ..CALL
        };
        let (other, mine) = (Some("order:1"), Some("customer:cust_123"));
        let grant = grant(&["stripe.*"], &["customer:*"]);
        let opened = |resource| grant.opens(&on(resource));
        assert_eq!(
            [opened(None), opened(mine), opened(other)],
            [true, true, false]
        );
        let scope = Scope {
            resources: vec![Glob::new("customer:*")],
            envs: vec![Glob::new("prod"), Glob::new("test")],
            ..Scope::default()
        };
        let opened = |resource| scope.opens(&on(resource));
        assert_eq!(
            [opened(None), opened(mine), opened(other)],
            [true, true, false]
        );
    }

    #[test]
    fn an_empty_scope_narrows_nothing_and_a_single_env_is_fixed() {
        assert!(Scope::default().allows(&CALL));
        let scope = Scope {
            envs: vec![Glob::new("staging")],
            ..Scope::default()
        };
        assert!(!scope.allows(&CALL));
        assert_eq!(scope.fixed_env(), Some("staging"));
    }
}
