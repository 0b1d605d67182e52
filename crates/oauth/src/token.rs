//! A signed token (RFC 7515, compact form; RFC 7519) taken apart, strictly, and nothing believed.
//!
//! ```text
//! {"alg":"ES256","kid":"2026-11"} . {"iss":"https://login.acme.com", …} . signature
//! ```
//! The header chooses among the issuer's keys and never brings one: `jwk`, `jku`, `x5u` and `x5c`
//! are not read. `none` and the symmetric algorithms do not exist here, so a public key is never
//! taken for a shared secret.
//!
//! Must not know: issuers, keys, what claims mean.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use toolgate_model::json::{self, Limits, Numbers};

/// LIMIT: as many bytes as the headers of a request may have; tokens with many groups have six
/// thousand.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// LIMIT: a part is shorter than the token; its claims are flat.
const PART: Limits = Limits {
    bytes_max: TOKEN_BYTES_MAX,
    depth_max: 8,
    string_bytes_max: TOKEN_BYTES_MAX,
};
/// LIMIT: a key's name is a few words or a digest.
const KID_BYTES_MAX: usize = 256;

/// How tokens may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// ECDSA on P-256, SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of this name. INVARIANT: what is not in this list verifies nothing.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A token taken apart.
#[derive(Debug)]
pub(crate) struct Unverified<'t> {
    /// How it says that it is signed.
    pub(crate) algorithm: Algorithm,
    /// With which key, where it says so.
    pub(crate) kid: Option<String>,
    /// What it says.
    pub(crate) claims: Value,
    /// The bytes that are signed.
    pub(crate) signed: &'t [u8],
    /// The signature.
    pub(crate) signature: Vec<u8>,
}

impl<'t> Unverified<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// What is wrong with it, without a word of it.
    pub(crate) fn read(text: &'t str) -> Result<Self, &'static str> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err("the token is too long");
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(FORM)?;
        let (header, claims) = signed.split_once('.').ok_or(FORM)?;
        if claims.contains('.') {
            return Err(FORM);
        }
        let header = part(header)?;
        let algorithm = text_of(&header, "alg").and_then(Algorithm::parse);
        let algorithm = algorithm.ok_or("the token is not signed in a way that is accepted")?;
        // Whoever adds an extension that must be understood means one that is not.
        if header.get("crit").is_some() {
            return Err("the token needs an extension that is not known");
        }
        check_type(&header)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= KID_BYTES_MAX => Some(kid.clone()),
            Some(_) => return Err(FORM),
        };
        let claims = part(claims)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| FORM)?;
        Ok(Self {
            algorithm,
            kid,
            claims,
            signed: signed.as_bytes(),
            signature,
        })
    }

    /// Who it says issued it; only to choose whose keys it is held against.
    pub(crate) fn issuer(&self) -> Option<&str> {
        text_of(&self.claims, "iss")
    }
}

const FORM: &str = "the credential is missing or not known";

/// An access token is `at+jwt` (RFC 9068) or, with many issuers, `JWT`; what says that it is
/// something else, such as a logout token, is not taken for one.
fn check_type(header: &Value) -> Result<(), &'static str> {
    let Some(kind) = header.get("typ") else {
        return Ok(());
    };
    let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
    let bare = kind.strip_prefix("application/").unwrap_or(&kind);
    match bare {
        "jwt" | "at+jwt" => Ok(()),
        _ => Err("the token is no access token"),
    }
}

fn part(text: &str) -> Result<Value, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| FORM)?;
    let value = json::parse(&bytes, PART, Numbers::Relay).map_err(|_| FORM)?;
    value.is_object().then_some(value).ok_or(FORM)
}

/// A member that is a text.
pub(crate) fn text_of<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::Unverified;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(header), part(claims), part("signature"))
    }

    #[test]
    fn what_two_readers_could_read_differently_is_no_token() {
        let good = token(
            r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#,
            r#"{"iss":"i"}"#,
        );
        assert_eq!(Unverified::read(&good).unwrap().issuer(), Some("i"));
        let whole = |header: &str| token(header, r#"{"iss":"i"}"#);
        for bad in [
            String::new(),
            "a".to_owned(),
            "a.b".to_owned(),
            "..".to_owned(),
            format!("{good}.x"),
            format!("{good}="),
            format!("{good}\n"),
            format!(" {good}"),
            whole("[]"),
            whole("{}"),
            whole(r#"{"alg":"none"}"#),
            whole(r#"{"alg":"None"}"#),
            whole(r#"{"alg":"HS256"}"#),
            whole(r#"{"alg":"es256"}"#),
            whole(r#"{"alg":["ES256"]}"#),
            whole(r#"{"alg":"ES256","alg":"none"}"#),
            whole(r#"{"alg":"ES256","crit":["b64"],"b64":false}"#),
            whole(r#"{"alg":"ES256","typ":"logout+jwt"}"#),
            whole(r#"{"alg":"ES256","typ":1}"#),
            whole(r#"{"alg":"ES256","kid":7}"#),
            whole(&format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(257))),
            token(r#"{"alg":"ES256"}"#, r#"{"iss":"i","iss":"j"}"#),
            token(r#"{"alg":"ES256"}"#, "[]"),
            token(
                r#"{"alg":"ES256"}"#,
                &format!(r#"{{"a":"{}"}}"#, "x".repeat(16 << 10)),
            ),
        ] {
            assert!(Unverified::read(&bad).is_err(), "{bad}");
        }
        for typ in ["JWT", "jwt", "AT+JWT", "application/at+jwt"] {
            let token = whole(&format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#));
            assert!(Unverified::read(&token).is_ok(), "{typ}");
        }
    }
}
