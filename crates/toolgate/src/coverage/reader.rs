//! Reads a file of Python or TypeScript into [`Code`].
//!
//! The syntax trees are tree-sitter's, which reads on behind a mistake: a file with one is marked as
//! broken, and what was found in it stands. Nesting is cut at [`DEPTH_MAX`].
//!
//! Must not know: which names mean tools.

mod imports;
mod kinds;

use tree_sitter::{Language, Node, Parser};

use self::kinds::{is_expression, is_statement};
use super::expr::{Call, Code, Declared, Expr, Import, Place};

/// LIMIT: no code that people write nests so deep; beyond it a file counts as broken.
const DEPTH_MAX: usize = 200;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tongue {
    /// Python.
    Python,
    /// TypeScript and JavaScript, with or without markup in it.
    Script,
}

impl Tongue {
    /// What a file of this name is written in.
    pub(super) fn of(extension: &str) -> Option<Self> {
        match extension {
            "py" | "pyi" => Some(Self::Python),
            "ts" | "tsx" | "mts" | "cts" | "js" | "jsx" | "mjs" | "cjs" => Some(Self::Script),
            _ => None,
        }
    }

    fn languages(self, extension: &str) -> Language {
        match (self, extension) {
            (Self::Python, _) => tree_sitter_python::LANGUAGE.into(),
            // `<T>value` is a cast in plain TypeScript, and markup in all others.
            (Self::Script, "ts" | "mts" | "cts") => {
                tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()
            }
            (Self::Script, _) => tree_sitter_typescript::LANGUAGE_TSX.into(),
        }
    }
}

/// What a file says; broken as a whole where it cannot be read at all.
pub(super) fn read(text: &str, extension: &str, tongue: Tongue) -> Code {
    // The grammar does not know this form yet; without its `type` it means the same here.
    let text = &text.replace("export type *", "export      *");
    let mut parser = Parser::new();
    let tree = parser
        .set_language(&tongue.languages(extension))
        .ok()
        .and_then(|()| parser.parse(text, None));
    let Some(tree) = tree else {
        return Code {
            broken: Some(1),
            ..Code::default()
        };
    };
    let mut reading = Reading {
        text,
        code: Code::default(),
        depth: 0,
    };
    let root = tree.root_node();
    if root.has_error() {
        reading.code.broken = Some(first_error(root));
    }
    reading.walk(root);
    reading.code
}

/// The line of the first mistake.
fn first_error(root: Node<'_>) -> usize {
    let mut node = root;
    loop {
        let mut cursor = node.walk();
        let next = node.children(&mut cursor).find(|child| child.has_error());
        match next {
            Some(child) if !node.is_error() => node = child,
            _ => return node.start_position().row + 1,
        }
    }
}

struct Reading<'t> {
    text: &'t str,
    code: Code,
    depth: usize,
}

impl<'t> Reading<'t> {
    /// Reads statements.
    fn walk(&mut self, node: Node<'t>) {
        if !self.deeper(node) {
            return;
        }
        for child in named(node) {
            self.statement(child);
        }
        self.depth -= 1;
    }

    fn deeper(&mut self, node: Node<'t>) -> bool {
        if self.depth >= DEPTH_MAX {
            self.code
                .broken
                .get_or_insert(node.start_position().row + 1);
            return false;
        }
        self.depth += 1;
        true
    }

    fn statement(&mut self, node: Node<'t>) {
        match node.kind() {
            "import_statement" => self.import(node),
            "import_from_statement" => self.import_from(node),
            "decorated_definition" => self.decorated(node),
            "function_definition" | "function_declaration" | "generator_function_declaration" => {
                self.function(node, Vec::new());
            }
            "class_definition" | "class_declaration" | "abstract_class_declaration" => {
                self.class(node, Vec::new());
            }
            "with_item" => self.with_item(node),
            kind if is_expression(kind) => {
                let expr = self.expr(node);
                self.code.loose.push(expr);
            }
            _ => self.walk(node),
        }
    }

    /// Reads an expression; what is bound or declared within it is taken note of.
    fn expr(&mut self, node: Node<'t>) -> Expr {
        if !self.deeper(node) {
            return Expr::Other(Vec::new());
        }
        let expr = self.expr_at(node);
        self.depth -= 1;
        expr
    }

