//! `new_resource`: this agent touches this resource for the first time.
//!
//! `true` holds for the first call of this agent that is about `customer:cust_7`.
//! `false` asks for the opposite.

use super::flag;
use crate::test::Key;

pub(super) const KEY: Key = Key {
    name: "new_resource",
    doc: "this agent touches this resource for the first time",
    schema: flag::schema,
    read: |checker, item| flag::read(checker, item, "new_resource"),
};
