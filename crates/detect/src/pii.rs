//! Personal data: addresses of mail and machines, numbers of phones, cards, accounts and people.
//!
//! Must not know: the JSON that a text stands in.

pub(crate) mod birth;
pub(crate) mod checks;
pub(crate) mod email;
pub(crate) mod iban;
pub(crate) mod ids;
pub(crate) mod ip;
pub(crate) mod numbers;
