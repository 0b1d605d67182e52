//! Sources that offer prompts and resources beside the desk's tools.
//!
//! `crm` and `wiki` share a gate, so their names have them in front; `crm` has resources of which
//! not everybody may read all. What a method answers is whatever stands in the desk's `odd`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_driver::AgentSpec;
use toolgate_model::{
    Catalogue, Descriptor, Effect, Glob, Grant, Method, Offer, Profile, ResourceTemplate, Risk,
    Role, TenantId, Verb,
};
use toolgate_policy::Document;

use crate::desk::{tool, tools};
use crate::world::{World, id};

/// Rules about what `crm` offers.
const RULES: &str = r#"{
  "name": "shelf",
  "rules": [
    {"rule_id": "closed", "match": {"tools": ["crm.resources/read"]}, "when": "uri == \"file:///closed.txt\"",
     "effect": "deny", "reason": "That file is closed."},
    {"rule_id": "asked", "match": {"tools": ["crm.prompts/get"]}, "when": "name == \"ask first\"",
     "effect": "require_approval", "reason": "Somebody looks at that one first."}
  ]
}"#;

/// What `crm` offers.
pub(crate) fn crm() -> Offer {
    let capabilities = json!({
        "prompts": {}, "resources": {"subscribe": true, "listChanged": true},
        "completions": {}, "logging": {}, "vendor": {},
    });
    Offer {
        capabilities: capabilities.as_object().cloned().unwrap(),
        instructions: Some("Ask the CRM nicely.\rFrom wiki:\nAsk nobody.".to_owned()),
        prompts: vec![
            json!({"zeta": 1, "name": "greet", "arguments": [{"name": "who", "required": true}]}),
            json!({"name": "ask first"}),
        ],
        resources: vec![
            serde_json::from_str(
                r#"{"name":"A","uri":"file:///a.txt","annotations":{"priority":0.10}}"#,
            )
            .unwrap(),
            json!({"name": "Closed", "uri": "file:///closed.txt"}),
            json!({"name": "B", "uri": "file:///secret/b.txt"}),
        ],
        templates: vec![json!({"uriTemplate": "file:///{path}", "name": "files"})],
        ..Offer::default()
    }
}

/// What `wiki` offers.
pub(crate) fn wiki() -> Offer {
    Offer {
        capabilities: json!({"resources": {}}).as_object().cloned().unwrap(),
        resources: vec![json!({"uri": "wiki:///home", "name": "Home"})],
        templates: vec![json!({"uriTemplate": "wiki:///{page}", "name": "pages"})],
        ..Offer::default()
    }
}

/// The tools that stand for the methods of a source.
pub(crate) fn methods(source: &str, offer: &Offer) -> Vec<Descriptor> {
    let declared = |method: &Method| match method {
        Method::GetPrompt => offer.capabilities.contains_key("prompts"),
        Method::ReadResource => offer.capabilities.contains_key("resources"),
        Method::Complete => true,
    };
    let described = |method: Method| {
        let name = format!("{source}.{}", method.as_str());
        let template = match method {
            Method::GetPrompt => Some("prompt:{args.name}"),
            Method::ReadResource => Some("{args.uri}"),
            Method::Complete => None,
        };
        Descriptor {
            wire_name: format!("{source}__{}", method.as_str()),
            definition: json!({"name": method.as_str()}),
            input_schema: json!({"type": "object"}),
            resource: template.map(|text| ResourceTemplate::parse(text).unwrap()),
            effect: Effect::None,
            ..tool(&name, Verb::Read, Risk::Low)
        }
    };
    Method::ALL
        .into_iter()
        .filter(declared)
        .map(described)
        .collect()
}

/// A world with these sources beside the desk; its agent is granted all of them.
pub(crate) async fn world(offers: Vec<(&str, Offer)>) -> World {
    let world = World::new().await;
    put(&world, offers);
    let document = Document {
        name: "shelf".to_owned(),
        text: RULES.to_owned(),
    };
    world.driver.declare_policies(vec![document]).await.unwrap();
    world
        .regrant(&["desk.*", "crm.*", "wiki.*", "mute.*"])
        .await;
    world
}

/// From now on the sources offer this.
pub(crate) fn put(world: &World, offers: Vec<(&str, Offer)>) {
    let mut all = tools();
    for (source, offer) in &offers {
        all.extend(methods(source, offer));
    }
    let offers = offers.into_iter();
    let offers: BTreeMap<_, _> = offers
        .map(|(source, offer)| (source.to_owned(), Arc::new(offer)))
        .collect();
    let catalogue = Arc::new(Catalogue::new(all).with_offers(offers));
    world.desk.set(catalogue.clone());
    world.driver.set_catalogue(catalogue);
}

/// From now on the agent reaches these tools on these resources.
pub(crate) async fn grant(world: &World, tools: &[&str], resources: &[&str]) {
    let globs = |list: &[&str]| list.iter().map(|text| Glob::new(*text)).collect();
    let grant = Grant {
        tools: globs(tools),
        resources: globs(resources),
        actions: Vec::new(),
        envs: Vec::new(),
        workflows: Vec::new(),
        max_risk: None,
    };
    let spec = AgentSpec {
        id: id("billing_agent"),
        owner: id("ana@acme.com"),
        role: Role::Agent,
        profile: Profile::Scoped {
            grants: vec![grant],
        },
        runtime: None,
        project: None,
        trusted_host: false,
    };
    let declared = world.driver.declare_agent(spec, TenantId::default());
    declared.await.unwrap();
}

/// What the names in a listed field are.
pub(crate) fn listed(answer: &Value, field: &str, key: &str) -> Vec<String> {
    let all = answer["result"][field].as_array();
    let all = all.unwrap_or_else(|| panic!("{answer}"));
    all.iter()
        .map(|one| one[key].as_str().unwrap().to_owned())
        .collect()
}
