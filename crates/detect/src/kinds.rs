//! Every kind of finding that the product has, for lists and for switching one off.
//!
//! Must not know: how anything is found.

use crate::secrets::formats;

/// Kinds that no table of formats names, by class.
const OTHERS: &[&str] = &[
    "AZURE_DEVOPS_TOKEN",
    "BASIC_CREDENTIALS",
    "BEARER_TOKEN",
    "COMMAND_CREDENTIALS",
    "CONNECTION_SECRET",
    "CREDIT_CARD",
    "DATE_OF_BIRTH",
    "DISCORD_TOKEN",
    "EMAIL",
    "FHIR_RESOURCE",
    "HEALTH_STATEMENT",
    "IBAN",
    "INTERNAL_MARKING",
    "IP_ADDRESS",
    "JWT",
    "KUBERNETES_SECRET",
    "MAILCHIMP_KEY",
    "MAXMIND_KEY",
    "MEDICAL_RECORD_NUMBER",
    "NDC",
    "NETRC_CREDENTIALS",
    "NPI",
    "OPAQUE_TOKEN",
    "PASSWORD",
    "PHONE_NUMBER",
    "PRIVATE_KEY",
    "TELEGRAM_TOKEN",
    "TRUENAS_KEY",
    "TWILIO_KEY",
    "URL_CREDENTIALS",
    "US_SSN",
];

/// Every kind, some more than once.
pub fn all() -> impl Iterator<Item = &'static str> {
    let formats = formats::all().map(|format| format.kind);
    formats
        .chain(crate::pii::ids::kinds())
        .chain(OTHERS.iter().copied())
}
