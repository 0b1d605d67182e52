//! `is_external_principal`: a recipient or host is outside the tenant's own domains.
//!
//! `true` holds for a mail to somebody outside the tenant's own domains; see [`crate::external`] for who is outside.
//! `false` asks for the opposite.

use super::flag;
use crate::test::Key;

pub(super) const KEY: Key = Key {
    name: "is_external_principal",
    doc: "a recipient or host is outside the tenant's own domains",
    schema: flag::schema,
    read: |checker, item| flag::read(checker, item, "is_external_principal"),
};
