//! The order of the gate, step by step: the first failing question names the code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod world;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use toolgate_gate::history::Ledger;
use toolgate_gate::{Evidence, authenticate, decide, known, survey, visible};
use toolgate_model::{
    Call, Duration, Lifecycle, Mode, Profile, Role, Runner, Scope, Stance, Verdict,
};
use world::{World, globs, now, spec_policy, tool};

/// The verdict, code and message that a call gets.
fn answer(world: &World, call: &Call) -> String {
    let configuration = world.configuration();
    let identity = match configuration.standing(&world.credential.id, now()) {
        Ok(identity) => identity,
        Err(denial) => return format!("{}: {}", denial.code, denial.message),
    };
    let (judged, clearance) = decide(
        &configuration,
        &identity,
        (call, &Evidence::default()),
        now(),
    );
    assert_eq!(
        clearance.is_some(),
        matches!(judged.decision.verdict, Verdict::Allow | Verdict::Sanitize),
        "a clearance comes with an allow and with nothing else"
    );
    match judged.decision.denial {
        None => judged.decision.verdict.to_string(),
        Some(denial) => format!("{}: {}", denial.code, denial.message),
    }
}

fn call(arguments: Value) -> Call {
    Call::new("stripe.refund".parse().unwrap(), arguments)
}

fn check(change: impl FnOnce(&mut World, &mut Call), expected: Expect) {
    let mut world = World::default();
    let mut call = call(json!({"customer": "cust_123", "amount": 100}));
    change(&mut world, &mut call);
    expected.assert_eq(&answer(&world, &call));
}

#[test]
fn a_granted_call_that_no_rule_speaks_about_gets_its_posture() {
    check(|_, _| {}, expect!["allow"]);
    check(
        |world, _| world.tools[0].risk = toolgate_model::Risk::High,
        expect!["approval_required: no rule speaks, and high risk needs approval"],
    );
    check(
        |world, _| world.tools[0].risk = toolgate_model::Risk::Critical,
        expect!["posture_denied: no rule speaks, and critical risk is denied by posture"],
    );
}

#[test]
fn a_tools_own_posture_wins_over_that_of_its_risk() {
    check(
        |world, _| world.tools[0].posture = Some(Stance::RequireApproval),
        expect!["approval_required: no rule speaks, and this tool needs approval"],
    );
    check(
        |world, _| world.tools[0].posture = Some(Stance::Deny),
        expect!["posture_denied: no rule speaks, and this tool is denied by posture"],
    );
    check(
        |world, _| {
            world.tools[0].risk = toolgate_model::Risk::Critical;
            world.tools[0].posture = Some(Stance::Allow);
        },
        expect!["allow"],
    );
    // What rules say wins over any posture.
    check(
        |world, _| {
            world.tools[0].posture = Some(Stance::Allow);
            let text = r#"{"rules": [{"match": {"tools": ["stripe.*"]}, "effect": "deny"}]}"#;
            world.policies[0].1 = text.to_owned();
        },
        expect!["policy_denied: `policy/r1` denies: match.tools"],
    );
}

#[test]
fn what_only_the_gate_looks_with_is_nobodys_to_call_or_to_see() {
    let mut world = World::default();
    world.agent.profile = Profile::Admin;
    let call = call(json!({"customer": "cust_123"}));
    let shown = |world: &World| {
        let configuration = world.configuration();
        let identity = configuration.standing(&world.credential.id, now()).unwrap();
        let tool = configuration.catalogue.iter().next().unwrap();
        visible(&configuration, &identity, tool, now())
            || known(&configuration, &identity, tool, now())
    };
    assert_eq!(
        (answer(&world, &call).as_str(), shown(&world)),
        ("allow", true)
    );
    world.tools[0].runner = Runner::Probe;
    let hidden = answer(&world, &call);
    assert!(!shown(&world));
    world.tools.clear();
    // Nothing tells it from a tool that is not there.
    assert_eq!(hidden, answer(&world, &call));
    assert!(hidden.starts_with("tool_not_found"), "{hidden}");
}

#[test]
fn a_grant_of_an_action_opens_the_tool_that_it_names() {
    let acting = |world: &mut World, grant: &[&str]| {
        world.tools[0].action = Some("stripe:refund".to_owned());
        world.grant().tools = Vec::new();
        world.grant().actions = globs(grant);
    };
    check(|world, _| acting(world, &["stripe:*"]), expect!["allow"]);
    check(
        |world, _| acting(world, &["crm:*", "stripe.refund"]),
        expect!["not_granted: nothing grants `stripe.refund` to `billing_agent`"],
    );
    check(
        |world, _| {
            acting(world, &["stripe:refund"]);
            world.tools[0].action = None;
        },
        expect!["not_granted: nothing grants `stripe.refund` to `billing_agent`"],
    );
}

