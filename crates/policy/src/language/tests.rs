//! What texts become, and what is said of those that are no expressions.
//!
//! Trees are shown in prefix form: names bare, words in «», texts quoted. What should come out was
//! written from the grammar.

use super::{Expr, ExprKind, parse};
use expect_test::{Expect, expect};

/// The tree in prefix form; names bare, words in «», texts quoted.
fn show(expr: &Expr) -> String {
    let list = |items: &[Expr]| items.iter().map(show).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Number(number) => number.to_string(),
        ExprKind::Duration(duration) => duration.to_string(),
        ExprKind::Text(text) => format!("{text:?}"),
        ExprKind::Word(word) => format!("«{word}»"),
        ExprKind::Name(name) => name.clone(),
        ExprKind::List(items) => format!("[{}]", list(items)),
        ExprKind::Call { name, args } => format!("{name}({})", list(args)),
        ExprKind::Not(inner) => format!("(not {})", show(inner)),
        ExprKind::And(parts) => format!("(and {})", list(parts)),
        ExprKind::Or(parts) => format!("(or {})", list(parts)),
        ExprKind::Compare { op, left, right } => {
            format!("({} {} {})", op.as_str(), show(left), show(right))
        }
        ExprKind::Arithmetic { op, left, right } => {
            format!("({op:?} {} {})", show(left), show(right))
        }
    }
}

fn check(text: &str, expected: Expect) {
    let shown = match parse(text) {
        Ok(expr) => show(&expr),
        Err(error) => format!(
            "{} {}..{} {}; {}",
            error.code.code,
            error.at.start,
            error.at.end,
            error.message,
            error.help.unwrap_or_default()
        ),
    };
    expected.assert_eq(&shown);
}

#[test]
fn precedence_is_or_and_not_comparison_sum_product() {
    check(
        "a or b and not c == d",
        expect!["(or a (and b (not (== c «d»))))"],
    );
    check(
        "not a and b || !c && d",
        expect!["(or (and (not a) b) (and (not c) d))"],
    );
    check(
        "a + b * c - d / 2 > 5",
        expect!["(> (Subtract (Add a (Multiply b c)) (Divide d 2)) 5)"],
    );
    check("(a or b) and (c)", expect!["(and (or a b) c)"]);
    check("a > 1 and a < 2", expect!["(and (> a 1) (< a 2))"]);
    check("not not a", expect!["(not (not a))"]);
}

