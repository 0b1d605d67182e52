//! Classes of data, and who can write what a tool returns.
//!
//! A card number is `PII`, an API key is `SECRETS`. What a ticket says was written by whoever opened
//! it: a result of a tool that reads tickets carries the words of outsiders.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::risk::words;

/// A class of data that rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DataClass {
    /// Keys, tokens, passwords: whatever opens something.
    Secrets,
    /// What identifies a person: addresses, numbers of phones, cards, accounts.
    Pii,
    /// What says something of a person's health.
    Phi,
    /// What its own text calls internal or confidential.
    Internal,
}

words!(DataClass {
    Secrets = "SECRETS",
    Pii = "PII",
    Phi = "PHI",
    Internal = "INTERNAL",
});

/// Several classes of data.
pub type DataClasses = BTreeSet<DataClass>;

/// Who can write what a tool returns. What nobody has said anything of may come from anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authors {
    /// Anybody: a web page, a mailbox, a ticket.
    #[default]
    Anyone,
    /// Only the tenant and its own systems.
    Trusted,
    /// Anybody, but only in these fields of the result: dotted paths, `*` for every element or key.
    Fields(Vec<String>),
}

/// Where a value was seen before in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In the user's own words.
    User,
    /// In an earlier result that outsiders cannot write.
    Result,
    /// In an earlier result that outsiders can write.
    External,
    /// Nowhere.
    None,
}

words!(Origin {
    User = "user",
    Result = "result",
    External = "external",
    None = "none",
});
