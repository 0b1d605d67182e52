//! Makes a normaliser's table from a service's own OpenAPI description, and checks one against it.
//!
//! ```text
//! cargo run -p toolgate-tools --example normaliser_tables -- table github api.github.com.json \
//!     > crates/tools/src/normalise/tables/github.txt
//! cargo run -p toolgate-tools --example normaliser_tables -- check github api.github.com.json
//! ```
//!
//! `rate` says how each operation of a description is rated. `table` writes a line an operation: method, path, name, category, and the names of the
//! parameters in query and body. `check` makes one request of every operation of a description and
//! prints how many are recognised as that operation. Must not know: hand-made lines, ratings.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a tool for developers, on a description that they chose"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use toolgate_model::HttpRequest;

/// One operation of a description.
struct Operation {
    method: String,
    path: String,
    id: String,
    parameters: BTreeSet<String>,
    body: BTreeSet<String>,
    many: BTreeSet<String>,
    host: Option<String>,
    form: bool,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [task, service, file] = args.as_slice() else {
        panic!("usage: normaliser_tables table|check|rate github|stripe FILE");
    };
    let text = std::fs::read(file).expect("the description can be read");
    let description: Value = serde_json::from_slice(&text).expect("the description is JSON");
    let operations = operations(&description);
    match task.as_str() {
        "table" => table(service, &description, &operations),
        "check" => check(service, &operations),
        "rate" => rate(service, &operations),
        other => panic!("`{other}` is none of `table`, `check` and `rate`"),
    }
}

fn operations(description: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in description["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let known = ["get", "put", "post", "patch", "delete", "head"];
            if known.contains(&method.as_str()) {
                all.push(Operation::read(
                    description,
                    (path, method),
                    operation,
                    item,
                ));
            }
        }
    }
    all
}

