//! The gate's own tokens: got once, kept while they hold, and got for the right one.

use std::sync::Arc;

use serde_json::json;
use toolgate_gate::port::Clock;
use toolgate_gate::trust::{Behalf, Grants, Issuers};
use toolgate_model::Duration;
use toolgate_oauth::{
    AgentTable, GrantKind, GrantSpec, Granted, IssuerSpec, ResourceServer, ServerSpec, Subjects,
    TokenPlace,
};
use zeroize::Zeroizing;

use crate::issuer::{Issuer, Signing};
use crate::{BEGIN, HandClock, fetcher};

struct World {
    issuer: Issuer,
    clock: Arc<HandClock>,
    granted: Arc<Granted>,
    subjects: Subjects,
}

impl World {
    async fn new(kind: GrantKind) -> Self {
        let issuer = Issuer::start().await;
        let clock = HandClock::new();
        let subjects = Subjects::default();
        let spec = GrantSpec {
            kind,
            place: TokenPlace::Issuer(issuer.url.clone()),
            client_id: "tool gate".to_owned(),
            client_secret: Zeroizing::new("a:b+c".to_owned()),
            scopes: vec!["read".to_owned(), "write".to_owned()],
            resource: "https://crm.acme.com/mcp".to_owned(),
        };
        let shared: Arc<dyn Clock> = clock.clone();
        let granted = Arc::new(Granted::new(spec, &fetcher(), &shared, &subjects));
        Self {
            issuer,
            clock,
            granted,
            subjects,
        }
    }

    async fn get(&self, behalf: Option<&Behalf>) -> Result<String, String> {
        let got = self.granted.authorization(behalf).await;
        got.map(|authorization| authorization.expose().to_owned())
    }

    /// Has the gate see a token of this person.
    async fn sign_in(&self, user: &str, seconds: i64) -> Behalf {
        let signing = Signing::es256();
        self.issuer.publish(user, &signing);
        let agents = AgentTable {
            agents: [("assistant".to_owned(), "billing_agent".parse().unwrap())].into(),
            user: Some("sub".to_owned()),
            ..AgentTable::default()
        };
        let spec = IssuerSpec {
            issuer: self.issuer.url.clone(),
            audience: "gate".to_owned(),
            jwks_url: Some(format!("{}/keys", self.issuer.url)),
            agents,
            scopes: Vec::new(),
        };
        let spec = ServerSpec {
            resource: "gate".to_owned(),
            issuers: vec![spec],
        };
        let shared: Arc<dyn Clock> = self.clock.clone();
        let server = ResourceServer::new(spec, &fetcher(), &shared).keeping(self.subjects.clone());
        let claims = json!({
            "iss": self.issuer.url, "aud": "gate", "exp": BEGIN + seconds, "sub": user,
            "client_id": "assistant",
        });
        let vouched = server.verify(&signing.token(user, &claims)).await.unwrap();
        Behalf {
            agent: vouched.agent,
            user: vouched.user.unwrap().id,
        }
    }
}

#[tokio::test]
async fn one_token_serves_until_shortly_before_it_ends() {
    let world = World::new(GrantKind::ClientCredentials).await;
    let all = futures(&world, 20).await;
    assert!(all.iter().all(|got| got == "Bearer granted-1"), "{all:?}");
    world.clock.forward(Duration::from_secs(269));
    assert_eq!(world.get(None).await.unwrap(), "Bearer granted-1");
    world.clock.forward(Duration::from_secs(1));
    assert_eq!(world.get(None).await.unwrap(), "Bearer granted-2");
    let form = &world.issuer.forms()[0];
    let expected = [
        ("(basic)", "tool+gate:a%3Ab%2Bc"),
        ("grant_type", "client_credentials"),
        ("resource", "https://crm.acme.com/mcp"),
        ("scope", "read write"),
    ];
    let found: Vec<_> = form.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(found, expected);
    // A person behind a call changes nothing here: the token is the gate's own.
    let behalf = Behalf {
        agent: "billing_agent".parse().unwrap(),
        user: "bob@acme.com".parse().unwrap(),
    };
    assert_eq!(world.get(Some(&behalf)).await.unwrap(), "Bearer granted-2");
}