#[test]
fn each_step_has_its_code() {
    check(
        |world, _| world.credential.expires_at = Some(now()),
        expect![
            "credential_expired: credential `key_00000000000071018101010101010101` expired at 2026-06-16T15:14:22.104Z"
        ],
    );
    // Revoked by a node whose clock is ahead of this one: revoked all the same.
    check(
        |world, _| world.credential.revoked_at = Some(now().plus(Duration::from_secs(60))),
        expect![
            "credential_revoked: credential `key_00000000000071018101010101010101` was revoked at 2026-06-16T15:15:22.104Z"
        ],
    );
    check(
        |world, _| world.agent.suspended = true,
        expect!["credential_revoked: agent `billing_agent` is suspended"],
    );
    check(
        |_, call| call.tool = "stripe.refunds".parse().unwrap(),
        expect!["tool_not_found: there is no tool `stripe.refunds`"],
    );
    check(
        |_, call| call.version = Some("2".to_owned()),
        expect!["version_mismatch: `stripe.refund` is at version `1.0.0`, not `2`"],
    );
    for lifecycle in [Lifecycle::Disabled, Lifecycle::Declared] {
        check(
            |world, _| world.tools[0].lifecycle = lifecycle,
            expect!["tool_disabled: `stripe.refund` is disabled"],
        );
    }
    check(
        |world, _| world.tools[0].lifecycle = Lifecycle::Deprecated,
        expect!["allow"],
    );
    check(
        |_, call| call.arguments = json!("text"),
        expect!["invalid_arguments: the arguments must be an object"],
    );
    check(
        |_, call| call.timeout = Some(Duration::default()),
        expect!["invalid_timeout: the timeout must lie between 1ms and 10m, and `0ms` does not"],
    );
    check(
        |world, _| world.agent.role = Role::Reader,
        expect!["role_denied: role `reader` may not call tools that WRITE"],
    );
    check(
        |world, _| world.agent.profile = Profile::default(),
        expect!["not_granted: nothing grants `stripe.refund` to `billing_agent`"],
    );
    check(
        |_, call| call.arguments = json!({"customer": "cust_9", "amount": 1}),
        expect![
            "resource_not_granted: `stripe.refund` is not granted to `billing_agent` for this resource, environment or workflow"
        ],
    );
    check(
        |world, _| world.tools[0].risk = toolgate_model::Risk::Critical,
        expect!["posture_denied: no rule speaks, and critical risk is denied by posture"],
    );
    check(
        |world, _| world.grant().max_risk = Some(toolgate_model::Risk::Low),
        expect!["risk_ceiling: `stripe.refund` is medium risk, above the ceiling"],
    );
    check(
        |_, call| call.resource = Some("customer:cust_9".to_owned()),
        expect![
            "entity_mismatch: the resource that the call names is not the one its arguments name"
        ],
    );
    check(
        |world, _| world.policies.clear(),
        expect!["no_policy: no policy is in force, so nothing is decided"],
    );
    check(
        |world, _| world.policies[0].1 = "{".to_owned(),
        expect!["gate_unavailable: the policy set in force does not load"],
    );
}

#[test]
fn arguments_that_do_not_fit_are_named_by_place_and_never_by_value() {
    check(
        |_, call| call.arguments = json!({"customer": {"secret": "tg_value"}}),
        expect![
            "invalid_arguments: the arguments do not fit the tool's schema at `/customer`: value is not of type \"string\""
        ],
    );
}

#[test]
fn a_resource_that_is_only_claimed_satisfies_no_grant_but_a_star() {
    let claim = |world: &mut World, call: &mut Call| {
        world.tools[0].resource = None;
        call.resource = Some("customer:cust_123".to_owned());
    };
    check(
        claim,
        expect![
            "resource_not_granted: `stripe.refund` is not granted to `billing_agent` for this resource, environment or workflow"
        ],
    );
    check(
        |world, call| {
            claim(world, call);
            world.grant().resources = globs(&["*"]);
        },
        expect!["allow"],
    );
}

