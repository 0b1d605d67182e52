//! Every code has its page, and every page its code: a code is a promise to callers.

use std::collections::BTreeSet;
use std::path::Path;

use toolgate_model::Code;

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codes");
    let pages: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let codes: BTreeSet<String> = Code::ALL
        .iter()
        .map(|(_, word)| format!("{word}.md"))
        .collect();
    assert_eq!(pages, codes);
}
