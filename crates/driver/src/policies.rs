//! Policy documents: written as versions, tried as a whole set, put in force by one commit.
//!
//! A version is immutable and belongs to a document's name. What is in force is a set of versions,
//! named by its digest; rollback is putting an old version in force again (2-decision, 6).

use serde_json::json;
use toolgate_gate::Caller;
use toolgate_gate::port::{Change, PolicyDraft, Publication, Stamp};
use toolgate_model::{
    AgentId, Code, Diagnostic, Digest, Permission, Severity, TenantId, json as canonical,
};
use toolgate_policy::{Document, load};

use crate::driver::Driver;
use crate::outcome::Failed;
use crate::people::{actor, require};
use toolgate_record::Actor;

/// Documents of one set.
// LIMIT: 500, so that the list of what is in force fits the record; rules are bounded apart.
const DOCUMENTS_MAX: usize = 500;

/// Why a policy was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The documents do not load; every problem is listed.
    #[error("the policy has {} problems", .0.len())]
    Invalid(Vec<Diagnostic>),
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] Failed),
}

impl From<toolgate_gate::port::Unavailable> for PolicyError {
    fn from(unavailable: toolgate_gate::port::Unavailable) -> Self {
        Self::Failed(unavailable.into())
    }
}

/// What publishing came to.
#[derive(Debug)]
pub struct Published {
    /// The versions that the documents now have; unchanged text keeps its version.
    pub drafts: Vec<PolicyDraft>,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
}

impl Driver {
    /// Checks documents together with everything else that is in force.
    pub fn check_policies(&self, documents: &[Document]) -> Vec<Diagnostic> {
        let configuration = self.configuration();
        let mut set: Vec<Document> = configuration
            .documents()
            .iter()
            .map(|document| Document {
                name: document.name.clone(),
                text: document.text.clone(),
            })
            .filter(|document| documents.iter().all(|new| new.name != document.name))
            .collect();
        set.extend(documents.iter().cloned());
        load(&set, &configuration.catalogue).diagnostics
    }

    /// Adds a version of each document whose text is new. Nothing is in force by that.
    ///
    /// # Errors
    /// [`PolicyError`] where the caller may not, or a document does not load.
    pub async fn draft_policies(
        &self,
        caller: &Caller,
        documents: Vec<Document>,
        message: &str,
    ) -> Result<Published, PolicyError> {
        require(caller, Permission::WritePolicy)?;
        let author = (actor(caller), crate::people::tenant(caller).clone());
        self.write_drafts(author, documents, (message, InForce::AsBefore))
            .await
    }

    /// Adds versions and puts them in force at once.
    ///
    /// # Errors
    /// [`PolicyError`] where the caller may not, or the set would not load.
    pub async fn publish_policies(
        &self,
        caller: &Caller,
        documents: Vec<Document>,
        message: &str,
    ) -> Result<Published, PolicyError> {
        require(caller, Permission::WritePolicy)?;
        require(caller, Permission::ActivatePolicy)?;
        let author = (actor(caller), crate::people::tenant(caller).clone());
        self.write_drafts(author, documents, (message, InForce::Now))
            .await
    }

    /// The same on behalf of the configuration's policy files.
    ///
    /// # Errors
    /// [`PolicyError`] where the set would not load; what was in force stays so.
    pub async fn declare_policies(
        &self,
        documents: Vec<Document>,
    ) -> Result<Published, PolicyError> {
        let author = (Actor::Gate, TenantId::default());
        self.write_drafts(
            author,
            documents,
            ("from the configured files", InForce::Now),
        )
        .await
    }

    async fn write_drafts(
        &self,
        (actor, tenant): (Actor, TenantId),
        documents: Vec<Document>,
        (message, in_force): (&str, InForce),
    ) -> Result<Published, PolicyError> {
        let diagnostics = self.check_policies(&documents);
        if diagnostics
            .iter()
            .any(|found| found.severity == Severity::Error)
        {
            return Err(PolicyError::Invalid(diagnostics));
        }
        crate::people::fits("message", message)?;
        let known = self.ports.store.drafts(None).await?;
        let drafts: Vec<_> = documents
            .into_iter()
            .map(|document| self.next_version(document, &known, (&actor, message)))
            .collect();
        let mut set = active(&known);
        if in_force == InForce::Now {
            set.retain(|(name, _)| drafts.iter().all(|draft| draft.name != *name));
            set.extend(
                drafts
                    .iter()
                    .map(|draft| (draft.name.clone(), draft.number)),
            );
            set.sort();
        }
        if set.len() > DOCUMENTS_MAX {
            let message = format!("a set has at most {DOCUMENTS_MAX} documents: join some");
            return Err(Failed::Invalid(message).into());
        }
        let new = drafts
            .iter()
            .filter(|draft| !known.iter().any(|old| same(old, draft)));
        let mut changes: Vec<_> = new.cloned().map(Change::PolicyDraft).collect();
        let moved = set != active(&known);
        if moved {
            changes.push(self.publication(author(&actor), set.clone()));
        }
        if !changes.is_empty() {
            let kind = if moved {
                "policy.activated"
            } else {
                "policy.drafted"
            };
            let data = json!({
                "message": message,
                "documents": drafts.iter().map(|draft| json!({
                    "name": draft.name, "number": draft.number, "digest": draft.digest,
                })).collect::<Vec<_>>(),
                "set": set,
            });
            self.change(&actor, &tenant, (kind, data), changes).await?;
        }
        Ok(Published {
            drafts,
            diagnostics,
        })
    }

