//! What must not compile: a permit from nowhere, twice, copied, or sent away.

#[test]
fn a_permit_cannot_be_forged_copied_or_used_twice() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/permit/*.rs");
}
