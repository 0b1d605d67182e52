//! Tokens of issuers, right and wrong in every way that attackers know.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use toolgate_gate::port::Clock;
use toolgate_gate::trust::{Distrust, Issuers, Vouched};
use toolgate_model::Duration;
use toolgate_oauth::{AgentTable, IssuerSpec, ResourceServer, ServerSpec};

use crate::issuer::{Issuer, Keys, Signing};
use crate::{BEGIN, HandClock, fetcher};

const RESOURCE: &str = "https://gate.acme.com/mcp";

struct World {
    issuer: Issuer,
    signing: Signing,
    clock: Arc<HandClock>,
    server: ResourceServer,
}

impl World {
    async fn new() -> Self {
        let issuer = Issuer::start().await;
        let signing = Signing::es256();
        issuer.publish("one", &signing);
        let clock = HandClock::new();
        let agents = AgentTable {
            agents: [("assistant".to_owned(), "billing_agent".parse().unwrap())].into(),
            user: Some("sub".to_owned()),
            ..AgentTable::default()
        };
        let spec = IssuerSpec {
            issuer: issuer.url.clone(),
            audience: RESOURCE.to_owned(),
            jwks_url: None,
            agents,
            scopes: vec!["toolgate:call".to_owned()],
        };
        let spec = ServerSpec {
            resource: RESOURCE.to_owned(),
            issuers: vec![spec],
        };
        let shared: Arc<dyn Clock> = clock.clone();
        let server = ResourceServer::new(spec, &fetcher(), &shared);
        Self {
            issuer,
            signing,
            clock,
            server,
        }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.issuer.url, "aud": RESOURCE, "exp": BEGIN + 100_000, "iat": BEGIN,
            "sub": "bob@acme.com", "client_id": "assistant", "scope": "openid toolgate:call",
        })
    }

    async fn verify(&self, token: &str) -> Result<Vouched, Distrust> {
        self.server.verify(token).await
    }

    async fn why(&self, token: &str) -> String {
        self.verify(token).await.unwrap_err().to_string()
    }

    fn good(&self) -> String {
        self.signing.token("one", &self.claims())
    }
}

#[tokio::test]
async fn a_token_of_the_issuer_names_the_agent_and_the_person() {
    let world = World::new().await;
    let vouched = world.verify(&world.good()).await.unwrap();
    assert_eq!(vouched.agent.as_str(), "billing_agent");
    assert_eq!(vouched.user.unwrap().id.as_str(), "bob@acme.com");
    assert_eq!(vouched.issuer, world.issuer.url);
    // A second key, of another kind, is found under its name; no more is asked than once a gap.
    let other = Signing::ed25519();
    world.issuer.publish("two", &other);
    let token = other.token("two", &world.claims());
    assert!(world.why(&token).await.contains("does not have"));
    world.clock.forward(Duration::from_secs(30));
    assert!(world.verify(&token).await.is_ok());
    assert_eq!(world.issuer.asked(), 2);
    let metadata = world.server.metadata();
    assert_eq!(metadata["authorization_servers"], json!([world.issuer.url]));
    assert_eq!(metadata["resource"], RESOURCE);
}

#[tokio::test]
async fn a_forged_token_is_nobodys() {
    let world = World::new().await;
    let claims = world.claims();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    // No signature at all, in the spellings that were once believed.
    for alg in ["none", "None", "NONE", "nOnE"] {
        let unsigned = format!("{}.{}.", part(&json!({"alg": alg})), part(&claims));
        assert!(world.verify(&unsigned).await.is_err(), "{alg}");
    }
    // The public key as a shared secret.
    let public = world.signing.jwk().to_string();
    for secret in [
        public.as_bytes(),
        world.signing.jwk()["x"].as_str().unwrap().as_bytes(),
    ] {
        let signed = format!(
            "{}.{}",
            part(&json!({"alg": "HS256", "kid": "one"})),
            part(&claims)
        );
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let tag = ring::hmac::sign(&key, signed.as_bytes());
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
        assert!(world.verify(&token).await.is_err());
    }
    // A key of the attacker's own: brought along, pointed at, or passed off under a known name.
    let own = Signing::es256();
    for more in [
        json!({"kid": "one"}),
        json!({"jwk": own.jwk()}),
        json!({"kid": "one", "jwk": own.jwk()}),
        json!({"jku": "http://127.0.0.1:1/keys", "kid": "own"}),
        json!({"x5u": "http://127.0.0.1:1/cert", "kid": "own"}),
        json!({"kid": "../../../../dev/null"}),
        json!({"kid": "one' OR '1'='1"}),
        json!({"kid": ""}),
        json!({}),
    ] {
        let mut header = json!({"alg": "ES256", "typ": "at+jwt"});
        header
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let token = own.sign(&header, &claims);
        assert!(world.verify(&token).await.is_err(), "{header}");
    }
    // Claims of one token under the signature of another.
    let (good, mut swapped) = (world.good(), claims.clone());
    swapped["client_id"] = json!("admin");
    let parts: Vec<&str> = good.split('.').collect();
    let token = format!("{}.{}.{}", parts[0], part(&swapped), parts[2]);
    assert!(world.why(&token).await.contains("signature"));
    assert!(world.verify(&good).await.is_ok());
}

