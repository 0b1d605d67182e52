//! Policy documents: written as versions, tried as a whole set, put in force by one commit.
//!
//! A version is immutable and belongs to a document's name. What is in force is a set of versions,
//! named by its digest; rollback is putting an old version in force again (2-decision, 6).

use serde_json::{Value, json};
use toolgate_gate::Caller;
use toolgate_gate::port::{Change, PolicyDraft};
use toolgate_model::{
    AgentId, Code, Diagnostic, Digest, Permission, Severity, TenantId, json as canonical,
};
use toolgate_policy::{Document, load};

use crate::activation::{asked, forced, unknown_channels};
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
    /// The set loads, and some of its tests fail; each is listed.
    #[error("{} of the tests that the policies carry fail", .0.len())]
    TestsFailed(Vec<Diagnostic>),
    /// Somebody else has to do this.
    #[error(
        "whoever wrote the version in force of `{name}` does not take it out of force: {}",
        asked(.may)
    )]
    SecondPerson {
        /// The document.
        name: String,
        /// Who may.
        may: Vec<AgentId>,
    },
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
    /// Who may put them in force, where that was asked for and takes a second person.
    pub awaits: Option<Vec<AgentId>>,
}

/// Which version of a document is put in force.
#[derive(Clone, Debug, Default)]
pub struct Activation {
    /// Its number; none: the newest.
    pub number: Option<u32>,
    /// Why it is put in force although tests fail, by somebody who may.
    pub force: Option<String>,
}

/// What putting a version in force came to.
#[derive(Debug)]
pub struct Activated {
    /// The version, in force now or not.
    pub draft: PolicyDraft,
    /// Who may confirm, where it takes a second person.
    pub awaits: Option<Vec<AgentId>>,
}

impl Driver {
    /// Checks documents together with everything else that is in force.
    pub fn check_policies(&self, documents: &[Document]) -> Vec<Diagnostic> {
        let set = self.set_with(documents);
        let configuration = self.configuration();
        let mut found = load(&set, &configuration.catalogue).diagnostics;
        found.extend(unknown_channels(&set, &configuration.settings.channels));
        found
    }

    /// The documents in force, with these instead of those of the same name.
    pub fn set_with(&self, documents: &[Document]) -> Vec<Document> {
        let configuration = self.configuration();
        let kept = configuration.documents().iter().map(|document| Document {
            name: document.name.clone(),
            text: document.text.clone(),
        });
        let mut set: Vec<_> = kept
            .filter(|document| documents.iter().all(|new| new.name != document.name))
            .collect();
        set.extend(documents.iter().cloned());
        set
    }