    fn expr_at(&mut self, node: Node<'t>) -> Expr {
        match node.kind() {
            "identifier" | "shorthand_property_identifier" => Expr::Name(self.source(node)),
            "string" | "template_string" | "concatenated_string" => Expr::Text(self.string(node)),
            "attribute" => self.member(node, "object", "attribute"),
            "member_expression" => self.member(node, "object", "property"),
            "call" => self.call(node, "function"),
            "call_expression" => self.call(node, "function"),
            "new_expression" => self.call(node, "constructor"),
            "list"
            | "tuple"
            | "set"
            | "array"
            | "list_splat"
            | "spread_element"
            | "binary_operator"
            | "binary_expression"
            | "conditional_expression"
            | "ternary_expression"
            | "boolean_operator"
            | "expression_list" => Expr::List(self.each(node)),
            "dictionary" | "object" => self.map(node),
            "assignment" | "named_expression" | "assignment_expression" | "variable_declarator" => {
                self.assignment(node)
            }
            "await"
            | "await_expression"
            | "parenthesized_expression"
            | "as_expression"
            | "satisfies_expression"
            | "non_null_expression"
            | "expression_statement" => self.inner(node),
            "lambda"
            | "arrow_function"
            | "function_expression"
            | "generator_function"
            | "method_definition" => {
                self.walk(node);
                Expr::Function(place(node))
            }
            kind if is_statement(kind) => {
                self.statement(node);
                Expr::Other(Vec::new())
            }
            _ => Expr::Other(self.each(node)),
        }
    }

    fn each(&mut self, node: Node<'t>) -> Vec<Expr> {
        named(node).map(|child| self.expr(child)).collect()
    }

    /// The one expression that matters of a wrapping: the first, for types come after it.
    fn inner(&mut self, node: Node<'t>) -> Expr {
        let mut parts = self.each(node);
        if parts.is_empty() {
            return Expr::Other(parts);
        }
        parts.swap_remove(0)
    }

    fn member(&mut self, node: Node<'t>, object: &str, name: &str) -> Expr {
        let object = self.field(node, object);
        let name = node.child_by_field_name(name);
        Expr::Member(
            Box::new(object),
            name.map(|name| self.source(name)).unwrap_or_default(),
        )
    }

    fn call(&mut self, node: Node<'t>, callee: &str) -> Expr {
        let callee = self.field(node, callee);
        let mut arguments = Vec::new();
        for child in node
            .child_by_field_name("arguments")
            .into_iter()
            .flat_map(named)
        {
            let argument = match child.kind() {
                "keyword_argument" => {
                    let key = child.child_by_field_name("name");
                    let key = key.map(|key| self.source(key));
                    (key, self.field(child, "value"))
                }
                _ => (None, self.expr(child)),
            };
            arguments.push(argument);
        }
        Expr::Call(Call {
            callee: Box::new(callee),
            arguments,
            place: place(node),
        })
    }

    fn map(&mut self, node: Node<'t>) -> Expr {
        let mut members = Vec::new();
        for child in named(node) {
            let member = match child.kind() {
                "pair" => {
                    let key = child.child_by_field_name("key");
                    (
                        key.and_then(|key| self.key(key)),
                        self.field(child, "value"),
                    )
                }
                "shorthand_property_identifier" => (Some(self.source(child)), self.expr(child)),
                "method_definition" => {
                    let key = child.child_by_field_name("name");
                    (key.and_then(|key| self.key(key)), self.expr(child))
                }
                _ => (None, self.expr(child)),
            };
            members.push(member);
        }
        Expr::Map(members)
    }

    fn key(&self, node: Node<'t>) -> Option<String> {
        match node.kind() {
            "string" => Some(self.string(node)),
            "property_identifier" | "identifier" | "number" => Some(self.source(node)),
            _ => None,
        }
    }

    /// `name = value`, and what stands for it; a member or a pattern on the left binds nothing but
    /// the names in it.
    fn assignment(&mut self, node: Node<'t>) -> Expr {
        let names = ["left", "name"];
        let target = names.iter().find_map(|name| node.child_by_field_name(name));
        let values = ["right", "value"];
        let value = values
            .iter()
            .find_map(|name| node.child_by_field_name(name));
        let (Some(target), Some(value)) = (target, value) else {
            return Expr::Other(Vec::new());
        };
        let value = self.expr(value);
        match target.kind() {
            "identifier" => self.bind(self.source(target), value.clone()),
            "object_pattern" => self.unpack(target, &value),
            _ => {}
        }
        value
    }

    /// `const {tool, guard: g} = value`
    fn unpack(&mut self, pattern: Node<'t>, value: &Expr) {
        for child in named(pattern) {
            let (key, local) = match child.kind() {
                "pair_pattern" => (
                    child.child_by_field_name("key"),
                    child.child_by_field_name("value"),
                ),
                _ => (Some(child), Some(child)),
            };
            if let (Some(key), Some(local), Some(module)) = (key, local, required(value)) {
                let name = Some(self.source(key));
                let import = Import { module, name };
                self.code.imports.insert(self.source(local), import);
            } else if let (Some(key), Some(local)) = (key, local) {
                let member = Expr::Member(Box::new(value.clone()), self.source(key));
                self.bind(self.source(local), member);
            }
        }
    }

    fn bind(&mut self, name: String, value: Expr) {
        if let Some(module) = required(&value) {
            let import = Import { module, name: None };
            self.code.imports.insert(name, import);
            return;
        }
        self.code.bindings.entry(name).or_default().push(value);
    }

