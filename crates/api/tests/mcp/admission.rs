//! Tokens that others issue, at the door: who comes in, and what is said to whoever does not.
//!
//! How such a token is verified is not asked here: the issuers of this file know five words.

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_api::mcp::{McpOptions, router};
use toolgate_gate::port::{BoxFuture, RecordFilter};
use toolgate_gate::trust::{Distrust, Issuers, Vouched};
use toolgate_model::User;

use crate::client::Answer;
use crate::world::World;

struct Words;

impl Issuers for Words {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Vouched, Distrust>> {
        let vouched = |agent: &str| Vouched {
            agent: agent.parse().unwrap(),
            user: Some(User {
                id: "bob@acme.com".parse().unwrap(),
                groups: Vec::new(),
            }),
            issuer: "https://login.acme.com".to_owned(),
        };
        let missing = "toolgate:call".to_owned();
        let answer = match token {
            "good" => Ok(vouched("billing_agent")),
            "stranger" => Ok(vouched("nobody_agent")),
            "narrow" => Err(Distrust::Scope { missing }),
            "away" => Err(Distrust::Unavailable("no keys now".to_owned())),
            _ => Err(Distrust::Invalid("the token has expired".to_owned())),
        };
        Box::pin(std::future::ready(answer))
    }

    fn metadata(&self) -> Value {
        json!({"resource": "http://127.0.0.1:8787/mcp"})
    }

    fn scope(&self) -> &str {
        "toolgate:call"
    }
}

async fn open() -> World {
    let mut world = World::new().await;
    world.api.admission.issuers = Some(Arc::new(Words));
    world.router = router(world.api.clone(), McpOptions::default());
    world
}

async fn list(world: &World, token: &str) -> Answer {
    let asked = world.modern("tools/list", json!({}));
    asked.header("authorization", token).await_answer().await
}

fn challenge(answer: &Answer) -> String {
    let value = answer.headers.get("www-authenticate");
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

const WHERE: &str = r#"resource_metadata="http://127.0.0.1:8787/.well-known/oauth-protected-resource/mcp", scope="toolgate:call""#;

#[tokio::test(start_paused = true)]
async fn a_challenge_names_the_issuers_and_every_scope() {
    let world = open().await;
    for (token, status, error) in [
        ("", 401, ""),
        ("Basic YTpi", 401, ""),
        ("Bearer expired", 401, r#", error="invalid_token""#),
        ("Bearer stranger", 401, r#", error="invalid_token""#),
        ("Bearer tg_nonsense", 401, r#", error="invalid_token""#),
        ("Bearer narrow", 403, r#", error="insufficient_scope""#),
    ] {
        let answer = list(&world, token).await;
        assert_eq!(answer.status, status, "{token}");
        let expected = format!(r#"Bearer realm="toolgate"{error}, {WHERE}"#);
        assert_eq!(challenge(&answer), expected, "{token}");
    }
    // Nobody can tell: neither the token's fault nor a reason to sign in again.
    let away = list(&world, "Bearer away").await;
    assert_eq!((away.status, challenge(&away)), (503, String::new()));
    assert_eq!(list(&world, "Bearer good").await.status, 200);
    assert_eq!(
        list(&world, &format!("Bearer {}", world.agent))
            .await
            .status,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_hold_is_on_the_record_like_a_bad_key() {
    let world = open().await;
    for token in ["expired", "stranger", "narrow", "tg_nonsense", "away"] {
        list(&world, &format!("Bearer {token}")).await;
    }
    let filter = RecordFilter {
        kind_prefix: Some("auth.refused".to_owned()),
        limit: 100,
        ..RecordFilter::default()
    };
    let records = world.driver.store().records(filter).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let said: Vec<String> = records.iter().map(|record| text(&record.bytes)).collect();
    assert_eq!(said.len(), 4, "{said:#?}");
    for (record, word) in said
        .iter()
        .zip(["expired", "no agent", "no scope", "not known"])
    {
        assert!(record.contains(word), "{word}: {record}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_token_of_an_agent_that_stands_no_more_is_nobodys() {
    let world = open().await;
    assert_eq!(list(&world, "Bearer good").await.status, 200);
    let agent = "billing_agent".parse().unwrap();
    world.suspend(&agent).await;
    let answer = list(&world, "Bearer good").await;
    assert_eq!(answer.status, 401);
    assert!(
        answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("suspended")
    );
    world.resume(&agent).await;
    assert_eq!(list(&world, "Bearer good").await.status, 200);
    // Revoking the credential that stands for the issuer ends that way in, and no other.
    let mut world = world;
    let own = world.key.clone();
    world.key = world
        .driver
        .stand_in(&agent, "https://login.acme.com")
        .await
        .unwrap();
    world.revoke().await;
    assert_eq!(list(&world, "Bearer good").await.status, 401);
    world.key = own;
    assert_eq!(
        list(&world, &format!("Bearer {}", world.agent))
            .await
            .status,
        200
    );
}
