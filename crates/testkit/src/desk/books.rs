//! The books: what the desk knows in memory, made from the opening entries and the ledger.
//!
//! `ch_1` is a charge of 1,000.00 usd to `cust_123`; `ch_load` is big enough for a load test.
//! Applying an effect never fails: what may not happen was refused before it was written.
//! Must not know: files, keys, faces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Amount, Effect, Refund, Refusal};

/// One customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Its id, `cust_123`.
    pub id: String,
    /// Where messages go.
    pub email: String,
    /// Whether the account is open.
    pub status: CustomerStatus,
}

/// Whether an account is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CustomerStatus {
    /// Open.
    Active,
    /// Open, and under review: a person should look.
    Review,
    /// Closed for good.
    Closed,
}

/// One charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its id, `ch_1`.
    pub id: String,
    /// Whose it is.
    pub customer: String,
    /// How much was charged.
    pub amount: Amount,
    /// In which currency, lower case.
    pub currency: String,
    /// How much of it was refunded, in cents.
    pub refunded_cents: u64,
}

impl Charge {
    /// What can still be refunded.
    pub fn left(&self) -> Amount {
        self.amount.minus(Amount::from_cents(self.refunded_cents))
    }

    /// Whether all of it was refunded.
    pub fn is_refunded(&self) -> bool {
        self.left().cents() == 0
    }
}

#[derive(Debug)]
pub(super) struct Books {
    customers: BTreeMap<String, Customer>,
    charges: BTreeMap<String, Charge>,
    refunds: Vec<Refund>,
    messages: u64,
}

/// Charge, customer, cents.
const OPENING: [(&str, &str, u64); 5] = [
    ("ch_1", "cust_123", 100_000),
    ("ch_2", "cust_123", 250_000),
    ("ch_3", "cust_456", 80_000),
    ("ch_4", "cust_789", 4_999),
    ("ch_load", "cust_load", 100_000_000_000),
];

impl Books {
    pub(super) fn opening() -> Self {
        let mut books = Self {
            customers: BTreeMap::new(),
            charges: BTreeMap::new(),
            refunds: Vec::new(),
            messages: 0,
        };
        for (id, customer, cents) in OPENING {
            books.change(&Customer {
                id: customer.to_owned(),
                email: format!("{customer}@example.com"),
                status: CustomerStatus::Active,
            });
            let charge = Charge {
                id: id.to_owned(),
                customer: customer.to_owned(),
                amount: Amount::from_cents(cents),
                currency: "usd".to_owned(),
                refunded_cents: 0,
            };
            books.charges.insert(id.to_owned(), charge);
        }
        books
    }

    pub(super) fn customer(&self, id: &str) -> Result<&Customer, Refusal> {
        let missing = || Refusal::NoCustomer(id.to_owned());
        self.customers.get(id).ok_or_else(missing)
    }

    pub(super) fn charge(&self, id: &str) -> Result<&Charge, Refusal> {
        let missing = || Refusal::NoCharge(id.to_owned());
        self.charges.get(id).ok_or_else(missing)
    }

    pub(super) fn refunds_of(&self, charge: &str) -> Vec<Refund> {
        let of_charge = |refund: &&Refund| refund.charge == charge;
        self.refunds.iter().filter(of_charge).cloned().collect()
    }

    pub(super) fn check_open(&self, customer: &str) -> Result<(), Refusal> {
        match self.customer(customer)?.status {
            CustomerStatus::Active | CustomerStatus::Review => Ok(()),
            CustomerStatus::Closed => Err(Refusal::Closed(customer.to_owned())),
        }
    }

    pub(super) fn check_refund(&self, refund: &Refund) -> Result<(), Refusal> {
        let charge = self.charge(&refund.charge)?;
        if charge.customer != refund.customer {
            return Err(Refusal::WrongCustomer {
                charge: refund.charge.clone(),
                customer: refund.customer.clone(),
            });
        }
        self.check_open(&refund.customer)?;
        if charge.currency != refund.currency {
            return Err(Refusal::Currency(charge.currency.clone()));
        }
        if refund.amount > charge.left() {
            return Err(Refusal::TooMuch {
                charge: refund.charge.clone(),
                asked: refund.amount,
                left: charge.left(),
            });
        }
        Ok(())
    }

    pub(super) fn next_refund_id(&self) -> String {
        format!("re_{}", self.refunds.len() + 1)
    }

    pub(super) fn next_message_id(&self) -> String {
        format!("msg_{}", self.messages + 1)
    }

    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Refund(refund) => {
                if let Some(charge) = self.charges.get_mut(&refund.charge) {
                    charge.refunded_cents += refund.amount.cents();
                }
                self.refunds.push(refund.clone());
            }
            Effect::Message(_) => self.messages += 1,
            Effect::Closure(closure) => {
                if let Some(customer) = self.customers.get_mut(&closure.customer) {
                    customer.status = CustomerStatus::Closed;
                }
            }
        }
    }

    pub(super) fn change(&mut self, customer: &Customer) {
        self.customers.insert(customer.id.clone(), customer.clone());
    }
}