impl Operation {
    fn read(root: &Value, (path, method): (&str, &str), said: &Value, item: &Value) -> Self {
        let mut read = Self {
            method: method.to_uppercase(),
            path: path.to_owned(),
            id: said["operationId"].as_str().unwrap_or_default().to_owned(),
            parameters: BTreeSet::new(),
            body: BTreeSet::new(),
            many: BTreeSet::new(),
            host: None,
            form: false,
        };
        let server = said.get("servers").or_else(|| item.get("servers"));
        let server = server.and_then(|servers| servers[0]["url"].as_str());
        read.host = server.map(|url| url.trim_end_matches('/').to_owned());
        for list in [&item["parameters"], &said["parameters"]] {
            for parameter in list.as_array().into_iter().flatten() {
                read.parameter(resolved(root, parameter));
            }
        }
        for (media, body) in said["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flatten()
        {
            read.form |= media == "application/x-www-form-urlencoded";
            members(root, &body["schema"], &mut read.body, 0);
        }
        read
    }

    fn parameter(&mut self, parameter: &Value) {
        let name = parameter["name"].as_str().unwrap_or_default();
        match parameter["in"].as_str() {
            Some("query") => {
                let name = name.trim_end_matches("[]").to_owned();
                self.parameters.insert(name);
            }
            Some("path") if parameter["x-multi-segment"] == json!(true) => {
                self.many.insert(name.to_owned());
            }
            _ => {}
        }
    }

    /// The path with `*` behind the names that take several segments.
    fn template(&self) -> String {
        let marked = |path: String, name: &String| {
            path.replace(&format!("{{{name}}}"), &format!("{{{name}*}}"))
        };
        self.many.iter().fold(self.path.clone(), marked)
    }

    fn line(&self, name: &str, category: &str) -> String {
        let names: BTreeSet<&String> = self.parameters.union(&self.body).collect();
        let plain = |name: &&&String| name.bytes().all(|b| b.is_ascii_graphic() && b != b',');
        let listed: Vec<&str> = names
            .iter()
            .filter(plain)
            .map(|name| name.as_str())
            .collect();
        let listed = if listed.is_empty() {
            "-".to_owned()
        } else {
            listed.join(",")
        };
        format!(
            "{} {} {name} {category} - - {listed}",
            self.method,
            self.template()
        )
    }
}

fn resolved<'v>(root: &'v Value, value: &'v Value) -> &'v Value {
    let pointer = value.get("$ref").and_then(Value::as_str);
    let target = pointer.and_then(|pointer| root.pointer(pointer.trim_start_matches('#')));
    target.unwrap_or(value)
}

/// The names of the members that an object may have, also in its branches.
fn members(root: &Value, schema: &Value, names: &mut BTreeSet<String>, depth: usize) {
    // Deep enough for every description seen; a circle ends here.
    if depth > 6 {
        return;
    }
    let schema = resolved(root, schema);
    if let Some(properties) = schema["properties"].as_object() {
        names.extend(properties.keys().cloned());
    }
    for branch in ["allOf", "anyOf", "oneOf"] {
        for inner in schema[branch].as_array().into_iter().flatten() {
            members(root, inner, names, depth + 1);
        }
    }
}

fn table(service: &str, description: &Value, operations: &[Operation]) {
    let info = &description["info"];
    let text = |key: &str| info[key].as_str().unwrap_or_default();
    println!(
        "# Generated by `cargo run -p toolgate-tools --example normaliser_tables -- table {service} FILE`."
    );
    println!(
        "# Source: {}, version {}; licence MIT.",
        text("title"),
        text("version")
    );
    println!("# method path operation category verb risk parameters");
    let names: Vec<(String, String)> = match service {
        "github" => github(operations),
        _ => operations.iter().map(by_path).collect(),
    };
    let mut lines: Vec<String> = operations
        .iter()
        .zip(names)
        .map(|(operation, (name, category))| operation.line(&name, &category))
        .collect();
    lines.sort();
    for line in lines {
        println!("{line}");
    }
}

/// `pulls/create` is `create_pull_request` of the category `pulls`, `issues/list-for-repo`
/// `list_issues_for_repo`; where two categories would give one name, both say what they are about.
fn github(operations: &[Operation]) -> Vec<(String, String)> {
    let split = |operation: &Operation| {
        let (category, action) = operation.id.split_once('/').expect("category/action");
        (category.replace('-', "_"), action.replace('-', "_"))
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for operation in operations {
        let (category, action) = split(operation);
        *seen.entry(spoken(&category, &action, false)).or_default() += 1;
    }
    let named = |operation: &Operation| {
        let (category, action) = split(operation);
        let short = spoken(&category, &action, false);
        let name = if seen[&short] > 1 {
            spoken(&category, &action, true)
        } else {
            short
        };
        (name, category.replace('_', "-"))
    };
    operations.iter().map(named).collect()
}

fn spoken(category: &str, action: &str, whole: bool) -> String {
    let joints = [
        "for",
        "with",
        "by",
        "in",
        "from",
        "to",
        "on",
        "as",
        "all",
        "public",
        "authenticated",
    ];
    // Two words that are one deed.
    const BOTH: &str = "create_or_update";
    let (verb, rest) = match action.strip_prefix(BOTH) {
        Some(rest) => (BOTH, rest.trim_start_matches('_')),
        None => action.split_once('_').unwrap_or((action, "")),
    };
    let plural = matches!(verb, "list" | "search");
    let noun = match category {
        "pulls" => "pull_requests",
        "activity" | "git" | "meta" | "search" => "",
        other => other,
    };
    // `actions` is the name of a product.
    let noun = if plural || noun == "actions" {
        noun.to_owned()
    } else {
        single(noun)
    };
    let starts = rest.split('_').next().unwrap_or_default();
    let parts = match (rest.is_empty(), whole || joints.contains(&starts)) {
        (true, _) => [verb, noun.as_str(), ""],
        (false, true) => [verb, noun.as_str(), rest],
        (false, false) => [verb, rest, ""],
    };
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("_")
}

/// `POST /v1/refunds/{refund}/cancel` is `cancel_refund` of the category `refunds`.
fn by_path(operation: &Operation) -> (String, String) {
    let parts: Vec<&str> = operation
        .path
        .split('/')
        .skip(2)
        .filter(|part| !part.is_empty())
        .collect();
    let fixed: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.starts_with('{'))
        .collect();
    let category = fixed.first().copied().unwrap_or("meta").to_owned();
    let ends_in_name = parts.last().is_some_and(|part| part.starts_with('{'));
    let before = parts
        .iter()
        .rev()
        .nth(1)
        .is_some_and(|part| part.starts_with('{'));
    let singles: Vec<String> = fixed.iter().map(|part| single(part)).collect();
    let (last, above) = singles.split_last().expect("a path has parts");
    let one = singles.join("_");
    let plural = |above: &[String], last: &str| [above, &[last.to_owned()]].concat().join("_");
    let raw = fixed.last().copied().unwrap_or_default();
    let is_thing = raw != last.as_str();
    let name = match (operation.method.as_str(), ends_in_name) {
        ("GET", true) => format!("get_{one}"),
        ("GET", false) if is_thing => format!("list_{}", plural(above, raw)),
        ("GET", false) if raw == "search" => {
            format!("search_{}", fixed[..fixed.len() - 1].join("_"))
        }
        ("GET", false) => format!("get_{one}"),
        ("DELETE", _) => format!("delete_{one}"),
        ("POST", true) => format!("update_{one}"),
        ("POST", false) if is_thing => format!("create_{one}"),
        // A last word behind a name is what is done to it: `…/{refund}/cancel`.
        ("POST", false) if before && !above.is_empty() => format!("{last}_{}", above.join("_")),
        (_, _) => format!("update_{one}"),
    };
    (name.replace(['-', '.'], "_"), category)
}

fn single(word: &str) -> String {
    let kept = [
        "us_bank",
        "sms",
        "status",
        "series",
        "address",
        "progress",
        "access",
        "terms_of_use",
        "details",
        "process",
    ];
    if kept.iter().any(|end| word.ends_with(end)) {
        return word.to_owned();
    }
    match word {
        "people" => return "person".to_owned(),
        "codes_of_conduct" => return "code_of_conduct".to_owned(),
        _ => {}
    }
    if let Some(stem) = word.strip_suffix("ies") {
        return format!("{stem}y");
    }
    for end in ["sses", "xes", "ches", "shes", "taxes"] {
        if word.ends_with(end) {
            return word[..word.len() - 2].to_owned();
        }
    }
    word.strip_suffix('s').unwrap_or(word).to_owned()
}

/// How every operation is rated, and why.
fn rate(service: &str, operations: &[Operation]) {
    for operation in operations {
        let request = sample(operation, base(service));
        let found = toolgate_tools::recognise(&request, &[]).expect("every request is recognised");
        let tool = &found.recognised.descriptor;
        let (verb, risk, why) = (tool.verb, tool.risk, &tool.risk_reason);
        println!("{} {verb} {risk} {} ({why})", tool.id, operation.method);
    }
}

fn base(service: &str) -> &'static str {
    match service {
        "github" => "https://api.github.com",
        _ => "https://api.stripe.com",
    }
}

