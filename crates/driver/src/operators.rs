//! People as they should be: their role, their groups, and whether their tokens work.
//!
//! `finance` is a group; a policy's `approvers = ["finance"]` then means everybody in it. People,
//! roles and groups stand in that one list side by side, so a group must not be called like one
//! of the others: `owner` as a group would make owners of its members in the eyes of a rule.
//!
//! Must not know: how people sign in.

use serde_json::json;
use toolgate_gate::Caller;
use toolgate_gate::port::Change;
use toolgate_model::{AgentId, Operator, Permission, Role, TokenKind};

use crate::driver::Driver;
use crate::outcome::Failed;
use crate::people::{actor, require, tenant};

/// Groups that one person belongs to.
// LIMIT: 32, each at most 64 bytes, so that a vote with them fits the record.
const GROUPS_MAX: usize = 32;

/// Bytes of a group's name.
const GROUP_BYTES_MAX: usize = 64;

/// A person as they should be.
#[derive(Clone, Debug)]
pub struct OperatorSpec {
    /// Their name.
    pub id: AgentId,
    /// What they may do.
    pub role: Role,
    /// Their groups; none keeps what they are, or gives a new person none.
    pub groups: Option<Vec<String>>,
}

/// What changes about a person; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct OperatorChange {
    /// What they may do.
    pub role: Option<Role>,
    /// All their groups.
    pub groups: Option<Vec<String>>,
    /// Whether their tokens authenticate nobody.
    pub disabled: Option<bool>,
}

impl From<(AgentId, Role)> for OperatorSpec {
    fn from((id, role): (AgentId, Role)) -> Self {
        let groups = None;
        Self { id, role, groups }
    }
}

impl Driver {
    /// Changes a person, in force from the next request on.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, there is no such person, a name does not fit, or
    /// somebody would take their own role or standing.
    pub async fn change_operator(
        &self,
        caller: &Caller,
        id: &AgentId,
        change: OperatorChange,
    ) -> Result<Operator, Failed> {
        require(caller, Permission::ManagePeople)?;
        let mut operator = self.operator_for(caller, id)?;
        let before = operator.clone();
        if let Some(role) = change.role {
            refuse_agents_role(role)?;
            operator.role = role;
        }
        if let Some(groups) = change.groups {
            operator.groups = self.groups(groups)?;
        }
        operator.disabled = change.disabled.unwrap_or(operator.disabled);
        let locks_out = (operator.role, operator.disabled) != (before.role, before.disabled);
        if locks_out && is(caller, id) {
            let message = "nobody changes their own role or disables themselves: \
                           ask another person who manages people";
            return Err(Failed::Invalid(message.to_owned()));
        }
        let changes = vec![Change::Operator(operator.clone())];
        let data = json!({"user": operator});
        let kind = ("user.changed", data);
        self.change(&actor(caller), tenant(caller), kind, changes)
            .await?;
        Ok(operator)
    }

    /// The person of this name, within the caller's tenant.
    ///
    /// # Errors
    /// [`Failed::NotFound`].
    pub fn operator_for(&self, caller: &Caller, id: &AgentId) -> Result<Operator, Failed> {
        let configuration = self.configuration();
        let found = configuration
            .operator(id)
            .filter(|operator| operator.tenant == *tenant(caller));
        found
            .map(|operator| operator.as_ref().clone())
            .ok_or_else(|| Failed::not_found("user", id))
    }

    /// Groups in order of their names, each once, none of them a name that means something else.
    pub(crate) fn groups(&self, mut groups: Vec<String>) -> Result<Vec<String>, Failed> {
        groups.sort();
        groups.dedup();
        if groups.len() > GROUPS_MAX {
            let count = groups.len();
            return Err(Failed::Invalid(format!(
                "{count} groups are more than the {GROUPS_MAX} that one person can have"
            )));
        }
        let configuration = self.configuration();
        for group in &groups {
            let name: Option<AgentId> = group.parse().ok().filter(|_| is_group_name(group));
            let Some(name) = name else {
                return Err(Failed::Invalid(format!(
                    "`{group}` is no name of a group: 1 to {GROUP_BYTES_MAX} letters, digits and \
                     `_ - . + :`, and not a role"
                )));
            };
            if configuration.operator(&name).is_some() {
                return Err(Failed::Invalid(format!(
                    "`{group}` is a person: call the group something else"
                )));
            }
        }
        Ok(groups)
    }

    /// INVARIANT: no person is called like a group, so a rule that names one never means the
    /// other; checked here and in [`Driver::groups`].
    pub(crate) fn refuse_group_of_this_name(&self, id: &AgentId) -> Result<(), Failed> {
        let configuration = self.configuration();
        let taken = configuration
            .operators()
            .any(|operator| operator.groups.iter().any(|group| group == id.as_str()));
        if taken || Role::parse(id.as_str()).is_some() {
            return Err(Failed::Invalid(format!(
                "`{id}` is the name of a group or a role: call the person something else"
            )));
        }
        Ok(())
    }
}

/// Refuses a role that only agents have.
pub(crate) fn refuse_agents_role(role: Role) -> Result<(), Failed> {
    if role.kind() == TokenKind::Person {
        return Ok(());
    }
    let message = format!("`{role}` is a role for agents, not for people");
    Err(Failed::Invalid(message))
}

/// People have addresses, so a group has none.
fn is_group_name(text: &str) -> bool {
    text.len() <= GROUP_BYTES_MAX && !text.contains('@') && Role::parse(text).is_none()
}

fn is(caller: &Caller, id: &AgentId) -> bool {
    matches!(caller, Caller::Person { operator, .. } if operator.id == *id)
}
