//! The refund desk: customers, charges, refunds, and a ledger that outlives the process.
//!
//! A story: `refund` of 640 on `ch_1` for `cust_123` is checked against the charge, written to
//! the ledger and flushed, and only then answered. Kill the process at any moment: what was
//! answered is in the ledger, and the books are built from the ledger at the next start.
//!
//! This file is the domain. It must not know MCP, HTTP or JSON-RPC: those are faces.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

mod args;
mod books;
mod catalogue;
mod http;
mod ledger;
mod mcp;
mod money;
mod operations;
mod rest;
mod rpc;
mod stdio;
mod switch;

pub use args::{DeskArgs, RunError, main_with, run};
pub use books::{Charge, Customer, CustomerStatus};
pub use ledger::{
    Closure, Effect, Ledger, LedgerError, LedgerLine, Message, Refund, Request, Sums,
};
pub use mcp::{Control, Face, HttpHeads, Reply, Schemas};
pub use money::{Amount, AmountError};
pub use switch::{Fault, FaultError, FaultKind, Moment, Switches};

use books::Books;

/// The desk. Cheap to share behind an `Arc`; every operation is one short critical section.
#[derive(Debug)]
pub struct Desk {
    honours_keys: KeyPolicy,
    state: Mutex<State>,
}

/// What the desk does with an idempotency key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyPolicy {
    /// Writes it down and does the work again: what most services do.
    #[default]
    Ignore,
    /// Answers a repeated key with the first effect.
    Honour,
}

#[derive(Debug)]
struct State {
    books: Books,
    ledger: Ledger,
    /// What each key brought about: the order as it was given, and the effect.
    keys: BTreeMap<String, Effect>,
}

/// Why the desk did not do what was asked. Nothing happened.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No such customer.
    #[error("there is no customer `{0}`")]
    NoCustomer(String),
    /// No such charge.
    #[error("there is no charge `{0}`")]
    NoCharge(String),
    /// The charge is somebody else's.
    #[error("the charge `{charge}` belongs to another customer than `{customer}`")]
    WrongCustomer {
        /// The charge.
        charge: String,
        /// Who was named.
        customer: String,
    },
    /// The account is closed.
    #[error("the account of `{0}` is closed")]
    Closed(String),
    /// More than is left of the charge.
    #[error("`{asked}` is more than the `{left}` left on `{charge}`")]
    TooMuch {
        /// The charge.
        charge: String,
        /// What was asked.
        asked: Amount,
        /// What could still be refunded.
        left: Amount,
    },
    /// The charge is in another currency.
    #[error("the charge is in `{0}`")]
    Currency(String),
    /// The key was used for something else.
    #[error("the idempotency key was used for another order")]
    KeyReused,
    /// The ledger cannot be written; the desk does nothing that it cannot write down.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A refund to be made.
#[derive(Clone, Debug)]
pub struct RefundOrder {
    /// Of which charge.
    pub charge: String,
    /// Whose charge that is.
    pub customer: String,
    /// How much.
    pub amount: Amount,
    /// In which currency; none means the charge's own.
    pub currency: Option<String>,
    /// What the caller wants kept with it.
    pub metadata: BTreeMap<String, String>,
}

impl Desk {
    /// Opens the ledger, waits until no other desk holds it, and builds the books from it.
    ///
    /// # Errors
    /// [`LedgerError`] where the file cannot be opened or a line in it is not one of ours.
    pub fn open(ledger: &Path, honours_keys: KeyPolicy) -> Result<Self, LedgerError> {
        let (ledger, lines) = Ledger::open(ledger)?;
        let mut books = Books::opening();
        let mut keys = BTreeMap::new();
        for line in lines {
            if let Some(change) = &line.change {
                books.change(change);
            }
            if let Some(effect) = line.effect {
                books.apply(&effect);
                if let Some(key) = effect.key() {
                    keys.entry(key.to_owned()).or_insert(effect.clone());
                }
            }
        }
        let state = Mutex::new(State {
            books,
            ledger,
            keys,
        });
        Ok(Self {
            honours_keys,
            state,
        })
    }

    /// Whether a repeated key is answered from the first.
    pub fn key_policy(&self) -> KeyPolicy {
        self.honours_keys
    }

    /// Notes that a request came in, whatever becomes of it.
    ///
    /// # Errors
    /// [`LedgerError`] where it cannot be written.
    pub fn note_request(&self, tool: &str, key: Option<&str>) -> Result<(), LedgerError> {
        self.lock().ledger.append_request(tool, key)
    }