    fn next_version(
        &self,
        document: Document,
        known: &[PolicyDraft],
        (actor, message): (&Actor, &str),
    ) -> PolicyDraft {
        let digest = document_digest(&document.text);
        let mine = || known.iter().filter(|draft| draft.name == document.name);
        if let Some(same) = mine().find(|draft| draft.digest == digest) {
            return same.clone();
        }
        let number = mine().map(|draft| draft.number).max().unwrap_or(0) + 1;
        PolicyDraft {
            name: document.name,
            number,
            digest,
            text: document.text,
            author: author(actor),
            message: message.to_owned(),
            created_at: self.now(),
            active: false,
            activated: None,
            requested: None,
        }
    }

    fn publication(&self, by: AgentId, set: Vec<(String, u32)>) -> Change {
        let stamp = Stamp { by, at: self.now() };
        Change::PolicySet(Publication { set, stamp })
    }

    /// Puts a version in force instead of the document's present one.
    ///
    /// # Errors
    /// [`PolicyError`] where the caller may not, there is no such version, or the set would not
    /// load with it.
    pub async fn activate_policy(
        &self,
        caller: &Caller,
        name: &str,
        number: Option<u32>,
    ) -> Result<PolicyDraft, PolicyError> {
        require(caller, Permission::ActivatePolicy)?;
        let known = self.ports.store.drafts(None).await?;
        let wanted = known
            .iter()
            .filter(|draft| draft.name == name)
            .find(|draft| number.is_none_or(|number| draft.number == number))
            .cloned()
            .ok_or_else(|| Failed::not_found("policy version", name))?;
        self.put_in_force(caller, &known, wanted).await
    }

    /// Puts the version before the present one in force again.
    ///
    /// # Errors
    /// [`PolicyError`] where the caller may not, or there is no earlier version.
    pub async fn rollback_policy(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<PolicyDraft, PolicyError> {
        require(caller, Permission::ActivatePolicy)?;
        let known = self.ports.store.drafts(None).await?;
        let mine = || known.iter().filter(|draft| draft.name == name);
        let present = mine()
            .find(|draft| draft.active)
            .map_or(u32::MAX, |draft| draft.number);
        let earlier = mine()
            .filter(|draft| draft.number < present)
            .max_by_key(|draft| draft.number)
            .cloned()
            .ok_or_else(|| {
                let message = format!("`{name}` has no version before the one in force");
                Failed::Conflict {
                    code: Code::WrongState,
                    message,
                }
            })?;
        self.put_in_force(caller, &known, earlier).await
    }

    async fn put_in_force(
        &self,
        caller: &Caller,
        known: &[PolicyDraft],
        wanted: PolicyDraft,
    ) -> Result<PolicyDraft, PolicyError> {
        let document = Document {
            name: wanted.name.clone(),
            text: wanted.text.clone(),
        };
        let diagnostics = self.check_policies(&[document]);
        if diagnostics
            .iter()
            .any(|found| found.severity == Severity::Error)
        {
            return Err(PolicyError::Invalid(diagnostics));
        }
        let mut set = active(known);
        set.retain(|(name, _)| *name != wanted.name);
        set.push((wanted.name.clone(), wanted.number));
        set.sort();
        self.write_set(caller, ("policy.activated", &wanted), set)
            .await?;
        Ok(PolicyDraft {
            active: true,
            ..wanted
        })
    }

    /// Takes a document out of force. Its versions stay.
    ///
    /// # Errors
    /// [`PolicyError`] where the caller may not, or it is not in force.
    pub async fn deactivate_policy(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<PolicyDraft, PolicyError> {
        require(caller, Permission::ActivatePolicy)?;
        let known = self.ports.store.drafts(None).await?;
        let present = known
            .iter()
            .find(|draft| draft.active && draft.name == name)
            .cloned()
            .ok_or_else(|| Failed::not_found("policy in force", name))?;
        let mut set = active(&known);
        set.retain(|(other, _)| *other != name);
        self.write_set(caller, ("policy.deactivated", &present), set)
            .await?;
        Ok(PolicyDraft {
            active: false,
            ..present
        })
    }

    async fn write_set(
        &self,
        caller: &Caller,
        (kind, draft): (&'static str, &PolicyDraft),
        set: Vec<(String, u32)>,
    ) -> Result<(), PolicyError> {
        let data = json!({
            "name": draft.name, "number": draft.number, "digest": draft.digest, "set": set,
        });
        let tenant = crate::people::tenant(caller).clone();
        let changes = vec![self.publication(author(&actor(caller)), set)];
        self.change(&actor(caller), &tenant, (kind, data), changes)
            .await?;
        Ok(())
    }
}

/// Whether the versions written become the ones in force.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InForce {
    AsBefore,
    Now,
}

fn active(known: &[PolicyDraft]) -> Vec<(String, u32)> {
    let mut set: Vec<_> = known
        .iter()
        .filter(|draft| draft.active)
        .map(|draft| (draft.name.clone(), draft.number))
        .collect();
    set.sort();
    set
}

fn same(old: &PolicyDraft, new: &PolicyDraft) -> bool {
    old.name == new.name && old.number == new.number
}

fn author(actor: &Actor) -> AgentId {
    crate::entries::name(actor)
        .cloned()
        .unwrap_or_else(AgentId::gate)
}

/// The digest of what a document says, whatever its white space. The text has loaded, so it is
/// JSON; if it were not, its bytes would stand for it.
fn document_digest(text: &str) -> Digest {
    serde_json::from_str(text).map_or_else(
        |_| Digest::of(text.as_bytes()),
        |value| canonical::digest(&value),
    )
}
