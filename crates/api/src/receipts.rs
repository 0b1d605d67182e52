//! Receipts: the self-contained proof about one invocation, made from the log as it stands.
//!
//! A proof needs the hash of every leaf, so the leaves are read once and kept; the log only
//! grows, and a receipt that would not verify is never handed out. Must not know: how receipts are
//! laid out, which is the record's own business.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use serde_json::Value;
use toolgate_gate::port::RecordFilter;
use toolgate_model::InvocationId;
use toolgate_record::{Checkpoint, RECEIPT_RECORDS_MAX, Receipt, ReceiptError, Tree, Verifier};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::AnyCaller;
use crate::kinds::Kind;
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Reply};
use crate::state::Api;

/// Records that are read at once to learn their leaves.
const PAGE_RECORDS: usize = 1_000;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(receipt))
}

/// The leaves of the log as far as they were read: 64 bytes for each record.
#[derive(Clone, Default)]
pub struct LogLeaves(Arc<Mutex<Tree>>);

/// Prove an invocation
///
/// Its records, each with its way to the root, the signed checkpoint over that root, and the
/// digests of what was described, approved and executed. It verifies offline with nothing but the
/// gate's verifier key: `toolgate receipt`.
#[utoipa::path(
    get, path = "/v1/invocations/{id}/receipt", tag = "invocations",
    operation_id = "get_receipt",
    params(("id" = String, Path, description = "`inv_…`")),
    responses((status = 200, description = "The receipt.", body = Object)),
)]
async fn receipt(
    State(api): State<Api>,
    AnyCaller(caller): AnyCaller,
    Named(id): Named<InvocationId>,
) -> Answer<Value> {
    api.driver.invocation(&caller, &id).await?;
    Ok(Reply::ok(prove(&api, &id).await?))
}

/// The receipt of an invocation, under a checkpoint that is signed now.
pub(crate) async fn prove(api: &Api, id: &InvocationId) -> Result<Value, Problem> {
    let leaves = &api.leaves;
    let store = api.driver.store();
    let verifier = Verifier::parse(&store.verifier_key()).map_err(unsound)?;
    let filter = RecordFilter {
        invocation: Some(id.clone()),
        limit: RECEIPT_RECORDS_MAX,
        ..RecordFilter::default()
    };
    // Records first, then the signature: so the checkpoint covers them all.
    let records = store.records(filter).await?;
    let note = store.checkpoint().await?;
    let size = Checkpoint::open(&note, &verifier).map_err(unsound)?.size;
    leaves.read_up_to(api, size).await?;
    match Receipt::make(id, records, &*leaves.tree(), &note, &verifier) {
        Ok(receipt) => Ok(receipt.to_value()),
        Err(ReceiptError::Empty(id)) => Err(Problem::not_found("record of invocation", id)),
        Err(error) => Err(unsound(error)),
    }
}

impl LogLeaves {
    /// Reads leaves until there are at least `size`.
    async fn read_up_to(&self, api: &Api, size: u64) -> Result<(), Problem> {
        loop {
            let have = self.tree().size();
            if have >= size {
                return Ok(());
            }
            let filter = RecordFilter {
                from: have,
                limit: PAGE_RECORDS,
                ..RecordFilter::default()
            };
            let records = api.driver.store().records(filter).await?;
            let mut tree = self.tree();
            for record in records {
                // Somebody else may have read the same page meanwhile.
                if record.index == tree.size() {
                    tree.append(record.leaf);
                }
            }
            if tree.size() == have {
                return Err(unsound(format!("record {have} of {size} is not there")));
            }
        }
    }

    fn tree(&self) -> std::sync::MutexGuard<'_, Tree> {
        // A leaf is appended whole or not at all, so the tree is whole after a panic too.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What keeps the log from proving anything is for the operator; the caller learns that it is so.
fn unsound(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "a receipt could not be made");
    Problem::new(
        Kind::LogUnsound,
        "the log could not prove this: the operator must look at it",
    )
}
