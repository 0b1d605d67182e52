//! The checklist of `docs/reference/mcp.md` against the sources: each of its forty points names
//! where it is built and the tests that hold it, and all of those exist.
//!
//! ```text
//! 7. **A denial is a result.** … Built in `crates/api/src/mcp/render.rs`. Held by
//!    `crates/api/tests/mcp/outcomes.rs#a_denial_is_an_answer_in_words_with_the_envelope_beside_it`.
//! ```
//!
//! What stands behind `#` is the name of a function, or in Python the sentence that names a test.
//! Must not know: what a point says, or whether its tests are good ones.

#[cfg(test)]
mod checklist {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    const PAGE: &str = "docs/reference/mcp.md";
    const HEADING: &str = "## The forty points";
    const POINTS: usize = 40;

    fn root() -> PathBuf {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        own.parent().unwrap().to_owned()
    }

    /// The text of each point, in order: an item of the list with all lines that belong to it.
    fn points(page: &str) -> Vec<String> {
        let (_, list) = page.split_once(HEADING).unwrap();
        let list = list.split("\n## ").next().unwrap();
        let mut points: Vec<String> = Vec::new();
        for line in list.lines() {
            let next = format!("{}. ", points.len() + 1);
            if line.starts_with(&next) {
                points.push(line.to_owned());
            } else if let (Some(point), true) = (points.last_mut(), line.starts_with("   ")) {
                point.push(' ');
                point.push_str(line.trim());
            }
        }
        points
    }

    /// What stands between backticks.
    fn code(text: &str) -> impl Iterator<Item = &str> {
        text.split('`').skip(1).step_by(2)
    }

    /// A path of this repository, with the name of a test behind `#` where there is one.
    fn reference(code: &str) -> Option<(&str, Option<&str>)> {
        let (path, test) = match code.split_once('#') {
            Some((path, test)) => (path, Some(test)),
            None => (code, None),
        };
        let folder = ["crates/", "tests/", "xtask/", "bench/", "docs/"];
        let ours = folder.iter().any(|folder| path.starts_with(folder));
        ours.then_some((path, test))
    }

    fn is_named(source: &str, path: &str, test: &str) -> bool {
        if path.ends_with(".rs") {
            let head = format!("fn {test}(");
            return source.contains(&head);
        }
        ["", "f"]
            .iter()
            .any(|kind| source.contains(&format!("test({kind}\"{test}\")")))
    }

    /// What is wrong with one reference; none where it leads somewhere.
    fn fault(root: &Path, path: &str, test: Option<&str>) -> Option<String> {
        let place = root.join(path);
        let Some(test) = test else {
            return (!place.exists()).then(|| format!("there is no `{path}`"));
        };
        let Ok(source) = fs::read_to_string(&place) else {
            return Some(format!("there is no `{path}` to hold `{test}`"));
        };
        (!is_named(&source, path, test)).then(|| format!("`{path}` has no test `{test}`"))
    }

    #[test]
    fn every_point_names_tests_that_exist() {
        let root = root();
        let page = fs::read_to_string(root.join(PAGE)).unwrap();
        let points = points(&page);
        assert_eq!(
            points.len(),
            POINTS,
            "points of the list, each once and in order"
        );
        let mut faults = BTreeSet::new();
        for (number, point) in (1..).zip(&points) {
            let named: Vec<_> = code(point).filter_map(reference).collect();
            if named.iter().all(|(_, test)| test.is_none()) {
                faults.insert(format!("point {number} names no test"));
            }
            let wrong = named
                .iter()
                .filter_map(|(path, test)| fault(&root, path, *test));
            faults.extend(wrong.map(|what| format!("point {number}: {what}")));
        }
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_found() {
        let root = root();
        let own = "xtask/tests/checklist.rs";
        let test = "a_reference_that_leads_nowhere_is_found";
        assert_eq!(fault(&root, own, Some(test)), None);
        assert_eq!(fault(&root, own, None), None);
        assert!(fault(&root, own, Some("a_reference_that_leads")).is_some());
        assert!(fault(&root, "xtask/tests/nowhere.rs", Some(test)).is_some());
        assert!(fault(&root, "xtask/tests/nowhere.rs", None).is_some());
        assert!(is_named(
            "@test(\"it holds\")",
            "tests/e2e/x.py",
            "it holds"
        ));
        assert!(!is_named("@test(\"it holds\")", "tests/e2e/x.py", "it"));
        let listed = format!("{HEADING}\n\n1. one\n   more\n2. two\n\n## Next\n3. three\n");
        assert_eq!(points(&listed), ["1. one more", "2. two"]);
    }
}
