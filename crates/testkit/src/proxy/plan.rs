//! What the proxy does to which request: aims, rates, armed faults, and the count of both.
//!
//! `{"rates":{"before":0.1,"after":0.1},"aim":{"tools":["refund"]},"seed":7}` loses a fifth of all
//! calls of `refund`, half of them before they reach the server. An armed fault comes first:
//! `{"arm":{"fault":"late","times":1,"delay_millis":800}}` strikes the next request aimed at.
//!
//! Must not know: sockets.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// LIMIT: more armed faults than this are a mistake in a test, not a scenario.
const ARMED_MAX: usize = 4096;

/// What is done to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyFault {
    /// The connection is cut, and the server never hears of the request.
    Before,
    /// The server answers, and the connection is cut instead of handing the answer on.
    After,
    /// The connection is cut, and the server gets the request a while later.
    Late,
}

/// Which requests a fault may strike. Empty: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aim {
    /// How the request line begins: `POST /mcp`.
    pub line: String,
    /// Only calls of these MCP tools.
    pub tools: Vec<String>,
}

/// How often a request aimed at is struck, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// [`ProxyFault::Before`].
    pub before: f64,
    /// [`ProxyFault::After`].
    pub after: f64,
    /// [`ProxyFault::Late`].
    pub late: f64,
}

/// Everything that the dice decide.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// Which requests.
    pub aim: Aim,
    /// How often.
    pub rates: Rates,
    /// The shortest and the longest delay of a late request, in milliseconds.
    pub delay_millis: (u64, u64),
    /// Of the dice: the n-th request aimed at meets the same fate in every run.
    pub seed: u64,
}

/// A fault that waits for the next requests aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmedFault {
    /// Which.
    pub fault: ProxyFault,
    /// How many requests it strikes.
    #[serde(default = "once")]
    pub times: u32,
    /// How late a late request is, in milliseconds.
    #[serde(default)]
    pub delay_millis: u64,
}

/// What the proxy has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProxyCounts {
    /// Requests that came in whole.
    pub requests: u64,
    /// Those among them that a fault could strike.
    pub aimed: u64,
    /// Requests that the server never heard of.
    pub before: u64,
    /// Answers that were swallowed.
    pub after: u64,
    /// Requests that were cut and sent on later.
    pub late: u64,
    /// Those among them that are still on their way: nothing can be counted before this is 0.
    pub late_waiting: u64,
    /// Requests for which the server could not be reached, or broke off itself.
    pub unreachable: u64,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pass,
    Before,
    After,
    Late { millis: u64 },
}

/// The plan, what is armed, and what was done.
#[derive(Debug, Default)]
pub(super) struct Fates {
    plan: Plan,
    armed: VecDeque<ArmedFault>,
    pub(super) counts: ProxyCounts,
}

const fn once() -> u32 {
    1
}

impl Aim {
    fn hits(&self, line: &str, body: &[u8]) -> bool {
        line.starts_with(&self.line) && (self.tools.is_empty() || self.names(body))
    }

    fn names(&self, body: &[u8]) -> bool {
        // A tool's name within an argument is no call of it, so the message is read.
        let Ok(message) = serde_json::from_slice::<BTreeMap<String, Value>>(body) else {
            return false;
        };
        let called = message.get("method").and_then(Value::as_str) == Some("tools/call");
        let name = message.get("params").and_then(|params| params.get("name"));
        let name = name.and_then(Value::as_str);
        called && name.is_some_and(|name| self.tools.iter().any(|tool| tool == name))
    }
}

