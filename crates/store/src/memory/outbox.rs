//! Where endpoints stand and what was sent to them, in memory.
//!
//! Must not know: how anything is sent.

use std::collections::{BTreeMap, VecDeque};

use toolgate_gate::outbox::{DELIVERIES_KEPT_MAX, Delivery, DeliveryFilter, Standing};

/// All of it.
#[derive(Default)]
pub(super) struct Book {
    standings: BTreeMap<String, Standing>,
    deliveries: VecDeque<Delivery>,
    given: u64,
}

impl Book {
    pub(super) fn note(&mut self, standing: Option<Standing>, delivery: Option<Delivery>) {
        if let Some(standing) = standing {
            self.standings.insert(standing.endpoint.clone(), standing);
        }
        if let Some(delivery) = delivery {
            self.given += 1;
            self.deliveries.push_back(Delivery {
                number: self.given,
                ..delivery
            });
        }
        if self.deliveries.len() as u64 > DELIVERIES_KEPT_MAX {
            self.deliveries.pop_front();
        }
    }

    pub(super) fn standings(&self) -> Vec<Standing> {
        self.standings.values().cloned().collect()
    }

    pub(super) fn deliveries(&self, filter: &DeliveryFilter) -> Vec<Delivery> {
        let fits = |delivery: &&Delivery| {
            filter
                .tenant
                .as_ref()
                .is_none_or(|it| *it == delivery.tenant)
                && filter
                    .endpoint
                    .as_ref()
                    .is_none_or(|it| *it == delivery.endpoint)
                && filter.before.is_none_or(|it| delivery.number < it)
        };
        let newest_first = self.deliveries.iter().rev().filter(fits);
        newest_first.take(filter.limit).cloned().collect()
    }
}
