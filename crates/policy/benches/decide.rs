//! What one decision costs, beside the strict parse of the same 1 KiB call, in one run.
//!
//! Ten rules are about the called tool (one, where the set has one), all others about other
//! tools, ten each. The aim: under the parse, and flat in the number of rules about other tools.
//! Prints criterion's figures and then one table of medians and ratios.
//!
//! `cargo bench -p toolgate-policy`

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot be set up fails"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use serde_json::json;
use toolgate_model::json::{Limits, Numbers, parse};
use toolgate_model::{
    Catalogue, Descriptor, Effect, Lifecycle, Risk, RiskScore, Role, Timestamp, ToolId, Verb,
};
use toolgate_policy::{Budget, Document, Facts, PolicySet, load};

const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const RULES_A_TOOL: usize = 10;

struct Bench {
    tool: ToolId,
    catalogue: Catalogue,
    text: String,
    args: serde_json::Value,
}

fn descriptor(id: ToolId) -> Descriptor {
    Descriptor {
        version: "1.0.0".into(),
        wire_name: id.as_str().replace('.', "__"),
        definition: json!({}),
        input_schema: json!({"type": "object", "properties": {
            "amount": {"type": "number"}, "currency": {"type": "string"}, "memo": {"type": "string"},
            "lines": {"type": "array"}, "charge": {"type": "string"},
        }}),
        category: None,
        method: None,
        verb: Verb::Write,
        risk: Risk::High,
        risk_score: RiskScore::of_band(Risk::High),
        risk_reason: String::new(),
        resource: None,
        effect: Effect::Some,
        timeout: "20s".parse().unwrap(),
        lifecycle: Lifecycle::Active,
        attributes: Default::default(),
        checks: Default::default(),
        authors: Default::default(),
        id,
        action: None,
        route: None,
        posture: None,
        runner: toolgate_model::Runner::Gate,
    }
}

impl Bench {
    fn new() -> Self {
        let tool: ToolId = "pay0.refund".parse().unwrap();
        let lines: Vec<_> = (0..12)
            .map(|n| json!({"sku": format!("sku-{n:04}"), "quantity": n, "price": 12.5}))
            .collect();
        let mut args = json!({"amount": 640.10, "currency": "eur", "charge": "ch_1", "lines": lines, "memo": ""});
        let fill = 1_024 - args.to_string().len();
        args["memo"] = "m".repeat(fill).into();
        let text = args.to_string();
        assert_eq!(text.len(), 1_024);
        Self {
            catalogue: Catalogue::new([descriptor(tool.clone())]),
            args: parse(text.as_bytes(), Limits::CALL, Numbers::Exact).unwrap(),
            tool,
            text,
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            tool: &self.tool,
            descriptor: self.catalogue.get(&self.tool).map(AsRef::as_ref),
            args: &self.args,
            agent: "billing_agent",
            role: Role::Agent,
            runtime: None,
            tenant: "default",
            project: None,
            env: Some("prod"),
            workflow: Some("refund_review"),
            user: None,
            chain: &[],
            resource: None,
            trigger: None,
            entity: None,
            trigger_confirmed: None,
            allow_duplicate: false,
            places: None,
            own_domains: &[],
            history: None,
            approval: None,
            result: None,
            now: Timestamp::from_millis(1_781_622_862_104),
        }
    }

    /// `count` rules, ten a tool, a hundred a document. `written` is how a rule names its tool.
    fn set(&self, count: usize, written: fn(usize) -> serde_json::Value) -> PolicySet {
        let rules: Vec<_> = (0..count)
            .map(|n| {
                let limit = (n % RULES_A_TOOL + 1) * 1_000;
                let when = format!("amount > {limit} and env == prod and currency != xxx");
                json!({"match": written(n / RULES_A_TOOL), "when": when, "effect": "deny"})
            })
            .collect();
        let document = |(at, rules): (usize, &[serde_json::Value])| Document {
            name: format!("d{at:04}"),
            text: json!({"rules": rules}).to_string(),
        };
        let documents: Vec<Document> = rules.chunks(100).enumerate().map(document).collect();
        load(&documents, &self.catalogue).set.unwrap()
    }
}

fn by_name(tool: usize) -> serde_json::Value {
    json!({"tools": [format!("pay{tool}.refund")]})
}

fn by_source(tool: usize) -> serde_json::Value {
    json!({"tools": [format!("pay{tool}.*")]})
}

fn main() {
    let bench = Bench::new();
    let facts = bench.facts();
    let mut criterion = Criterion::default()
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(500))
        .configure_from_args();
    let reading = || {
        parse(
            black_box(bench.text.as_bytes()),
            Limits::CALL,
            Numbers::Exact,
        )
    };
    criterion.bench_function("strict parse of the 1 KiB call", |b| b.iter(reading));
    let mut rows = vec![("strict parse of the 1 KiB call".to_owned(), median(reading))];
    for (name, written) in [
        ("by name", by_name as fn(usize) -> _),
        ("by source", by_source),
    ] {
        let mut group = criterion.benchmark_group(format!("decide, rules {name}"));
        for size in SIZES {
            let set = bench.set(size, written);
            let deciding = || set.decide(black_box(&facts), Budget::default());
            group.bench_function(BenchmarkId::from_parameter(size), |b| b.iter(deciding));
            rows.push((format!("decide, {size} rules {name}"), median(deciding)));
        }
    }
    criterion.final_summary();
    print(&rows);
}

/// The median of a hundred batches, in nanoseconds a run.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn median<T>(mut run: impl FnMut() -> T) -> f64 {
    const BATCH: u32 = 500;
    let mut batches: Vec<f64> = (0..100)
        .map(|_| {
            let start = std::time::Instant::now();
            for _ in 0..BATCH {
                black_box(run());
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH)
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches.get(50).copied().unwrap_or_default()
}

fn print(rows: &[(String, f64)]) {
    let parse = rows.first().map_or(1.0, |(_, nanos)| *nanos);
    let ten = rows.iter().find(|(name, _)| name.contains(", 10 rules"));
    let ten = ten.map_or(1.0, |(_, nanos)| *nanos);
    println!(
        "{:<36} {:>12} {:>12} {:>14}",
        "", "median ns", "of the parse", "of ten rules"
    );
    for (name, nanos) in rows {
        println!(
            "{name:<36} {nanos:>12.0} {:>12.2} {:>14.2}",
            nanos / parse,
            nanos / ten
        );
    }
}
