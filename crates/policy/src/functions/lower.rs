//! `lower(args.channel) == general`: the text in lower case.
//!
//! Unicode's own lower case, without a locale: `İ` becomes two characters everywhere alike.

use crate::value::Datum;

pub(super) fn lower(value: Datum<'_>) -> Option<Datum<'_>> {
    match value {
        Datum::Text(text) => Some(Datum::Text(text.to_lowercase().into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::lower;
    use crate::value::Datum;

    #[test]
    fn texts_are_lowered_and_others_have_no_case() {
        assert_eq!(lower(Datum::text("GenÉral")), Some(Datum::text("genéral")));
        assert_eq!(lower(Datum::Bool(true)), None);
    }
}
