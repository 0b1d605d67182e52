//! Tools that hosts register, and how each stands once it is known.
//!
//! ```text
//! register → described → in the catalogue → pinned, durably → active | held | unavailable
//! ```
//! A registration is durable as the pin of its tool, which holds the whole definition; one that
//! changes what is pinned is held like any tool that says something else than was agreed to.
//!
//! Must not know: how tools are described.

use std::sync::Arc;

use toolgate_gate::port::{Registered, Unregistered};
use toolgate_model::{HostTool, Identity};

use crate::driver::Driver;

/// A tool that was registered, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// What was registered.
    pub tool: Registered,
    /// Why its calls are denied until a person has reviewed it, where they are.
    pub held: Option<String>,
}

impl Driver {
    /// Registers tools that this agent's program runs itself, by name: what is there already and
    /// says the same stays as it is.
    ///
    /// # Errors
    /// [`Unregistered`] where the agent registers nothing with this source, or the store does not
    /// answer.
    pub async fn register_tools(
        &self,
        identity: &Identity,
        source: &str,
        tools: Vec<HostTool>,
    ) -> Result<Vec<Registration>, Unregistered> {
        let registered = self.ports.tools.register(source, &identity.agent, tools)?;
        let catalogue = self.ports.tools.catalogue();
        if !Arc::ptr_eq(&catalogue, &self.configuration().catalogue) {
            self.set_catalogue(catalogue);
        }
        self.pin_tools().await?;
        Ok(registered
            .into_iter()
            .map(|one| self.standing(one))
            .collect())
    }

    fn standing(&self, mut tool: Registered) -> Registration {
        let configuration = self.configuration();
        let Some(id) = tool.id.clone() else {
            return Registration { tool, held: None };
        };
        let lost = "a tool of another source has its name".to_owned();
        let unknown = configuration.catalogue.get(&id).is_none();
        tool.unavailable = tool.unavailable.or_else(|| unknown.then_some(lost));
        let held = configuration
            .held(&id)
            .filter(|_| tool.unavailable.is_none());
        Registration {
            held: held.map(|hold| hold.denial(&id).message),
            tool,
        }
    }
}
