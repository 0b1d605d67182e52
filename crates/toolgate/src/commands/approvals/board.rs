//! What `approvals watch` shows, and what a typed line means there.
//!
//! ```text
//! 2 calls wait
//! #  APPROVAL  TOOL         AGENT          RISK  EXPIRES               DIGEST
//! 1  apr_0197… desk.refund  billing_agent  high  2026-06-17T15:14:22Z  9f2c4e10
//! ```
//!
//! A number opens an approval; only what is open can be decided on, and only on the digest that is
//! shown there. Pure: drawn texts and typed lines. Must not know: terminals, the gate.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::show::{short, shown, whole};
use crate::table::table;

/// Changes that stay in sight.
const CHANGES_SHOWN: usize = 8;

/// LIMIT: as many as one page of the gate's list has.
pub(super) const WAITING_MAX: usize = 200;

/// What is in sight.
#[derive(Debug, Default)]
pub(super) struct Board {
    waiting: Vec<Value>,
    changes: VecDeque<String>,
    open: Option<Open>,
}

/// An approval that a person looks at.
#[derive(Debug)]
struct Open {
    approval: Value,
    /// What they said, while they are asked why.
    decision: Option<&'static str>,
}

/// What a typed line asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// Nothing but that it is drawn again.
    Draw,
    /// Look at this approval.
    Open(String),
    /// Decide on this approval.
    Decide {
        /// Which.
        approval: String,
        /// What the gate is sent.
        body: Value,
    },
    /// Leave.
    Leave,
}

impl Board {
    /// What waits now, newest first.
    pub(super) fn set_waiting(&mut self, waiting: Vec<Value>) {
        self.waiting = waiting;
    }

    /// Something happened.
    pub(super) fn note(&mut self, change: String) {
        self.changes.push_front(change);
        self.changes.truncate(CHANGES_SHOWN);
    }

    /// A person looks at this.
    pub(super) fn look_at(&mut self, approval: Value) {
        self.open = Some(Open {
            approval,
            decision: None,
        });
    }

    /// All of it.
    pub(super) fn drawn(&self) -> String {
        match &self.open {
            Some(open) => format!("{}\n\n{}", whole(&open.approval), open.prompt()),
            None => format!("{}\n{}", self.list(), "number to open, q to leave: "),
        }
    }

    fn list(&self) -> String {
        let count = self.waiting.len();
        let head = match count {
            0 => "nothing waits".to_owned(),
            1 => "1 call waits".to_owned(),
            _ => format!("{count} calls wait"),
        };
        let mut text = format!("\u{1b}[1m{head}\u{1b}[0m\n");
        if count > 0 {
            text.push_str(&table(&self.rows(), &COLUMNS));
        }
        if !self.changes.is_empty() {
            text.push_str("\n\u{1b}[2mnewest changes\u{1b}[0m\n");
        }
        for change in &self.changes {
            text.push_str(change);
            text.push('\n');
        }
        text
    }

    fn rows(&self) -> Vec<Value> {
        let numbered = (1..).zip(&self.waiting);
        numbered
            .map(|(number, approval): (u32, _)| {
                json!({
                    "number": number, "approval": approval, "digest": short(approval),
                })
            })
            .collect()
    }

    /// What a line means, where it was typed.
    pub(super) fn typed(&mut self, line: &str) -> Asked {
        let line = line.trim();
        if let Some(open) = &mut self.open {
            let asked = open.typed(line);
            if asked != Some(Asked::Draw) {
                self.open = None;
            }
            return asked.unwrap_or(Asked::Draw);
        }
        if line == "q" {
            return Asked::Leave;
        }
        let place = line.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let found = place.and_then(|place| self.waiting.get(place));
        match found.and_then(|approval| approval.get("approval_id")?.as_str()) {
            Some(id) => Asked::Open(id.to_owned()),
            None => Asked::Draw,
        }
    }
}