async fn futures(world: &World, count: usize) -> Vec<String> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..count {
        let granted = world.granted.clone();
        tasks.spawn(async move {
            let got = granted.authorization(None).await.unwrap();
            got.expose().to_owned()
        });
    }
    tasks.join_all().await
}

#[tokio::test]
async fn a_token_that_was_refused_is_handed_out_no_more() {
    let world = World::new(GrantKind::ClientCredentials).await;
    let first = world.granted.authorization(None).await.unwrap();
    world.granted.refused(&first);
    assert_eq!(world.get(None).await.unwrap(), "Bearer granted-2");
    // Whoever was refused with the old one does not take the new one from everybody else.
    world.granted.refused(&first);
    assert_eq!(world.get(None).await.unwrap(), "Bearer granted-2");
    assert_eq!(format!("{first:?}"), "Authorization(…)");
}

#[tokio::test]
async fn a_failure_is_said_and_remembered_for_a_moment() {
    let world = World::new(GrantKind::ClientCredentials).await;
    let refusal = json!({"error": "invalid_client", "error_description": "who are you"});
    world
        .issuer
        .change(|books| books.refusal = Some((401, refusal)));
    let why = world.get(None).await.unwrap_err();
    assert_eq!(
        why,
        "no token could be got: HTTP 401: invalid_client who are you"
    );
    assert_eq!(world.get(None).await.unwrap_err(), why);
    assert_eq!(world.issuer.forms().len(), 1);
    world.clock.forward(Duration::from_secs(5));
    assert_eq!(world.get(None).await.unwrap(), "Bearer granted-2");
    for (said, status) in [
        (json!({"token_type": "Bearer"}), 200),
        (json!({"access_token": "a", "token_type": "mac"}), 200),
        (
            json!({"access_token": "a\r\nX-Evil: 1", "token_type": "Bearer"}),
            200,
        ),
        (json!({"access_token": "", "token_type": "Bearer"}), 200),
        (json!({"access_token": "a", "token_type": "Bearer"}), 201),
        (json!({"error": 7}), 500),
    ] {
        world.clock.forward(Duration::from_secs(3_600));
        world
            .issuer
            .change(|books| books.refusal = Some((status, said.clone())));
        assert!(world.get(None).await.is_err(), "{said}");
    }
}

#[tokio::test]
async fn an_exchange_starts_from_the_persons_own_token_and_ends_with_it() {
    let world = World::new(GrantKind::TokenExchange).await;
    let bob = world.sign_in("bob@acme.com", 100).await;
    let eve = world.sign_in("eve@acme.com", 10_000).await;
    assert_eq!(world.get(Some(&bob)).await.unwrap(), "Bearer granted-1");
    assert_eq!(world.get(Some(&eve)).await.unwrap(), "Bearer granted-2");
    assert_eq!(world.get(Some(&bob)).await.unwrap(), "Bearer granted-1");
    // What the gate asks for itself is asked as the gate.
    assert_eq!(world.get(None).await.unwrap(), "Bearer granted-3");
    let forms = world.issuer.forms();
    let of = |form: usize, key: &str| forms[form].get(key).cloned().unwrap_or_default();
    assert_eq!(
        of(0, "grant_type"),
        "urn:ietf:params:oauth:grant-type:token-exchange"
    );
    assert_ne!(of(0, "subject_token"), of(1, "subject_token"));
    assert_eq!(of(0, "resource"), "https://crm.acme.com/mcp");
    assert_eq!(of(2, "grant_type"), "client_credentials");
    assert!(!forms[2].contains_key("subject_token"));
    // The person's token has ended, and with it what was made from it.
    world.clock.forward(Duration::from_secs(100));
    let why = world.get(Some(&bob)).await.unwrap_err();
    assert!(
        why.contains("the token of `bob@acme.com` has ended"),
        "{why}"
    );
    assert_eq!(world.get(Some(&eve)).await.unwrap(), "Bearer granted-2");
    // The same person through another agent is somebody else here.
    let other = Behalf {
        agent: "other_agent".parse().unwrap(),
        ..eve
    };
    assert!(world.get(Some(&other)).await.is_err());
    assert!(!format!("{:?}", world.granted).contains("a:b+c"));
}
