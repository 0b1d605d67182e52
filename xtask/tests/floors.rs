//! The floors of the house, held by reading manifests and sources.
//!
//! Arrows point down: a crate depends only on crates of lower floors, and those of one floor
//! never see each other. From `model` to `gate` there is no async, clock, randomness,
//! environment, file or socket (5-house, 2). A new crate needs a line in the table, and with it a
//! decision record that says what it must not know.

#[cfg(test)]
mod house {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// The table of floors. `dev` crates may see everything below the binary, and are seen by
    /// tests and by the binary alone.
    pub(super) const FLOORS: &[(&str, u8)] = &[
        ("model", 1),
        ("detect", 2),
        ("execution", 2),
        ("policy", 2),
        ("record", 2),
        ("signature", 2),
        ("gate", 3),
        ("api", 4),
        ("console", 4),
        ("driver", 4),
        ("notify", 4),
        ("oauth", 4),
        ("store", 4),
        ("testkit", 4),
        ("tools", 4),
        ("simulation", 5),
        ("toolgate", 5),
    ];

    /// Arrows within one floor that the house allows. A face hands its calls to the driver: its
    /// whole surface is what the driver offers, and a port between them would repeat it. Rules ask
    /// for classes of data, which are found in the same pass as their needles.
    pub(super) const ALLOWED_ACROSS: &[(&str, &str)] =
        &[("api", "driver"), ("console", "api"), ("policy", "detect")];

    /// The highest floor that must be pure.
    pub(super) const PURE_FLOOR_MAX: u8 = 3;

    /// What a pure crate never says, and what saying it would mean.
    pub(super) const IMPURE: &[(&str, &str)] = &[
        ("async fn", "async"),
        ("async move", "async"),
        ("async {", "async"),
        (".await", "async"),
        ("tokio", "async"),
        ("SystemTime", "clock"),
        ("Instant::", "clock"),
        ("time::Instant", "clock"),
        ("::now()", "clock"),
        ("getrandom", "randomness"),
        ("rand::", "randomness"),
        ("OsRng", "randomness"),
        ("new_v4", "randomness"),
        ("now_v7", "randomness"),
        ("std::env", "environment"),
        ("env::var", "environment"),
        ("std::process", "environment"),
        ("std::thread", "threads"),
        ("std::fs", "file"),
        ("File::", "file"),
        ("TcpListener", "socket"),
        ("TcpStream", "socket"),
        ("ToSocketAddrs", "socket"),
        ("UdpSocket", "socket"),
        ("UnixStream", "socket"),
        ("std::os::", "system"),
        ("println!", "output"),
        ("eprintln!", "output"),
    ];

    /// What a pure crate never depends on.
    pub(super) const IMPURE_CRATES: &[&str] = &[
        "axum",
        "futures-util",
        "getrandom",
        "hyper",
        "nix",
        "rand",
        "reqwest",
        "rusqlite",
        "rustls",
        "tempfile",
        "tokio",
        "tokio-util",
        "tower",
    ];

    pub(super) fn crates() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .unwrap()
            .join("crates")
    }

    pub(super) fn names() -> Vec<String> {
        let entries = fs::read_dir(crates()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let with_manifest = paths.filter(|path| path.join("Cargo.toml").exists());
        let mut names: Vec<_> = with_manifest
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    pub(super) fn floor(name: &str) -> u8 {
        let found = FLOORS.iter().find(|(known, _)| *known == name);
        found
            .unwrap_or_else(|| panic!("the crate `{name}` has no floor: give it a line in FLOORS"))
            .1
    }

    pub(super) fn is_pure(name: &str) -> bool {
        floor(name) <= PURE_FLOOR_MAX
    }

    /// The names in one section of a crate's manifest.
    pub(super) fn dependencies(name: &str, section: &str) -> Vec<String> {
        let text = fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let table = manifest.get(section).and_then(toml::Value::as_table);
        table
            .into_iter()
            .flat_map(|table| table.keys().cloned())
            .collect()
    }

    /// The crates of this house among them.
    pub(super) fn ours(dependencies: Vec<String>) -> Vec<String> {
        let strip = |name: String| name.strip_prefix("toolgate-").map(str::to_owned);
        dependencies.into_iter().filter_map(strip).collect()
    }

    /// Every source file of a crate.
    pub(super) fn sources(name: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![crates().join(name).join("src")];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|kind| kind == "rs") {
                    found.push(path);
                }
            }
        }
        found
    }

    /// The product code of a file, line by line: no comments, and nothing from the tests on,
    /// which stand last in every file.
    pub(super) fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = product.lines().enumerate();
        let spoken = lines.map(|(place, line)| (place + 1, line.trim_start()));
        spoken.filter(|(_, line)| !line.starts_with("//"))
    }

    /// What is impure in a text: the word, what it means, and on which line.
    pub(super) fn impurities(text: &str) -> Vec<(usize, &'static str, &'static str)> {
        let mut found = Vec::new();
        for (place, line) in product_lines(text) {
            for (word, meaning) in IMPURE {
                if line.contains(word) {
                    found.push((place, *word, *meaning));
                }
            }
        }
        found
    }
}