impl Open {
    fn prompt(&self) -> &'static str {
        match self.decision {
            None => "[a]pprove, [d]eny, [s]end back on the digest above, or enter to go back: ",
            Some("deny") => "why (the agent may read it): ",
            Some(_) => "what to change (the agent may read it): ",
        }
    }

    /// What a line means; none where it closes this.
    fn typed(&mut self, line: &str) -> Option<Asked> {
        match (self.decision, line) {
            (None, "a") => self.decided("approve", None),
            (None, "d") => self.ask_why("deny"),
            (None, "s") => self.ask_why("send_back"),
            (None, "") | (Some(_), "") => None,
            (None, _) => Some(Asked::Draw),
            (Some(decision), why) => self.decided(decision, Some(why)),
        }
    }

    fn ask_why(&mut self, decision: &'static str) -> Option<Asked> {
        self.decision = Some(decision);
        Some(Asked::Draw)
    }

    /// INVARIANT: a decision names the digest of what was drawn, whatever is frozen by now.
    fn decided(&self, decision: &str, reason: Option<&str>) -> Option<Asked> {
        let digest = self.approval.get("digest")?.as_str()?;
        let mut body = json!({"digest": digest, "decision": decision});
        if let (Some(map), Some(reason)) = (body.as_object_mut(), reason) {
            map.insert("reason".to_owned(), reason.into());
        }
        let approval = shown(self.approval.get("approval_id"));
        Some(Asked::Decide { approval, body })
    }
}

const COLUMNS: [(&str, &str); 7] = [
    ("#", "/number"),
    ("APPROVAL", "/approval/approval_id"),
    ("TOOL", "/approval/tool"),
    ("AGENT", "/approval/agent"),
    ("RISK", "/approval/risk"),
    ("EXPIRES", "/approval/expires_at"),
    ("DIGEST", "/digest"),
];

#[cfg(test)]
mod tests {
    use super::{Asked, Board, CHANGES_SHOWN};
    use expect_test::expect;
    use serde_json::{Value, json};

    fn approval(number: u32) -> Value {
        json!({
            "approval_id": format!("apr_{number}"), "tool": "desk.refund", "status": "pending",
            "agent": "billing\u{1b}[31m", "risk": "high", "expires_at": "T9",
            "digest": format!("sha256:{number}aaaaaaaaaa"), "snapshot": {"n": number},
        })
    }

    fn board() -> Board {
        let mut board = Board::default();
        board.set_waiting(vec![approval(1), approval(2)]);
        board
    }

    #[test]
    fn what_waits_and_what_changed_is_in_sight() {
        let mut board = board();
        for number in 0..CHANGES_SHOWN + 2 {
            board.note(format!("change {number}"));
        }
        let drawn = board.drawn().replace('\u{1b}', "^");
        assert!(drawn.contains("change 9") && !drawn.contains("change 1\n"));
        let first: Vec<_> = drawn.lines().take(3).collect();
        expect![[r#"
            ^[1m2 calls wait^[0m
            #  APPROVAL  TOOL         AGENT              RISK  EXPIRES  DIGEST
            1  apr_1     desk.refund  billing\u{1b}[31m  high  T9       1aaaaaaa"#]]
        .assert_eq(&first.join("\n"));
    }

    #[test]
    fn only_what_is_open_is_decided_on_its_own_digest() {
        for (typed, expected) in [
            (vec!["a"], json!({"decision": "approve"})),
            (
                vec!["d", "too much"],
                json!({"decision": "deny", "reason": "too much"}),
            ),
            (
                vec!["x", "s", "ask cust_1"],
                json!({"decision": "send_back", "reason": "ask cust_1"}),
            ),
        ] {
            let mut board = board();
            assert_eq!(board.typed("a"), Asked::Draw, "nothing is open");
            assert_eq!(board.typed("2"), Asked::Open("apr_2".to_owned()));
            board.look_at(approval(2));
            // The list moves on meanwhile; what is open does not.
            board.set_waiting(vec![approval(7)]);
            assert!(board.drawn().contains("sha256:2aaaaaaaaaa"));
            let (last, before) = typed.split_last().unwrap();
            for line in before {
                assert_eq!(board.typed(line), Asked::Draw);
            }
            let mut body = expected;
            body["digest"] = json!("sha256:2aaaaaaaaaa");
            let approval = "apr_2".to_owned();
            assert_eq!(board.typed(last), Asked::Decide { approval, body });
            assert!(board.drawn().contains("1 call waits"), "closed again");
        }
    }

    #[test]
    fn nothing_is_decided_by_going_back_or_by_chance() {
        for typed in [vec![""], vec!["d", ""], vec!["s", " "]] {
            let mut board = board();
            board.look_at(approval(1));
            for line in typed {
                assert_eq!(board.typed(line), Asked::Draw);
            }
            assert_eq!(board.typed("a"), Asked::Draw, "nothing is open any more");
        }
        let mut board = board();
        for line in ["0", "3", "-1", "", "one", "99999999999999999999"] {
            assert_eq!(board.typed(line), Asked::Draw, "{line:?}");
        }
        assert_eq!(board.typed("q"), Asked::Leave);
    }
}