#[test]
fn a_bare_word_is_a_text_on_the_right_and_in_lists() {
    check(
        "tool == stripe.refund",
        expect!["(== tool «stripe.refund»)"],
    );
    check(
        "env in [prod, 'pre prod', $workflow]",
        expect![[r#"(in env [«prod» "pre prod" workflow])"#]],
    );
    check("env not in [prod]", expect!["(not in env [«prod»])"]);
    check("agent == $args.owner", expect!["(== agent args.owner)"]);
    check(
        "default(env, prod) == prod",
        expect!["(== default(env «prod») «prod»)"],
    );
    check(
        "any(args.items, it, it.price > 5 and it.kind == gift)",
        expect!["any(args.items it (and (> it.price 5) (== it.kind «gift»)))"],
    );
    check(
        "args.items[0].id == create-issue",
        expect!["(== args.items[0].id «create-issue»)"],
    );
    check(
        "resource == customer:cust_123",
        expect!["(== resource «customer:cust_123»)"],
    );
    check(
        "user.id == ana@acme.com",
        expect!["(== user.id «ana@acme.com»)"],
    );
    check("rate(agent, 1h) >= 5", expect!["(>= rate(agent 1h) 5)"]);
    check("x ~ '^/etc/\\d+'", expect![[r#"(~ x "^/etc/\\d+")"#]]);
    check("x > -5.50", expect!["(> x -5.5)"]);
    check("a - b > 1", expect!["(> (Subtract a b) 1)"]);
    check(
        "lower(x) starts_with \"a\" and y ends_with b and z contains c",
        expect![[r#"(and (starts_with lower(x) "a") (ends_with y «b») (contains z «c»))"#]],
    );
    check("x matches '*.md'", expect![[r#"(matches x "*.md")"#]]);
    check("true", expect!["true"]);
    check("a in [0]", expect!["(in a [0])"]);
}

#[test]
fn mistakes_say_where_and_what_instead() {
    check("", expect!["P040 0..0 the expression is empty; "]);
    check(
        "amount = 500",
        expect!["P040 7..8 `=` is no operator; compare with `==`"],
    );
    check(
        "amount > ",
        expect!["P040 9..9 the expression ends where a name or a value should follow; "],
    );
    check(
        "amount > 500 AND b",
        expect![
            "P040 13..16 `AND` stands where `and`, `or` or the end should; did you mean `and`?"
        ],
    );
    check(
        "1 < a < 3",
        expect!["P040 6..7 comparisons do not chain; write `a < b and b < c`"],
    );
    check(
        "(a",
        expect!["P040 2..2 the expression ends where `)` should follow; "],
    );
    check(
        "a)",
        expect!["P040 1..2 `)` stands where `and`, `or` or the end should; "],
    );
    check(
        "a == 'x",
        expect!["P040 5..7 the quoted text does not end; "],
    );
    check(
        "a == 5x",
        expect![
            "P031 5..7 `5x` is not a duration; durations are 250ms, 20s, 5m, 24h, 30d; quote other texts"
        ],
    );
    check(
        "a == 5.",
        expect![
            "P045 5..7 `5.` is not an exact decimal; at most 28 digits, with digits after the point"
        ],
    );
    check(
        "a == 1e5",
        expect![
            "P031 5..8 `1e5` is not a duration; durations are 250ms, 20s, 5m, 24h, 30d; quote other texts"
        ],
    );
    check(
        "a == 99999999999999999999999999999999",
        expect![
            "P045 5..37 `99999999999999999999999999999999` is not an exact decimal; at most 28 digits, with digits after the point"
        ],
    );
    check(
        "a not b",
        expect!["P040 6..7 `b` stands where `in` after `not` should; "],
    );
    check(
        "a & b",
        expect!["P040 2..3 `&` is no operator; join with `and` or `&&`"],
    );
    check(
        "$ == 1",
        expect!["P040 0..1 `$` stands before the name of an attribute; "],
    );
    check(
        "a == é",
        expect![[r#"P040 5..7 `é` is no operator; quote texts with " or '"#]],
    );
    check(
        "-a > 5",
        expect!["P040 0..1 a minus in front stands only before a number; "],
    );
    check(
        "a in [1,",
        expect!["P040 8..8 the expression ends where a name or a value should follow; "],
    );
    check(
        "f(",
        expect!["P040 2..2 the expression ends where a name or a value should follow; "],
    );
    check(
        "and",
        expect!["P040 0..3 `and` stands where a name or a value should; "],
    );
}

#[test]
fn size_and_depth_are_bounded() {
    check(
        &format!("{}a{}", "(".repeat(32), ")".repeat(32)),
        expect!["a"],
    );
    check(
        &format!("{}a{}", "(".repeat(33), ")".repeat(33)),
        expect![
            "P041 33..34 the expression nests deeper than 32 levels; write several rules; the strictest effect holds"
        ],
    );
    check(
        &format!("{}a", "not ".repeat(33)),
        expect![
            "P041 132..133 the expression nests deeper than 32 levels; write several rules; the strictest effect holds"
        ],
    );
    check(
        &format!("a{} > 1", " + 1".repeat(33)),
        expect![
            "P041 132..133 the expression nests deeper than 32 levels; write several rules; the strictest effect holds"
        ],
    );
    check(
        &"a or ".repeat(3_000),
        expect![
            "P041 10240..10241 the expression has more than 2048 parts; write several rules; the strictest effect holds"
        ],
    );
    check(
        &"x".repeat(16 * 1024 + 1),
        expect![
            "P041 0..16385 the expression has 16385 bytes, more than 16384; write several rules; the strictest effect holds"
        ],
    );
}
