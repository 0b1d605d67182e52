//! Outboxes: where endpoints stand, what was sent, and that both are written together.
//!
//! Must not know: any one store.

use std::sync::Arc;

use toolgate_gate::outbox::{
    DELIVERIES_KEPT_MAX, Delivery, DeliveryFilter, Ended, Outbox, Standing,
};
use toolgate_model::{Duration, TenantId};

use super::fixture::{START, same};
use super::{Failures, Outcome};

/// Runs every case of outboxes, each on one of its own.
pub async fn run(make: impl Fn() -> Arc<dyn Outbox>) -> Failures {
    let mut failures = Failures::default();
    let mut note = |name, outcome: Outcome| {
        if let Err(failure) = outcome {
            failures.0.push((name, failure.to_string()));
        }
    };
    note("outbox::standings", standings_are_replaced(make()).await);
    note("outbox::lists", lists_are_newest_first(make()).await);
    note("outbox::bound", the_oldest_are_forgotten(make()).await);
    failures
}

fn standing(endpoint: &str, next: u64) -> Standing {
    Standing {
        endpoint: endpoint.to_owned(),
        next,
        attempts: 2,
        refusals: 1,
        due_at: Some(START),
        disabled: Some("it is gone".to_owned()),
    }
}

fn delivery(endpoint: &str, tenant: &TenantId, attempt: u32) -> Delivery {
    Delivery {
        number: 0,
        tenant: tenant.clone(),
        endpoint: endpoint.to_owned(),
        event: format!("evt_{attempt}"),
        kind: "approval.requested".to_owned(),
        attempt,
        at: START,
        took: Duration::from_millis(12),
        ended: Ended::Refused,
        status: Some(500),
        error: Some("HTTP 500".to_owned()),
    }
}

async fn standings_are_replaced(outbox: Arc<dyn Outbox>) -> Outcome {
    same("a new outbox", outbox.standings().await?, Vec::new())?;
    outbox.note(Some(standing("pager", 7)), None).await?;
    outbox.note(Some(standing("chat", 1)), None).await?;
    let plain = Standing {
        due_at: None,
        disabled: None,
        ..standing("pager", 9)
    };
    outbox.note(Some(plain.clone()), None).await?;
    let expected = vec![standing("chat", 1), plain];
    same("by name, the newest", outbox.standings().await?, expected)
}

async fn lists_are_newest_first(outbox: Arc<dyn Outbox>) -> Outcome {
    let (here, there) = (TenantId::default(), "elsewhere".parse()?);
    for (endpoint, tenant, attempt) in [
        ("pager", &here, 1),
        ("chat", &here, 2),
        ("pager", &there, 3),
        ("pager", &here, 4),
    ] {
        let sent = delivery(endpoint, tenant, attempt);
        outbox.note(None, Some(sent)).await?;
    }
    let numbered = |number, endpoint, tenant, attempt| Delivery {
        number,
        ..delivery(endpoint, tenant, attempt)
    };
    let all = DeliveryFilter {
        limit: 2,
        ..DeliveryFilter::default()
    };
    let newest = vec![
        numbered(4, "pager", &here, 4),
        numbered(3, "pager", &there, 3),
    ];
    same("a page", outbox.deliveries(all).await?, newest)?;
    let filter = DeliveryFilter {
        tenant: Some(here.clone()),
        endpoint: Some("pager".to_owned()),
        before: Some(4),
        limit: 10,
    };
    let older = vec![numbered(1, "pager", &here, 1)];
    same("a filter", outbox.deliveries(filter).await?, older)
}

async fn the_oldest_are_forgotten(outbox: Arc<dyn Outbox>) -> Outcome {
    let tenant = TenantId::default();
    let over = 3;
    for attempt in 0..DELIVERIES_KEPT_MAX + over {
        let attempt = u32::try_from(attempt)?;
        let sent = delivery("pager", &tenant, attempt);
        outbox.note(None, Some(sent)).await?;
    }
    let all = DeliveryFilter {
        limit: usize::MAX,
        ..DeliveryFilter::default()
    };
    let kept = outbox.deliveries(all).await?;
    let ends = |delivery: Option<&Delivery>| delivery.map(|delivery| delivery.number);
    let newest = Some(DELIVERIES_KEPT_MAX + over);
    same("the newest", ends(kept.first()), newest)?;
    same("the oldest", ends(kept.last()), Some(over + 1))
}
