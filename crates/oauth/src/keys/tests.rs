//! The examples of the standards, and what must not pass for them.
//!
//! RFC 7515 A.2 (RS256) and A.3 (ES256), RFC 8037 A.4 (Ed25519); PS256 and a key that is too short
//! were signed with another implementation. Signatures stand in pieces.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{KeySet, Verdict};
use crate::token::{Algorithm, Unverified};

/// The claims of RFC 7515, with its line breaks.
const CLAIMS: &str =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

const RS256_N: &[&str] = &[
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp",
    "-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOW",
    "vG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs",
    "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9k",
    "G4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2",
    "PAcDTW9gb54h4FRWyuXpoQ",
];
const RS256: &[&str] = &[
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7",
    "AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4",
    "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K",
    "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv",
    "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB",
    "p0igcN_IoypGlUPQGe77Rw",
];
const PS256_N: &[&str] = &[
    "ogP6reqpJn_46tSt0hAa4jBlqje-_yuXyDXwQKeNo2VbtWRWh2UymxUzwNL4c5-w",
    "n-9OZpgTkKh_dVpZXdoA2LPUtk_DuR7f4yhcLKHc_iblXXQJnY6tE_AIWUX2xbaN",
    "BLbHrv8TGe58zOQVwcw9apSZRFkp2dma7_b9u3c93uOuGxFUcwie5_E44-lqvK-_",
    "AmMwyftJcxCN7RevZlV63JGnYP31ihuLuNtnV35EN2L52SUUkPjembjJioOHilix",
    "YhDIvx1AHnZwRzojCvvaBuGICyCYKa6hbQazgh1jsFbwyKXIILclcu2YDIsXRsbB",
    "fvf8XUTNL6Z3TlknBXZE5w",
];
const PS256: &[&str] = &[
    "SZvmBPTMkRILPu1U7bTRmm40H-g6MF6bMopgpwdh0rjAgpLzzYfGH4MchBeT3M-K",
    "kjIUxPEiG68_oEre8bj_9xLhfU1yM5Gr1ikk0OgDn5ewmzxEVdd17H5xKwrtMHSy",
    "XuxmavkbAJKmkrcWES0ee4lXLUUFFpY4-ppEAJExb_M2uGV0GVoPu7z57W6Vz8eF",
    "aomzbkklSx68k79Uc4gALiHfbGHN_pTHV_pAuP-XD_0TmeP-eyogtsq6DX7VUg4W",
    "aocSKwksfwaJTkegMh54lJcAcwHICga5BYVnGq1X_8mrZ6WBxcqI6zR6D8TorhmN",
    "1G3kZ5oN3_7lKNB2bLzfLw",
];
const SHORT_N: &[&str] = &[
    "vfN8Oo9moRFaaUO167gPgbMfd9_iPtEBoYvlyzX4VwUjkgVOTxT36tYvPmQkWnn9",
    "ORxRJswVM-FF2eWPwmAFrXJSjt7O1CBVKM1jd99JG3eqFRARq2c-pK3vFTrx3yIk",
    "tB47bQLAEsVO81g8-t1pP0kXkNq-ZONjUB7f2llmw5s",
];
const SHORT: &[&str] = &[
    "Nav8Ws9zwUwcO1Py0X2y8HuMwmPXLfra9MChgi7CJ_YbjxmMKJod74Jn4z8OxoTu",
    "vVS8DygW8BIKwWc8Id5MqPfUW2i6vklNhj-pHxx1CLWVy_Gsj_Ebid_NNDSXmXN8",
    "ExI5JEmYJ98rGSuXx1sB6NSBKnD_JXpQplVfCbHQcP4",
];
const ES256: &[&str] = &[
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA",
    "pmWQxfKTUJqPP3-Kg6NU1Q",
];

fn rsa(n: &[&str]) -> Value {
    json!({"kty": "RSA", "n": n.concat(), "e": "AQAB"})
}

fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn with(mut jwk: Value, more: &[(&str, Value)]) -> Value {
    for (key, value) in more {
        jwk[*key] = value.clone();
    }
    jwk
}

fn token(header: &str, claims: &str, signature: &[&str]) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(header), part(claims), signature.concat())
}

fn judged(keys: &[Value], token: &str) -> Verdict {
    let set = KeySet::read(&json!({"keys": keys})).unwrap();
    set.judge(&Unverified::read(token).unwrap())
}

