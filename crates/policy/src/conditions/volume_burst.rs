//! `volume_burst`: the agent calls far more often than it usually does.
//!
//! `true` holds for an agent that suddenly calls ten times as often as it did all week.
//! `false` asks for the opposite.

use super::flag;
use crate::test::Key;

pub(super) const KEY: Key = Key {
    name: "volume_burst",
    doc: "the agent calls far more often than it usually does",
    schema: flag::schema,
    read: |checker, item| flag::read(checker, item, "volume_burst"),
};