impl Fates {
    pub(super) fn follow(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// Arms a fault. Beyond 4,096 the oldest is disarmed.
    pub(super) fn arm(&mut self, armed: ArmedFault) {
        if self.armed.len() >= ARMED_MAX {
            self.armed.pop_front();
        }
        self.armed.push_back(armed);
    }

    /// What becomes of this request; it counts as done.
    pub(super) fn decide(&mut self, line: &str, body: &[u8]) -> Fate {
        self.counts.requests += 1;
        if !self.plan.aim.hits(line, body) {
            return Fate::Pass;
        }
        self.counts.aimed += 1;
        let fate = match self.take_armed() {
            Some(armed) => armed,
            None => self.roll(),
        };
        match fate {
            Fate::Pass => {}
            Fate::Before => self.counts.before += 1,
            Fate::After => self.counts.after += 1,
            Fate::Late { .. } => {
                self.counts.late += 1;
                self.counts.late_waiting += 1;
            }
        }
        fate
    }

    fn take_armed(&mut self) -> Option<Fate> {
        let armed = self.armed.front_mut()?;
        let fate = match armed.fault {
            ProxyFault::Before => Fate::Before,
            ProxyFault::After => Fate::After,
            ProxyFault::Late => Fate::Late {
                millis: armed.delay_millis,
            },
        };
        armed.times = armed.times.saturating_sub(1);
        if armed.times == 0 {
            self.armed.pop_front();
        }
        Some(fate)
    }

    fn roll(&self) -> Fate {
        let Rates {
            before,
            after,
            late,
        } = self.plan.rates;
        // The seed is mixed first: neighbouring seeds must not share a sequence, only shifted.
        let number = mixed(self.plan.seed).wrapping_add(self.counts.aimed << 1);
        let chance = unit(mixed(number));
        if chance < before {
            Fate::Before
        } else if chance < before + after {
            Fate::After
        } else if chance < before + after + late {
            let (least, most) = self.plan.delay_millis;
            let span = most.saturating_sub(least).saturating_add(1);
            let millis = least + mixed(number.wrapping_add(1)) % span;
            Fate::Late { millis }
        } else {
            Fate::Pass
        }
    }
}

/// One number of the SplitMix64 sequence: the n-th, without the ones before it.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// From 0 up to, and without, 1.
fn unit(number: u64) -> f64 {
    let whole = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    f64::from(whole) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::{Aim, ArmedFault, Fate, Fates, Plan, ProxyFault, Rates};
    use serde_json::json;

    const LINE: &str = "POST /mcp HTTP/1.1";

    fn call(tool: &str) -> Vec<u8> {
        let params = json!({"name": tool, "arguments": {"text": "refund"}});
        json!({"method": "tools/call", "params": params})
            .to_string()
            .into_bytes()
    }

    fn fates(seed: u64) -> Fates {
        let rates = Rates {
            before: 0.1,
            after: 0.2,
            late: 0.1,
        };
        let aim = Aim {
            line: "POST /mcp".to_owned(),
            tools: vec!["refund".to_owned()],
        };
        let mut fates = Fates::default();
        fates.follow(Plan {
            aim,
            rates,
            delay_millis: (20, 40),
            seed,
        });
        fates
    }

    #[test]
    fn only_calls_of_the_tools_aimed_at_are_struck() {
        let mut fates = fates(1);
        let listing = json!({"method": "tools/list", "params": {"name": "refund"}}).to_string();
        for _ in 0..200 {
            assert_eq!(fates.decide(LINE, &call("get")), Fate::Pass);
            assert_eq!(fates.decide(LINE, listing.as_bytes()), Fate::Pass);
            assert_eq!(
                fates.decide("POST /x HTTP/1.1", &call("refund")),
                Fate::Pass
            );
            assert_eq!(fates.decide(LINE, b"tools/call refund"), Fate::Pass);
        }
        assert_eq!((fates.counts.requests, fates.counts.aimed), (800, 0));
    }

    #[test]
    fn rates_are_kept_and_a_seed_repeats() {
        let run = |seed| {
            let mut fates = fates(seed);
            let all: Vec<_> = (0..10_000)
                .map(|_| fates.decide(LINE, &call("refund")))
                .collect();
            (all, fates.counts)
        };
        let (first, counts) = run(7);
        assert_eq!(first, run(7).0);
        assert_ne!(first, run(8).0);
        let shifted = run(9).0;
        assert_ne!(first[1..], shifted[..9_999], "one sequence, shifted");
        let near = |count: u64, expected: u64| count.abs_diff(expected) < 150;
        assert!(
            near(counts.before, 1_000) && near(counts.after, 2_000) && near(counts.late, 1_000),
            "{counts:?}"
        );
        assert_eq!(counts.late_waiting, counts.late);
        let delays = first.iter().filter_map(|fate| match fate {
            Fate::Late { millis } => Some(*millis),
            Fate::Pass | Fate::Before | Fate::After => None,
        });
        let (least, most) = (delays.clone().min(), delays.max());
        assert_eq!((least, most), (Some(20), Some(40)));
    }

    #[test]
    fn an_armed_fault_comes_first_and_as_often_as_it_says() {
        let mut fates = Fates::default();
        let armed = |fault, times| ArmedFault {
            fault,
            times,
            delay_millis: 5,
        };
        fates.arm(armed(ProxyFault::After, 2));
        fates.arm(armed(ProxyFault::Late, 1));
        let found: Vec<_> = (0..4).map(|_| fates.decide(LINE, b"")).collect();
        let late = Fate::Late { millis: 5 };
        assert_eq!(found, [Fate::After, Fate::After, late, Fate::Pass]);
    }
}