#[test]
fn the_examples_of_the_standards_are_genuine() {
    let es = token(r#"{"alg":"ES256"}"#, CLAIMS, ES256);
    assert_eq!(judged(&[p256()], &es), Verdict::Genuine);
    let rs = token(r#"{"alg":"RS256"}"#, CLAIMS, RS256);
    assert_eq!(judged(&[rsa(RS256_N)], &rs), Verdict::Genuine);
    let ps = token(r#"{"alg":"PS256"}"#, r#"{"iss":"joe"}"#, PS256);
    assert_eq!(judged(&[rsa(PS256_N)], &ps), Verdict::Genuine);
    // All keys of a set, where the token names none.
    let all = [ed25519(), rsa(RS256_N), rsa(PS256_N), p256()];
    for token in [&es, &rs, &ps] {
        assert_eq!(judged(&all, token), Verdict::Genuine);
    }
    let ed = Unverified {
        algorithm: Algorithm::EdDsa,
        kid: None,
        claims: json!({}),
        signed: b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        signature: URL_SAFE_NO_PAD
            .decode(
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            )
            .unwrap(),
    };
    let set = KeySet::read(&json!({"keys": [ed25519()]})).unwrap();
    assert_eq!(set.judge(&ed), Verdict::Genuine);
}

#[test]
fn nothing_else_passes_for_them() {
    let es = token(r#"{"alg":"ES256"}"#, CLAIMS, ES256);
    let forged = token(r#"{"alg":"ES256"}"#, &CLAIMS.replace("joe", "eve"), ES256);
    assert_eq!(judged(&[p256()], &forged), Verdict::Forged);
    let empty = token(r#"{"alg":"ES256"}"#, CLAIMS, &[]);
    assert_eq!(judged(&[p256()], &empty), Verdict::Forged);
    // A signature of zeros, which some verifiers took for any message.
    let zeros = token(r#"{"alg":"ES256"}"#, CLAIMS, &["A".repeat(86).as_str()]);
    assert_eq!(judged(&[p256()], &zeros), Verdict::Forged);
    // The padding of the other algorithm of the same key.
    let crossed = token(r#"{"alg":"PS256"}"#, CLAIMS, RS256);
    assert_eq!(judged(&[rsa(RS256_N)], &crossed), Verdict::Forged);
    // A key that is too short proves nothing, however well it signs.
    let short = token(r#"{"alg":"RS256"}"#, r#"{"iss":"joe"}"#, SHORT);
    assert_eq!(judged(&[rsa(SHORT_N)], &short), Verdict::Forged);
    // Keys that are for something else, or of another kind.
    for key in [
        with(p256(), &[("use", json!("enc"))]),
        with(p256(), &[("key_ops", json!(["sign"]))]),
        with(p256(), &[("alg", json!("RS256"))]),
        with(p256(), &[("alg", json!("none"))]),
        with(p256(), &[("crv", json!("P-384"))]),
        with(p256(), &[("x", json!("AA"))]),
        rsa(RS256_N),
        ed25519(),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!("key"),
    ] {
        assert_eq!(
            judged(std::slice::from_ref(&key), &es),
            Verdict::Unknown,
            "{key}"
        );
    }
}

#[test]
fn a_token_that_names_its_key_is_held_against_that_one_alone() {
    let named = |kid: &str| with(p256(), &[("kid", json!(kid))]);
    let other = with(
        json!({"kty": "EC", "crv": "P-256"}),
        &[
            ("kid", json!("a")),
            ("x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")),
            ("y", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")),
        ],
    );
    let of = |kid: &str| {
        token(
            &format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#),
            CLAIMS,
            ES256,
        )
    };
    // The name is signed along, so that the signature fails here; which key was asked is told apart.
    assert_eq!(judged(&[named("a")], &of("a")), Verdict::Forged);
    assert_eq!(judged(&[named("a")], &of("b")), Verdict::Unknown);
    assert_eq!(judged(&[named("a")], &of("../a")), Verdict::Unknown);
    assert_eq!(judged(&[p256()], &of("a")), Verdict::Unknown);
    let unnamed = token(r#"{"alg":"ES256"}"#, CLAIMS, ES256);
    assert_eq!(judged(&[other, named("b")], &unnamed), Verdict::Genuine);
}

#[test]
fn a_set_is_bounded() {
    let many = json!({"keys": vec![p256(); 65]});
    assert!(KeySet::read(&many).is_err());
    assert!(KeySet::read(&json!({})).is_err());
    assert!(KeySet::read(&json!({"keys": {}})).is_err());
    // The key that signed stands beyond those that are tried.
    let wrong = with(
        p256(),
        &[("y", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"))],
    );
    let mut keys = vec![wrong; 8];
    keys.push(p256());
    let unnamed = token(r#"{"alg":"ES256"}"#, CLAIMS, ES256);
    assert_eq!(judged(&keys, &unnamed), Verdict::Forged);
}