#[tokio::test]
async fn a_genuine_token_for_something_else_opens_nothing() {
    let world = World::new().await;
    for (claim, value, why) in [
        (
            "iss",
            json!("https://login.other.com"),
            "from somebody else",
        ),
        ("aud", json!("https://api.acme.com"), "is not for"),
        ("aud", json!(["https://gate.acme.com/mcp/"]), "is not for"),
        ("exp", json!(BEGIN - 61), "has expired"),
        ("nbf", json!(BEGIN + 61), "not valid yet"),
        ("client_id", json!("stranger"), "no agent of this gate"),
        ("scope", json!("openid"), "no scope `toolgate:call`"),
        ("sub", json!("a b"), "no name of a person"),
    ] {
        let mut claims = world.claims();
        claims[claim] = value;
        let found = world.why(&world.signing.token("one", &claims)).await;
        assert!(found.contains(why), "{claim}: {found}");
    }
    // What nobody signed asks nothing of the issuer that it names.
    let asked = world.issuer.asked();
    let elsewhere = json!({"iss": "http://127.0.0.1:1", "aud": RESOURCE, "exp": BEGIN + 9});
    assert!(
        world
            .verify(&world.signing.token("one", &elsewhere))
            .await
            .is_err()
    );
    assert_eq!(world.issuer.asked(), asked);
}

#[tokio::test]
async fn whoever_makes_up_names_of_keys_makes_the_gate_ask_once() {
    let world = World::new().await;
    world.verify(&world.good()).await.unwrap();
    for number in 0..50 {
        let token = world
            .signing
            .token(&format!("made-up-{number}"), &world.claims());
        assert!(world.verify(&token).await.is_err());
    }
    assert_eq!(world.issuer.asked(), 1);
    world.clock.forward(Duration::from_secs(31));
    for number in 0..50 {
        let token = world
            .signing
            .token(&format!("made-up-{number}"), &world.claims());
        assert!(world.verify(&token).await.is_err());
    }
    assert_eq!(world.issuer.asked(), 2);
    assert!(world.verify(&world.good()).await.is_ok());
}

#[tokio::test]
async fn keys_that_cannot_be_had_prove_nothing_and_deny_nobody_for_good() {
    for wrong in [Keys::Away, Keys::Moved, Keys::Endless] {
        let world = World::new().await;
        world.issuer.change(|books| books.behaviour = wrong);
        let found = world.verify(&world.good()).await;
        assert!(
            matches!(found, Err(Distrust::Unavailable(_))),
            "{wrong:?}: {found:?}"
        );
        // Everybody who comes meanwhile is told so, and the issuer is left alone.
        assert!(world.verify(&world.good()).await.is_err());
        assert_eq!(world.issuer.asked(), 1, "{wrong:?}");
        world.issuer.change(|books| books.behaviour = Keys::Right);
        world.clock.forward(Duration::from_secs(30));
        assert!(world.verify(&world.good()).await.is_ok(), "{wrong:?}");
    }
}

#[tokio::test]
async fn metadata_that_speaks_for_somebody_else_is_nobodys() {
    let world = World::new().await;
    world.issuer.change(|books| books.behaviour = Keys::Foreign);
    let found = world.verify(&world.good()).await;
    assert!(matches!(found, Err(Distrust::Unavailable(_))), "{found:?}");
    assert_eq!(world.issuer.asked(), 0);
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_believed_no_longer_than_it_must_be() {
    let world = World::new().await;
    world.verify(&world.good()).await.unwrap();
    // The issuer is away for a while: what was known goes on.
    world.issuer.change(|books| books.behaviour = Keys::Away);
    world.clock.forward(Duration::from_secs(601));
    assert!(world.verify(&world.good()).await.is_ok());
    assert_eq!(world.issuer.asked(), 2);
    world.clock.forward(Duration::from_secs(3_000));
    let found = world.verify(&world.good()).await;
    assert!(matches!(found, Err(Distrust::Unavailable(_))), "{found:?}");
    // It is back, and has taken the key back.
    world.issuer.change(|books| {
        books.behaviour = Keys::Right;
        books.keys.clear();
    });
    world.clock.forward(Duration::from_secs(30));
    let found = world.verify(&world.good()).await;
    assert!(matches!(found, Err(Distrust::Invalid(_))), "{found:?}");
}