    fn with_item(&mut self, node: Node<'t>) {
        let inner = node.child_by_field_name("value").unwrap_or(node);
        let alias = inner.child_by_field_name("alias");
        let Some(first) = named(inner).next() else {
            return;
        };
        let value = if inner.kind() == "as_pattern" {
            first
        } else {
            inner
        };
        let value = self.expr(value);
        if let Some(alias) = alias {
            self.bind(self.source(alias), value.clone());
        }
        self.code.loose.push(value);
    }

    fn decorated(&mut self, node: Node<'t>) {
        let mut decorators = Vec::new();
        for child in named(node).filter(|child| child.kind() == "decorator") {
            decorators.push(self.inner(child));
        }
        match node.child_by_field_name("definition") {
            Some(definition) if definition.kind() == "class_definition" => {
                self.class(definition, decorators);
            }
            Some(definition) => self.function(definition, decorators),
            None => {}
        }
    }

    fn function(&mut self, node: Node<'t>, decorators: Vec<Expr>) {
        let declared = self.declared(node, decorators);
        self.code.declared.push(declared);
        for part in ["parameters", "body"] {
            if let Some(part) = node.child_by_field_name(part) {
                self.walk(part);
            }
        }
    }

    fn class(&mut self, node: Node<'t>, decorators: Vec<Expr>) {
        let mut declared = self.declared(node, decorators);
        let heritage = node
            .child_by_field_name("superclasses")
            .or_else(|| named(node).find(|child| child.kind() == "class_heritage"));
        if let Some(heritage) = heritage {
            let bases = self.each(heritage);
            declared.bases = bases.into_iter().flat_map(flat).collect();
        }
        if let Some(body) = node.child_by_field_name("body") {
            declared.members = self.members(body);
            self.walk(body);
        }
        self.code.declared.push(declared);
    }

    fn declared(&self, node: Node<'t>, decorators: Vec<Expr>) -> Declared {
        let name = node.child_by_field_name("name");
        Declared {
            name: name.map(|name| self.source(name)).unwrap_or_default(),
            decorators,
            bases: Vec::new(),
            members: Vec::new(),
            place: place(node),
        }
    }

    /// What a class's body assigns: `name = "search"`, `name: str = "search"`.
    fn members(&mut self, body: Node<'t>) -> Vec<(String, Expr)> {
        let mut members = Vec::new();
        for child in named(body) {
            let assignment = match child.kind() {
                "expression_statement" => named(child).next(),
                "public_field_definition" => Some(child),
                _ => None,
            };
            let Some(assignment) = assignment else {
                continue;
            };
            let target = assignment
                .child_by_field_name("left")
                .or_else(|| assignment.child_by_field_name("name"));
            let value = assignment
                .child_by_field_name("right")
                .or_else(|| assignment.child_by_field_name("value"));
            if let (Some(target), Some(value)) = (target, value)
                && value.kind() == "string"
            {
                members.push((self.source(target), Expr::Text(self.string(value))));
            }
        }
        members
    }

    fn field(&mut self, node: Node<'t>, name: &str) -> Expr {
        match node.child_by_field_name(name) {
            Some(child) => self.expr(child),
            None => Expr::Other(Vec::new()),
        }
    }

    /// What stands between the quotes.
    fn string(&self, node: Node<'t>) -> String {
        let inside = |kind: &str| matches!(kind, "string_content" | "string_fragment" | "string");
        if node.kind() == "concatenated_string" {
            return named(node).map(|part| self.string(part)).collect();
        }
        named(node)
            .filter(|part| inside(part.kind()))
            .map(|part| self.source(part))
            .collect()
    }

    fn source(&self, node: Node<'t>) -> String {
        source(self.text, node)
    }
}

fn source(text: &str, node: Node<'_>) -> String {
    text.get(node.byte_range()).unwrap_or_default().to_owned()
}

fn named<'t>(node: Node<'t>) -> impl Iterator<Item = Node<'t>> {
    let mut cursor = node.walk();
    let children: Vec<_> = node.named_children(&mut cursor).collect();
    children.into_iter()
}

fn place(node: Node<'_>) -> Place {
    let start = node.start_position();
    Place {
        line: start.row + 1,
        column: start.column + 1,
    }
}

/// The bases of a class, out of what wraps them.
fn flat(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::Other(parts) => parts.into_iter().flat_map(flat).collect(),
        expr => vec![expr],
    }
}

/// The module of `require("module")`.
fn required(value: &Expr) -> Option<String> {
    let Expr::Call(call) = value else {
        return None;
    };
    let is_require = *call.callee == Expr::Name("require".to_owned());
    let module = call.positional().next().and_then(Expr::text);
    module.filter(|_| is_require).map(str::to_owned)
}