use house::{ALLOWED_ACROSS, FLOORS, IMPURE_CRATES};

#[test]
fn every_crate_has_a_floor() {
    let names = house::names();
    assert!(
        names.iter().any(|name| name == "model"),
        "no crates found: {names:?}"
    );
    for name in names {
        house::floor(&name);
    }
    assert!(FLOORS.is_sorted_by_key(|(name, floor)| (*floor, *name)));
}

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for from in house::names() {
        for to in house::ours(house::dependencies(&from, "dependencies")) {
            let across = ALLOWED_ACROSS.contains(&(from.as_str(), to.as_str()));
            if house::floor(&to) >= house::floor(&from) && !across {
                wrong.push(format!("{from} -> {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that do not point down: {wrong:?}");
}

#[test]
fn tests_look_down_too_and_at_the_test_kit() {
    let mut wrong = Vec::new();
    for from in house::names() {
        for to in house::ours(house::dependencies(&from, "dev-dependencies")) {
            if house::floor(&to) > house::floor(&from) && to != "testkit" {
                wrong.push(format!("{from} -> {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "test arrows that point up: {wrong:?}");
}

#[test]
fn the_test_kit_knows_the_nouns_and_what_it_is_held_against() {
    let known = house::ours(house::dependencies("testkit", "dependencies"));
    assert_eq!(
        known,
        ["detect", "model", "policy"],
        "a partner that knows the gate proves nothing about it"
    );
    // The second evaluator is compared with the first, so it must owe it nothing.
    for file in house::sources("testkit") {
        let text = std::fs::read_to_string(&file).unwrap();
        let compares = file.components().any(|part| {
            part.as_os_str()
                .to_string_lossy()
                .starts_with("differential")
        });
        assert!(
            compares || !text.contains("toolgate_policy"),
            "{} knows what it is to be held against",
            file.display()
        );
    }
}

#[test]
fn from_model_to_gate_there_is_no_world() {
    let mut wrong = Vec::new();
    for name in house::names().iter().filter(|name| house::is_pure(name)) {
        for file in house::sources(name) {
            let text = std::fs::read_to_string(&file).unwrap();
            for (line, word, meaning) in house::impurities(&text) {
                wrong.push(format!("{}:{line}: `{word}` is {meaning}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "impure lines:\n{}", wrong.join("\n"));
}

#[test]
fn from_model_to_gate_nothing_is_linked_that_touches_the_world() {
    let mut wrong = Vec::new();
    for name in house::names().iter().filter(|name| house::is_pure(name)) {
        for dependency in house::dependencies(name, "dependencies") {
            if IMPURE_CRATES.contains(&dependency.as_str()) {
                wrong.push(format!("{name} -> {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "impure dependencies: {wrong:?}");
}

#[test]
fn what_is_looked_for_is_found() {
    let text = "//! tokio is fine in a comment\nfn f() {\n    std::fs::read(x);\n}\n#[cfg(test)]\nmod tests { use std::net; }\n";
    assert_eq!(house::impurities(text), [(3, "std::fs", "file")]);
    let clock = "let now = std::time::SystemTime::now();";
    assert_eq!(house::impurities(clock).len(), 2);
}
