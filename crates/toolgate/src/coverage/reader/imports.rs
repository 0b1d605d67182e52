//! Imports of Python and TypeScript: which name comes from which module.
//!
//! ```text
//! from langchain_core.tools import tool as t      t: `tool` of langchain_core.tools
//! import { tool } from 'ai'                       tool: `tool` of ai
//! ```
//!
//! Must not know: what is in a module.

use tree_sitter::Node;

use super::{Reading, named, source};
use crate::coverage::expr::Import;

impl<'t> Reading<'t> {
    /// `import a.b as c` of Python, and every `import` of TypeScript.
    pub(super) fn import(&mut self, node: Node<'t>) {
        if let Some(source) = node.child_by_field_name("source") {
            let module = self.string(source);
            for clause in named(node).filter(|child| child.kind() == "import_clause") {
                self.import_clause(clause, &module);
            }
            return;
        }
        for child in named(node) {
            let (module, alias) = self.aliased(child);
            let local = alias.unwrap_or_else(|| module.split('.').next().unwrap_or("").to_owned());
            // `import a.b` binds `a`; what is then said of `a` begins with the rest of the path.
            let bound = if child.kind() == "aliased_import" {
                module
            } else {
                local.clone()
            };
            let import = Import {
                module: bound,
                name: None,
            };
            self.code.imports.insert(local, import);
        }
    }

    pub(super) fn import_from(&mut self, node: Node<'t>) {
        let Some(module) = node.child_by_field_name("module_name") else {
            return;
        };
        let module = (module.id(), self.source(module));
        for child in named(node).filter(|child| child.id() != module.0) {
            if child.kind() == "wildcard_import" {
                self.code.wildcards.push(module.1.clone());
                continue;
            }
            let (name, alias) = self.aliased(child);
            let import = Import {
                module: module.1.clone(),
                name: Some(name.clone()),
            };
            self.code.imports.insert(alias.unwrap_or(name), import);
        }
    }

    fn import_clause(&mut self, clause: Node<'t>, module: &str) {
        let mut add = |local: String, name: Option<String>| {
            let module = module.to_owned();
            self.code.imports.insert(local, Import { module, name });
        };
        for child in named(clause) {
            match child.kind() {
                "identifier" => add(source(self.text, child), Some("default".to_owned())),
                "namespace_import" => {
                    if let Some(name) = named(child).next() {
                        add(source(self.text, name), None);
                    }
                }
                _ => {
                    for specifier in named(child).filter(|one| one.kind() == "import_specifier") {
                        let name = specifier.child_by_field_name("name");
                        let alias = specifier.child_by_field_name("alias").or(name);
                        if let (Some(name), Some(alias)) = (name, alias) {
                            add(source(self.text, alias), Some(source(self.text, name)));
                        }
                    }
                }
            }
        }
    }

    fn aliased(&self, node: Node<'t>) -> (String, Option<String>) {
        match node.child_by_field_name("alias") {
            Some(alias) => {
                let name = node.child_by_field_name("name");
                let name = name.map(|name| self.source(name)).unwrap_or_default();
                (name, Some(self.source(alias)))
            }
            None => (self.source(node), None),
        }
    }
}