    /// Looks a customer up.
    ///
    /// # Errors
    /// [`Refusal::NoCustomer`].
    pub fn customer(&self, id: &str) -> Result<Customer, Refusal> {
        self.lock().books.customer(id).cloned()
    }

    /// Looks a charge up.
    ///
    /// # Errors
    /// [`Refusal::NoCharge`].
    pub fn charge(&self, id: &str) -> Result<Charge, Refusal> {
        self.lock().books.charge(id).cloned()
    }

    /// Lists the refunds of a charge, oldest first.
    ///
    /// # Errors
    /// [`Refusal::NoCharge`].
    pub fn refunds(&self, charge: &str) -> Result<Vec<Refund>, Refusal> {
        let state = self.lock();
        state.books.charge(charge)?;
        Ok(state.books.refunds_of(charge))
    }

    /// Refunds a part of a charge: durable when this returns.
    ///
    /// # Errors
    /// [`Refusal`] says why nothing happened.
    pub fn refund(&self, order: RefundOrder, key: Option<&str>) -> Result<Refund, Refusal> {
        let mut state = self.lock();
        let mut refund = Refund {
            id: String::new(),
            charge: order.charge,
            customer: order.customer,
            amount: order.amount,
            currency: order.currency.unwrap_or_default(),
            metadata: order.metadata,
            key: key.map(str::to_owned),
        };
        if refund.currency.is_empty() {
            refund.currency = state.books.charge(&refund.charge)?.currency.clone();
        }
        if let Some(Effect::Refund(first)) =
            self.already(&state, key, &Effect::Refund(refund.clone()))?
        {
            return Ok(first);
        }
        state.books.check_refund(&refund)?;
        refund.id = state.books.next_refund_id();
        state.land(Effect::Refund(refund.clone()))?;
        Ok(refund)
    }

    /// Sends a message: durable when this returns.
    ///
    /// # Errors
    /// [`Refusal`] says why nothing happened.
    pub fn send(&self, to: String, text: String, key: Option<&str>) -> Result<Message, Refusal> {
        let mut state = self.lock();
        let key_kept = key.map(str::to_owned);
        let mut message = Message {
            id: String::new(),
            to,
            text,
            key: key_kept,
        };
        if let Some(Effect::Message(first)) =
            self.already(&state, key, &Effect::Message(message.clone()))?
        {
            return Ok(first);
        }
        message.id = state.books.next_message_id();
        state.land(Effect::Message(message.clone()))?;
        Ok(message)
    }

    /// Closes an account for good: durable when this returns.
    ///
    /// # Errors
    /// [`Refusal`] says why nothing happened.
    pub fn close(&self, customer: String, key: Option<&str>) -> Result<Closure, Refusal> {
        let mut state = self.lock();
        let closure = Closure {
            customer,
            key: key.map(str::to_owned),
        };
        if let Some(Effect::Closure(first)) =
            self.already(&state, key, &Effect::Closure(closure.clone()))?
        {
            return Ok(first);
        }
        state.books.check_open(&closure.customer)?;
        state.land(Effect::Closure(closure.clone()))?;
        Ok(closure)
    }

    /// Changes a customer's data behind everybody's back, as the world does.
    ///
    /// # Errors
    /// [`Refusal::NoCustomer`], or the ledger.
    pub fn change(&self, customer: Customer) -> Result<(), Refusal> {
        let mut state = self.lock();
        state.books.customer(&customer.id)?;
        state.ledger.append_change(&customer)?;
        state.books.change(&customer);
        Ok(())
    }

    fn already(
        &self,
        state: &State,
        key: Option<&str>,
        order: &Effect,
    ) -> Result<Option<Effect>, Refusal> {
        let first = match (self.honours_keys, key) {
            (KeyPolicy::Honour, Some(key)) => state.keys.get(key),
            (KeyPolicy::Ignore, _) | (KeyPolicy::Honour, None) => None,
        };
        match first {
            Some(first) if first.is_same_order(order) => Ok(Some(first.clone())),
            Some(_) => Err(Refusal::KeyReused),
            None => Ok(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock would have to come from the allocator: the books stay whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// INVARIANT: the ledger is durable before the books move, and the books before the answer.
    fn land(&mut self, effect: Effect) -> Result<(), LedgerError> {
        self.ledger.append_effect(&effect)?;
        self.books.apply(&effect);
        if let Some(key) = effect.key() {
            self.keys.entry(key.to_owned()).or_insert(effect.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