#[test]
fn a_credential_narrows_on_every_axis() {
    let axes: [(&str, Scope); 5] = [
        (
            "tools",
            Scope {
                tools: globs(&["crm.*"]),
                ..Scope::default()
            },
        ),
        (
            "envs",
            Scope {
                envs: globs(&["staging", "test"]),
                ..Scope::default()
            },
        ),
        (
            "workflows",
            Scope {
                workflows: globs(&["a", "b"]),
                ..Scope::default()
            },
        ),
        (
            "resources",
            Scope {
                resources: globs(&["customer:cust_9"]),
                ..Scope::default()
            },
        ),
        (
            "agents",
            Scope {
                agents: vec!["other".parse().unwrap()],
                ..Scope::default()
            },
        ),
    ];
    for (axis, scope) in axes {
        let world = World::with_scope(scope);
        let got = answer(&world, &call(json!({"customer": "cust_123", "amount": 1})));
        assert!(got.starts_with("out_of_scope"), "{axis}: {got}");
    }
    // A scope that names one environment fixes it, and a call that names another is out.
    let world = World::with_scope(Scope {
        envs: globs(&["prod"]),
        ..Scope::default()
    });
    let mut call = call(json!({"customer": "cust_123", "amount": 1}));
    assert_eq!(answer(&world, &call), "allow");
    call.env = Some("staging".to_owned());
    assert!(answer(&world, &call).starts_with("out_of_scope"));
}

/// The first document of 2-decision, part 3, as it stands, for an agent with no grant of its own.
fn by_policy(change: impl FnOnce(&mut World, &mut Call)) -> String {
    let mut world = World::default();
    world.agent.profile = Profile::default();
    world.policies = vec![("refunds".to_owned(), spec_policy().to_owned())];
    let mut call = call(json!({"customer": "cust_123", "amount": 100}));
    call.env = Some("prod".to_owned());
    call.workflow = Some("refund_review".to_owned());
    change(&mut world, &mut call);
    answer(&world, &call).split(':').next().unwrap().to_owned()
}

#[test]
fn the_specs_first_policy_decides_as_written() {
    assert_eq!(by_policy(|_, _| {}), "approval_required");
    let other_customer = |_: &mut World, call: &mut Call| {
        call.arguments = json!({"customer": "cust_9", "amount": 1})
    };
    assert_eq!(by_policy(other_customer), "resource_not_granted");
    assert_eq!(
        by_policy(|_, call| call.workflow = Some("x".to_owned())),
        "resource_not_granted"
    );
    assert_eq!(
        by_policy(|_, call| call.workflow = None),
        "resource_not_granted"
    );
    assert_eq!(
        by_policy(|_, call| call.env = Some("test".to_owned())),
        "resource_not_granted"
    );
    let other_agent = |world: &mut World, _: &mut Call| {
        world.agent.id = "other_agent".parse().unwrap();
        world.credential.subject = world.agent.id.clone();
    };
    assert_eq!(by_policy(other_agent), "not_granted");
}

#[test]
fn without_its_env_selector_the_amount_decides_outside_prod() {
    let at = |arguments: Value| {
        by_policy(|world, call| {
            world.policies[0].1 = spec_policy().replace(r#""env": "prod", "#, "");
            call.env = Some("staging".to_owned());
            call.arguments = arguments;
        })
    };
    assert_eq!(at(json!({"customer": "cust_123", "amount": 100})), "allow");
    for arguments in [
        json!({"customer": "cust_123", "amount": 600}),
        json!({"customer": "cust_123"}),
        json!({"customer": "cust_123", "amount": "1000"}),
    ] {
        assert_eq!(at(arguments.clone()), "approval_required", "{arguments}");
    }
}

#[test]
fn the_admin_profile_reaches_everything_and_rules_still_bind_it() {
    let deny = r#"{"rules": [{"match": {"tools": ["stripe.*"]}, "effect": "deny"}]}"#;
    check(
        |world, _| world.agent.profile = Profile::Admin,
        expect!["allow"],
    );
    check(
        |world, _| {
            world.agent.profile = Profile::Admin;
            world.policies[0].1 = deny.to_owned();
        },
        expect!["policy_denied: `policy/r1` denies: match.tools"],
    );
}

#[test]
fn a_schema_that_changes_under_a_rule_closes_no_other_tool() {
    let misses = r#"{"rules": [
        {"match": {"tools": ["stripe.refund"]}, "when": "amont > 500", "effect": "deny"}]}"#;
    check(
        |world, _| world.policies[0].1 = misses.to_owned(),
        expect!["allow"],
    );
    let mut world = World::default();
    world.policies[0].1 = misses.to_owned();
    let configuration = world.configuration();
    assert_eq!(configuration.policy_errors().count(), 0);
    let told: Vec<_> = configuration
        .diagnostics
        .iter()
        .map(|d| d.message.as_str())
        .collect();
    assert_eq!(told, ["`stripe.refund` has no argument `amont`"]);
    // Anything else that is wrong still closes the gate.
    check(
        |world, _| world.policies[0].1 = misses.replace("deny", "dny"),
        expect!["gate_unavailable: the policy set in force does not load"],
    );
}

