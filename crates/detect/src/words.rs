//! Words that say what the number or text near them is.
//!
//! `SSN: 078 05 1123` would be any nine digits without its first word.
//!
//! Must not know: the numbers.

/// What a word speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Phone,
    /// What is said of phones and of much else.
    Talk,
    Card,
    Ssn,
    Ip,
    Passport,
    Licence,
    Birth,
    NationalId,
    TaxId,
    Bank,
    Plate,
    Patient,
    MedicalRecord,
    Npi,
    Ndc,
    Diagnosis,
    /// What makes a four-part number a version.
    Version,
}

/// Each word with its spellings, in lower case.
#[rustfmt::skip]
pub(crate) const WORDS: &[(Word, &[&str])] = &[
    (Word::Phone, &[
        "phone", "phones", "telephone", "tel", "telefon", "teléfono", "telefono", "téléphone", "telepono", "mobile", "mobil", "cell", "celular", "handy",
        "fax", "sms", "text me", "call me", "dial", "whatsapp", "voicemail", "hotline", "msisdn", "landline", "on-call", "answering at", "numaram",
    ]),
    (Word::Talk, &["call", "reach", "reach me", "contact", "answering", "office", "registered", "number is", "numbers are", "my number", "new number"]),
    (Word::Card, &[
        "card", "cards", "credit", "debit", "cc", "visa", "mastercard", "amex", "american express", "maestro", "diners",
        "discover", "pan", "payment", "kreditkarte", "tarjeta", "carte",
    ]),
    (Word::Ssn, &["ssn", "ssns", "social security", "soc sec", "social sec"]),
    (Word::Ip, &[
        "ip", "ips", "ipv4", "ipv6", "address", "addr", "host", "gateway", "subnet", "route", "dns", "client_ip", "server", "cidr", "broadcast",
        "interface", "unspecified", "remote", "peer", "loopback", "localhost",
    ]),
    (Word::Passport, &["passport", "passports", "pasaporte", "reisepass", "passeport", "passaporto", "여권"]),
    (Word::Licence, &[
        "driver license", "driver's license", "drivers license", "driving licence", "driver licence", "driving license", "license number", "licence number", "license no", "licence no",
        "führerschein", "fuehrerschein", "permis de conduire", "patente", "dl number",
    ]),
    (Word::Birth, &["birth", "born", "dob", "d.o.b", "birthday", "birthdate", "geburtsdatum", "date of birth", "date de naissance", "fecha de nacimiento", "data di nascita"]),
    (Word::NationalId, &[
        "national id", "identity card", "id card", "identity number", "citizen", "nino", "national insurance", "nhs", "aadhaar", "aadhar", "uidai", "nric", "fin number", "fin:",
        "pesel", "personnummer", "cpf", "curp", "dni", "nif", "nie:", "nie es", "número de identificación", "codice fiscale", "fiscal code", "tckn", "kimlik", "henkilötunnus", "rrn", "frn",
        "resident registration", "voter", "epic", "south african id", "rsa id", "thai id", "id number", "sin:", "sin number", "my sin", "social insurance", "insee", "bsn", "personalausweis", "ausweis",
        "extranjero", "identificación", "henkilotunnus", "mbi", "medicare", "svnr", "sozialversicherung", "rentenversicherung", "versichertennummer", "krankenversicherung",
    ]),
    (Word::TaxId, &[
        "tax", "tax id", "tin:", "tin number", "tin is", "tfn", "itin", "ein", "vat", "ust-id", "ustid", "vat number", "abn", "acn", "gstin", "gst", "pan number", "pan card", "permanent account", "steuer",
        "steuernummer", "idnr", "steueridentifikationsnummer", "partita iva", "uen", "organisationsnummer", "orgnr", "handelsregister", "cnpj", "steuer-id",
    ]),
    (Word::Bank, &["routing", "aba", "bank", "account number", "account no", "acct", "iban", "sort code", "konto", "rtn", "swift", "transit"]),
    (Word::Plate, &["plate", "plates", "registration number", "vehicle", "number plate", "license plate", "licence plate", "plaka", "kennzeichen", "araç"]),
    (Word::Patient, &["patient", "patients", "patient's", "subject", "pt.", "mr.", "mrs.", "ms."]),
    (Word::MedicalRecord, &["mrn", "medical record", "medical record number", "patient id", "patient number", "patient no", "chart number", "chart no", "hospital number", "health record"]),
    (Word::Npi, &["npi", "national provider", "provider identifier", "provider id"]),
    (Word::Ndc, &["ndc", "national drug code"]),
    (Word::Diagnosis, &[
        "diagnosis", "diagnoses", "diagnosed", "diagnostic", "prognosis", "prescribed", "prescription", "medication", "medications", "dosage", "symptoms", "icd-10", "icd10", "icd",
        "chemotherapy", "hiv", "hepatitis", "diabetes", "cancer", "carcinoma", "tumor", "hypertension", "depression", "schizophrenia", "bipolar", "asthma", "epilepsy", "pregnant", "pregnancy",
        "insulin", "metformin", "lisinopril", "atorvastatin", "oxycodone", "sertraline", "allergic", "biopsy", "lab results", "blood type", "discharge summary", "hospitalized", "surgery", "disorder", "treated for",
    ]),
    (Word::Version, &["version", "versions", "release", "released", "bump", "bumps", "upgrade", "update", "build", "section", "rfc", "§"]),
];
