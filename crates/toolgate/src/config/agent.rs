//! `[[agent]]`: agents that are declared and not made by hand.
//!
//! ```toml
//! [[agent]]
//! id = "billing_agent"
//! owner = "ana@acme.com"
//! profile = { tools = ["stripe.*"], resources = ["customer:*"], max_risk = "high" }
//! ```
//!
//! A profile is one grant, a list of grants, or `"admin"`; without one an agent reaches nothing.
//! Must not know: credentials. Keys are made by `toolgate key create`.

use toolgate_driver::AgentSpec;
use toolgate_model::{AgentId, Grant, Profile, Role, TenantId};

use super::reader::{Problem, Section};
use super::tree::{Node, Value};
use super::{DeclaredAgent, Reading};

impl Reading<'_, '_> {
    /// All declared agents.
    pub(super) fn agents(&mut self, root: &mut Section) -> Vec<DeclaredAgent> {
        let mut agents: Vec<DeclaredAgent> = Vec::new();
        for section in self.reader.tables(root, "agent") {
            let place = (section.path.clone(), section.origin.clone());
            let Some(agent) = self.agent(section) else {
                continue;
            };
            let id = &agent.spec.id;
            if agents.iter().any(|other| other.spec.id == *id) {
                let message = format!("there are two agents `{id}`");
                let help = "an id names one agent in all tenants: choose another".to_owned();
                let place = (place.0.as_str(), &place.1);
                self.reader
                    .complain(Problem::Contradiction, place, message, Some(help));
            }
            agents.push(agent);
        }
        agents
    }

    fn agent(&mut self, mut section: Section) -> Option<DeclaredAgent> {
        let id: Option<AgentId> = self.reader.required(&mut section, "id");
        let owner: Option<AgentId> = self.reader.required(&mut section, "owner");
        let role: Option<Role> = self.reader.optional(&mut section, "role");
        let tenant: Option<TenantId> = self.reader.optional(&mut section, "tenant");
        let runtime = self.reader.optional(&mut section, "runtime");
        let project = self.reader.optional(&mut section, "project");
        let trusted_host = self.reader.optional(&mut section, "trusted_host");
        let profile = self.profile(&mut section);
        self.reader.finish(section);
        let spec = AgentSpec {
            id: id?,
            owner: owner?,
            role: role.unwrap_or_default(),
            profile,
            runtime,
            project,
            trusted_host: trusted_host.unwrap_or_default(),
        };
        Some(DeclaredAgent {
            spec,
            tenant: tenant.unwrap_or_default(),
        })
    }

    fn profile(&mut self, section: &mut Section) -> Profile {
        let path = format!("{}profile", section.path);
        let Some(node) = section.take("profile") else {
            return Profile::default();
        };
        match &node.value {
            Value::Text(text) if text == "admin" => {
                self.reader.note(path, "admin".into(), node.origin.clone());
                Profile::Admin
            }
            Value::Table(_) => Profile::Scoped {
                grants: vec![self.grant(&path, node)],
            },
            Value::List(items) => {
                let numbered = items.iter().cloned().enumerate();
                let grants =
                    numbered.map(|(place, item)| self.grant(&format!("{path}[{place}]"), item));
                Profile::Scoped {
                    grants: grants.collect(),
                }
            }
            _ => {
                let wanted =
                    "a grant such as { tools = [\"crm.*\"] }, a list of grants, or \"admin\"";
                self.reader.misfit(&path, &node, wanted);
                Profile::default()
            }
        }
    }

    fn grant(&mut self, path: &str, node: Node) -> Grant {
        let mut section = self.reader.as_table(path, node);
        let reader = &mut *self.reader;
        let mut globs = |key| reader.optional(&mut section, key).unwrap_or_default();
        let (tools, resources, actions) = (globs("tools"), globs("resources"), globs("actions"));
        let (envs, workflows) = (globs("envs"), globs("workflows"));
        let max_risk = reader.optional(&mut section, "max_risk");
        reader.finish(section);
        Grant {
            tools,
            resources,
            actions,
            envs,
            workflows,
            max_risk,
        }
    }
}