#[test]
fn the_same_inputs_give_the_same_decision() {
    let world = World::default();
    let configuration = world.configuration();
    let identity = configuration.standing(&world.credential.id, now()).unwrap();
    let call = call(json!({"customer": "cust_123", "amount": 1}));
    let once = decide(
        &configuration,
        &identity,
        (&call, &Evidence::default()),
        now(),
    )
    .0
    .decision;
    let twice = decide(
        &world.configuration(),
        &identity,
        (&call, &Evidence::default()),
        now(),
    )
    .0
    .decision;
    assert_eq!(
        serde_json::to_string(&once).unwrap(),
        serde_json::to_string(&twice).unwrap()
    );
}

#[test]
fn a_survey_says_what_an_agent_could_do_and_why_not() {
    let mut world = World::default();
    world.tools.push(tool("stripe.payout"));
    world.tools[1].risk = toolgate_model::Risk::Critical;
    world.tools.push(tool("crm.read"));
    let agent = std::sync::Arc::new(world.agent.clone());
    let shown = survey((&world.configuration(), &Ledger::default()), &agent, now())
        .into_iter()
        .map(|line| format!("{} {} {}\n", line.tool, line.answer, line.reason))
        .collect::<String>();
    expect![[r#"
        crm.read no nothing grants `crm.read` to `billing_agent`
        stripe.payout depends reachable; the arguments, resource and environment decide
        stripe.refund depends reachable; the arguments, resource and environment decide
    "#]]
    .assert_eq(&shown);
}

#[test]
fn an_unknown_token_and_a_wrong_secret_get_the_same_answer() {
    let world = World::default();
    let configuration = world.configuration();
    let good = authenticate(&configuration, &world.token.reveal(), now());
    assert!(good.is_ok());
    let mut wrong = world.token.reveal();
    let last = if wrong.ends_with('0') { '1' } else { '0' };
    wrong.pop();
    wrong.push(last);
    let unknown = wrong.replacen("01", "02", 1);
    let person = wrong.replacen("tg_", "tgp_", 1);
    for bad in ["", "tg_", &wrong, &unknown, &person] {
        let denial = authenticate(&configuration, bad, now()).unwrap_err();
        assert_eq!(
            (denial.code.as_str(), denial.message.as_str()),
            ("unauthenticated", "the credential is missing or not known")
        );
    }
}

#[test]
fn what_a_host_runs_is_not_run_by_the_gate() {
    let hosted = |world: &mut World| world.tools[0].runner = Runner::Host;
    check(
        |world, _| hosted(world),
        expect![
            "runs_in_host: `stripe.refund` runs in its host, not in the gate: propose it with the mode `host`"
        ],
    );
    for mode in [Mode::Host, Mode::Decide, Mode::Simulate] {
        check(
            |world, call| {
                hosted(world);
                call.mode = mode;
            },
            expect!["allow"],
        );
    }
}

#[test]
fn a_host_is_waited_for_no_longer_than_its_tool_allows() {
    for (mode, asked, given) in [
        (Mode::Host, 5, 5),
        (Mode::Host, 600, 20),
        (Mode::Execute, 600, 600),
    ] {
        let world = World::default();
        let configuration = world.configuration();
        let identity = configuration.standing(&world.credential.id, now()).unwrap();
        let call = Call {
            mode,
            timeout: Some(Duration::from_secs(asked)),
            ..call(json!({"customer": "cust_123", "amount": 100}))
        };
        let question = (&call, &Evidence::default());
        let (judged, _) = decide(&configuration, &identity, question, now());
        assert_eq!(judged.timeout, Duration::from_secs(given), "{mode:?}");
    }
}

#[test]
fn a_trusted_host_says_which_resource_a_call_is_about_where_nothing_else_does() {
    let claims = |resource: &str, trusted: bool, template: bool, runner: Runner| {
        let mut world = World::default();
        world.agent.trusted_host = trusted;
        world.tools[0].runner = runner;
        if !template {
            world.tools[0].resource = None;
        }
        let mut call = call(json!({"amount": 100}));
        call.mode = Mode::Host;
        call.resource = Some(resource.to_owned());
        answer(&world, &call)
    };
    let host = Runner::Host;
    assert_eq!(claims("customer:cust_123", true, false, host), "allow");
    for (resource, trusted, template, runner) in [
        // Not its word to give; not what it may reach; what readers could take for another one; the
        // tool's own template says where the resource stands; and the tool is none of a host's.
        ("customer:cust_123", false, false, host),
        ("customer:cust_9", true, false, host),
        ("customer:cust_9/../cust_123", true, false, host),
        ("customer:cust_123", true, true, host),
        ("customer:cust_123", true, false, Runner::Gate),
    ] {
        let answer = claims(resource, trusted, template, runner);
        assert!(
            answer.starts_with("resource_not_granted"),
            "{resource} {trusted} {template} {runner:?}: {answer}"
        );
    }
}