/// One request of every operation, and how many are recognised as it.
fn check(service: &str, operations: &[Operation]) {
    let base = base(service);
    let (mut right, mut wrong) = (0, Vec::new());
    for operation in operations {
        let request = sample(operation, base);
        let found = toolgate_tools::recognise(&request, &[]).expect("every request is recognised");
        let tool = &found.recognised.descriptor;
        let path = tool.definition["path"].as_str().unwrap_or_default();
        let same = shape(path) == shape(&operation.path)
            && tool.method.as_deref() == Some(operation.method.as_str())
            && found.recognised.refusal.is_none();
        if same {
            right += 1;
        } else {
            let why = found
                .recognised
                .refusal
                .as_ref()
                .map(|denial| denial.message.clone());
            wrong.push(format!(
                "{} {} → {} {path} {why:?}",
                operation.method, operation.path, tool.id
            ));
        }
    }
    for line in &wrong {
        println!("{line}");
    }
    println!(
        "{right} of {} operations of {service} are recognised",
        operations.len()
    );
}

/// A path without the names in it.
fn shape(path: &str) -> Vec<String> {
    let part = |part: &str| {
        if part.starts_with('{') {
            "{}".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect()
}

fn sample(operation: &Operation, base: &str) -> HttpRequest {
    let mut path = String::new();
    for part in operation.path.split('/').skip(1) {
        path.push('/');
        match part.contains('{') {
            true if operation
                .many
                .iter()
                .any(|name| part.contains(name.as_str())) =>
            {
                path.push_str("release/1.0")
            }
            true => path.push_str(&part.replace(['{', '}'], "")),
            false => path.push_str(part),
        }
    }
    let host = operation.host.as_deref().unwrap_or(base);
    let query: Vec<String> = operation
        .parameters
        .iter()
        .map(|name| format!("{name}=1"))
        .collect();
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    let named = |name: &&String| {
        !operation.parameters.contains(*name) && !operation.path.contains(&format!("{{{name}}}"))
    };
    let members: serde_json::Map<String, Value> = operation
        .body
        .iter()
        .filter(named)
        .map(|name| (name.clone(), json!("1")))
        .collect();
    let body = match members.is_empty() {
        true => Value::Null,
        false if operation.form => Value::from(
            members
                .keys()
                .map(|name| format!("{name}=1"))
                .collect::<Vec<_>>()
                .join("&"),
        ),
        false => Value::Object(members),
    };
    HttpRequest {
        method: operation.method.clone(),
        url: format!("{host}{path}{query}"),
        headers: BTreeMap::new(),
        body,
    }
}