    /// The warnings about a set that loads.
    fn loads(&self, set: &[Document]) -> Result<Vec<Diagnostic>, PolicyError> {
        let diagnostics = self.check_policies(set);
        let is_error = |found: &Diagnostic| found.severity == Severity::Error;
        if diagnostics.iter().any(is_error) {
            return Err(PolicyError::Invalid(diagnostics));
        }
        Ok(diagnostics)
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
        let set = self.set_with(&documents);
        let diagnostics = self.loads(&set)?;
        crate::people::fits("message", message)?;
        if in_force == InForce::Now {
            self.tests_pass(&set)?;
        }
        let known = self.ports.store.drafts(None).await?;
        let drafts: Vec<_> = documents
            .into_iter()
            .map(|document| self.next_version(document, &known, (&actor, message)))
            .collect();
        let new = drafts
            .iter()
            .filter(|draft| !known.iter().any(|old| same(old, draft)));
        let mut changes: Vec<_> = new.cloned().map(Change::PolicyDraft).collect();
        let moving = match in_force {
            InForce::Now => drafts.iter().filter(|draft| !draft.active).collect(),
            InForce::AsBefore => Vec::new(),
        };
        let awaits = self.second_person(&actor, &moving);
        let set = match awaits {
            None => with(&known, &moving)?,
            Some(_) => active(&known),
        };
        let mut kind = "policy.drafted";
        if awaits.is_some() {
            kind = "policy.activation_requested";
            changes.extend(moving.iter().map(|draft| self.request(&actor, draft)));
        } else if set != active(&known) {
            kind = "policy.activated";
            changes.push(self.publication(author(&actor), set.clone()));
        }
        if !changes.is_empty() {
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
            awaits,
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

    /// Puts a version in force instead of the document's present one; the newest where none is
    /// named. Where the setting wants a second person, and the caller wrote the version, it is
    /// only asked for.
    ///
    /// # Errors
    /// [`PolicyError`] where the caller may not, there is no such version, the set would not load
    /// with it, or its tests fail.
    pub async fn activate_policy(
        &self,
        caller: &Caller,
        name: &str,
        Activation { number, force }: Activation,
    ) -> Result<Activated, PolicyError> {
        require(caller, Permission::ActivatePolicy)?;
        let known = self.ports.store.drafts(None).await?;
        let wanted = known
            .iter()
            .filter(|draft| draft.name == name)
            .find(|draft| number.is_none_or(|number| draft.number == number))
            .ok_or_else(|| Failed::not_found("policy version", name))?;
        let set = self.set_with(&[document(wanted)]);
        self.loads(&set)?;
        let forced = match (self.tests_pass(&set), force) {
            (Ok(()), _) => None,
            (Err(PolicyError::TestsFailed(failing)), Some(reason)) => {
                Some(forced(caller, &failing, &reason)?)
            }
            (Err(error), _) => return Err(error),
        };
        let how = json!({"forced": forced});
        self.put_in_force(caller, (&known, wanted), how).await
    }

    /// Puts the version that was in force before the present one in force again. Its tests are not
    /// asked: what went wrong has to end now.
    ///
    /// # Errors
    /// [`PolicyError`] where the caller may not, or no earlier version was ever in force.
    pub async fn rollback_policy(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Activated, PolicyError> {
        require(caller, Permission::ActivatePolicy)?;
        let known = self.ports.store.drafts(None).await?;
        let mine = || known.iter().filter(|draft| draft.name == name);
        let present = mine()
            .find(|draft| draft.active)
            .map_or(u32::MAX, |draft| draft.number);
        // INVARIANT: rolling back is no way around the tests or the second person: what was never
        // in force is never reached by it.
        let earlier = mine()
            .filter(|draft| draft.number < present && draft.activated.is_some())
            .max_by_key(|draft| draft.number)
            .ok_or_else(|| Failed::Conflict {
                code: Code::WrongState,
                message: format!("`{name}` has no version that was in force before this one"),
            })?;
        self.loads(&self.set_with(&[document(earlier)]))?;
        let how = json!({"rollback": true});
        self.put_in_force(caller, (&known, earlier), how).await
    }

    async fn put_in_force(
        &self,
        caller: &Caller,
        (known, wanted): (&[PolicyDraft], &PolicyDraft),
        how: Value,
    ) -> Result<Activated, PolicyError> {
        let by = actor(caller);
        if let Some(awaits) = self.second_person(&by, &[wanted]) {
            let changes = vec![self.request(&by, wanted)];
            let kind = "policy.activation_requested";
            self.write_set(caller, (kind, wanted, how), changes).await?;
            return Ok(Activated {
                draft: wanted.clone(),
                awaits: Some(awaits),
            });
        }
        let set = with(known, &[wanted])?;
        let changes = vec![self.publication(author(&by), set)];
        self.write_set(caller, ("policy.activated", wanted, how), changes)
            .await?;
        Ok(Activated {
            draft: PolicyDraft {
                active: true,
                ..wanted.clone()
            },
            awaits: None,
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
        if let Some(may) = self.second_person(&actor(caller), &[&present]) {
            let name = name.to_owned();
            return Err(PolicyError::SecondPerson { name, may });
        }
        let mut set = active(&known);
        set.retain(|(other, _)| *other != name);
        let changes = vec![self.publication(author(&actor(caller)), set)];
        let kind = "policy.deactivated";
        self.write_set(caller, (kind, &present, json!({})), changes)
            .await?;
        Ok(PolicyDraft {
            active: false,
            ..present
        })
    }

    async fn write_set(
        &self,
        caller: &Caller,
        (kind, draft, how): (&'static str, &PolicyDraft, Value),
        changes: Vec<Change>,
    ) -> Result<(), PolicyError> {
        let set = changes.iter().find_map(|change| match change {
            Change::PolicySet(publication) => Some(&publication.set),
            _ => None,
        });
        let mut data = json!({
            "name": draft.name, "number": draft.number, "digest": draft.digest, "set": set,
            "author": draft.author,
            "requested_by": draft.requested.as_ref().map(|request| &request.by),
        });
        if let (Some(data), Value::Object(how)) = (data.as_object_mut(), how) {
            data.extend(how.into_iter().filter(|(_, value)| !value.is_null()));
        }
        let tenant = crate::people::tenant(caller).clone();
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

/// The versions in force, with these instead of those of the same name.
fn with(known: &[PolicyDraft], moving: &[&PolicyDraft]) -> Result<Vec<(String, u32)>, Failed> {
    let mut set = active(known);
    set.retain(|(name, _)| moving.iter().all(|draft| draft.name != *name));
    set.extend(
        moving
            .iter()
            .map(|draft| (draft.name.clone(), draft.number)),
    );
    set.sort();
    if set.len() > DOCUMENTS_MAX {
        let message = format!("a set has at most {DOCUMENTS_MAX} documents: join some");
        return Err(Failed::Invalid(message));
    }
    Ok(set)
}

fn document(draft: &PolicyDraft) -> Document {
    Document {
        name: draft.name.clone(),
        text: draft.text.clone(),
    }
}

fn same(old: &PolicyDraft, new: &PolicyDraft) -> bool {
    old.name == new.name && old.number == new.number
}

/// The name that is kept of whoever does something.
pub(crate) fn author(actor: &Actor) -> AgentId {
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
