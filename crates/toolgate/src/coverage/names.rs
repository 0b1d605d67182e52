//! Where a name comes from: followed through bindings, imports and the files of the project.
//!
//! ```text
//! from .gate import gate          gate.py: gate = Toolgate()
//! gate.tool                       toolgate, `Toolgate().tool`
//! ```
//!
//! Every name is followed once in one question, so that code which is bound in circles ends too.
//! Must not know: what follows from where a name comes from.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use super::expr::{Code, Expr, Import, Place};
use super::frameworks::{GATE, KNOWN, Known};
use super::reader::Tongue;

/// A file with what it says.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) tongue: Tongue,
    pub(super) code: Code,
}

/// Where something comes from: a module that is none of the project, and what of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Origin {
    pub(super) module: String,
    /// `Agent().tool`; empty for the module itself.
    pub(super) tail: String,
}

/// A name in a file.
type Named = (usize, String);

/// What a question has followed already.
pub(super) type Followed = HashSet<Named>;

/// All files, by their names.
#[derive(Debug)]
pub(super) struct Names<'s> {
    sources: &'s [Source],
    by_path: HashMap<&'s Path, usize>,
    by_stem: HashMap<&'s str, Vec<usize>>,
}

impl Origin {
    /// The package that the module is of: `@openai/agents`, `langchain_core`.
    pub(super) fn package(&self) -> &str {
        let slashes = usize::from(self.module.starts_with('@')) + 1;
        let end = self
            .module
            .match_indices('/')
            .nth(slashes - 1)
            .map_or(self.module.len(), |(at, _)| at);
        let package = self.module.get(..end).unwrap_or_default();
        if package.starts_with('@') {
            package
        } else {
            package.split('.').next().unwrap_or_default()
        }
    }

    /// Whether it is the gate's own SDK, or made from it.
    pub(super) fn is_gate(&self) -> bool {
        let package = self.package();
        GATE.iter()
            .any(|gate| package == *gate || package.split('/').next() == Some(gate))
    }

    /// What it does with tools, if that is known.
    pub(super) fn known(&self) -> Option<&'static Known> {
        let full = match self.module.split_once('.') {
            Some((_, rest)) if !self.module.starts_with(['@', '.']) => {
                format!("{rest}.{}", self.tail)
            }
            _ => self.tail.clone(),
        };
        let package = self.package();
        let fits = |known: &&Known| {
            known.package == package
                && (full == known.name || full.ends_with(&format!(".{}", known.name)))
        };
        // The longest name is the most particular: `Agent().tool` before `tool`.
        KNOWN
            .iter()
            .filter(fits)
            .filter(|known| known.name.contains("()") || !self.tail.contains("()"))
            .max_by_key(|known| known.name.len())
    }

    fn then(mut self, name: &str) -> Self {
        if !self.tail.is_empty() {
            self.tail.push('.');
        }
        self.tail.push_str(name);
        self
    }

    fn called(mut self) -> Self {
        self.tail.push_str("()");
        self
    }
}

impl<'s> Names<'s> {
    /// The names of these files.
    pub(super) fn of(sources: &'s [Source]) -> Self {
        let mut by_stem: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, source) in sources.iter().enumerate() {
            let stem = source.path.file_stem().and_then(|stem| stem.to_str());
            let folder = source.path.parent().and_then(Path::file_name);
            let stem = match stem {
                Some("__init__") => folder.and_then(|folder| folder.to_str()),
                stem => stem,
            };
            by_stem
                .entry(stem.unwrap_or_default())
                .or_default()
                .push(at);
        }
        Self {
            sources,
            by_path: sources
                .iter()
                .enumerate()
                .map(|(at, source)| (source.path.as_path(), at))
                .collect(),
            by_stem,
        }
    }

    /// What the file says.
    pub(super) fn code(&self, file: usize) -> Option<&'s Code> {
        self.sources.get(file).map(|source| &source.code)
    }

    /// Where an expression of a file comes from.
    pub(super) fn origin(&self, file: usize, expr: &Expr) -> Option<Origin> {
        self.follow(file, expr, &mut Followed::new())
    }

    fn follow(&self, file: usize, expr: &Expr, followed: &mut Followed) -> Option<Origin> {
        match expr {
            Expr::Name(name) => self.follow_name(file, name, followed),
            Expr::Member(object, name) => {
                if let Expr::Name(module) = &**object
                    && let Some(other) = self.module_named(file, module)
                {
                    return self.follow_name(other, name, followed);
                }
                Some(self.follow(file, object, followed)?.then(name))
            }
            Expr::Call(call) => Some(self.follow(file, &call.callee, followed)?.called()),
            _ => None,
        }
    }

    fn follow_name(&self, file: usize, name: &str, followed: &mut Followed) -> Option<Origin> {
        if !followed.insert((file, name.to_owned())) {
            return None;
        }
        let code = self.code(file)?;
        let bound = code.bindings.get(name).into_iter().flatten();
        for value in bound {
            if let Some(origin) = self.follow(file, value, followed) {
                return Some(origin);
            }
        }
        if code.declared.iter().any(|declared| declared.name == name) {
            return None;
        }
        let import = code.imports.get(name)?;
        if let Some((other, theirs)) = self.imported(file, import)
            && let Some(origin) = self.follow_name(other, &theirs, followed)
        {
            return Some(origin);
        }
        if self.is_own(file, import) {
            return None;
        }
        Some(Origin {
            module: import.module.clone(),
            tail: import.name.clone().unwrap_or_default(),
        })
    }

    /// The file and the name there that an import of the project's own means.
    pub(super) fn imported(&self, file: usize, import: &Import) -> Option<Named> {
        let name = import.name.clone()?;
        let other = self.module(file, &import.module)?;
        let code = self.code(other)?;
        let has = code.bindings.contains_key(&name)
            || code.imports.contains_key(&name)
            || code.declared.iter().any(|declared| declared.name == name);
        has.then_some((other, name))
    }

    /// Whether an import can only be of the project itself.
    fn is_own(&self, file: usize, import: &Import) -> bool {
        // A folder of the project may be called as a framework's package is.
        let origin = Origin {
            module: import.module.clone(),
            tail: String::new(),
        };
        let foreign = KNOWN.iter().any(|known| known.package == origin.package());
        import.module.starts_with('.')
            || self.imported(file, import).is_some()
            || !foreign && !origin.is_gate() && self.module(file, &import.module).is_some()
    }

    /// The file that a name stands for as a whole: `import tools`, `from app import tools`.
    fn module_named(&self, file: usize, name: &str) -> Option<usize> {
        let import = self.code(file)?.imports.get(name)?;
        match &import.name {
            None => self.module(file, &import.module),
            Some(_) if self.imported(file, import).is_some() => None,
            Some(part) => {
                let dot = if import.module.ends_with('.') {
                    ""
                } else {
                    "."
                };
                self.module(file, &format!("{}{dot}{part}", import.module))
            }
        }
    }

    fn module(&self, file: usize, module: &str) -> Option<usize> {
        let source = self.sources.get(file)?;
        match source.tongue {
            Tongue::Python => self.python_module(&source.path, module),
            Tongue::Script => self.script_module(&source.path, module),
        }
        .filter(|other| *other != file)
    }

    fn python_module(&self, path: &Path, module: &str) -> Option<usize> {
        let rest = module.trim_start_matches('.');
        let parts: PathBuf = rest.split('.').filter(|part| !part.is_empty()).collect();
        let dots = module.len() - rest.len();
        let forms = [parts.with_extension("py"), parts.join("__init__.py")];
        if dots > 0 {
            let base = path.ancestors().nth(dots)?;
            return forms
                .iter()
                .find_map(|form| self.by_path.get(base.join(form).as_path()).copied());
        }
        let stem = parts.file_name()?.to_str()?;
        let mut same = self.by_stem.get(stem)?.iter().copied();
        same.find(|at| {
            let path = self.sources.get(*at).map(|source| source.path.as_path());
            path.is_some_and(|path| forms.iter().any(|form| path.ends_with(form)))
        })
    }

    fn script_module(&self, path: &Path, module: &str) -> Option<usize> {
        if !module.starts_with('.') {
            return None;
        }
        let base = tidy(&path.parent()?.join(module));
        let written = base.with_extension("");
        let endings = ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"];
        let as_is = self.by_path.get(base.as_path());
        let forms = endings.iter().flat_map(|ending| {
            let plain = PathBuf::from(format!("{}.{ending}", base.display()));
            let replaced = PathBuf::from(format!("{}.{ending}", written.display()));
            let index = base.join(format!("index.{ending}"));
            [plain, replaced, index]
        });
        as_is.copied().or_else(|| {
            forms
                .into_iter()
                .find_map(|form| self.by_path.get(form.as_path()).copied())
        })
    }

    /// Whether an expression is, or is made with, something of the gate's SDK.
    pub(super) fn mentions_gate(&self, file: usize, expr: &Expr) -> bool {
        self.mentions(file, expr, &mut Followed::new())
    }

    fn mentions(&self, file: usize, expr: &Expr, followed: &mut Followed) -> bool {
        if self
            .origin(file, expr)
            .is_some_and(|origin| origin.is_gate())
        {
            return true;
        }
        if let Expr::Name(name) = expr {
            return self
                .values(file, name, followed)
                .iter()
                .any(|(file, value)| self.mentions(*file, value, followed));
        }
        expr.parts()
            .into_iter()
            .any(|part| self.mentions(file, part, followed))
    }

    /// What a name is bound to, here or where it is imported from; nothing the second time.
    pub(super) fn values(
        &self,
        file: usize,
        name: &str,
        followed: &mut Followed,
    ) -> Vec<(usize, &'s Expr)> {
        if !followed.insert((file, name.to_owned())) {
            return Vec::new();
        }
        let Some(code) = self.code(file) else {
            return Vec::new();
        };
        if let Some(values) = code.bindings.get(name) {
            return values.iter().map(|value| (file, value)).collect();
        }
        let imported = code.imports.get(name);
        match imported.and_then(|import| self.imported(file, import)) {
            Some((other, theirs)) => self.values(other, &theirs, followed),
            None => Vec::new(),
        }
    }

    /// The function or class that a name means, and the file it is in.
    pub(super) fn declared(&self, file: usize, name: &str) -> Option<(usize, usize)> {
        let mut at = (file, name.to_owned());
        // LIMIT: a name is handed on through eight files at most.
        for _ in 0..8 {
            let code = self.code(at.0)?;
            let found = code.declared.iter().position(|one| one.name == at.1);
            if let Some(index) = found {
                return Some((at.0, index));
            }
            at = self.imported(at.0, code.imports.get(&at.1)?)?;
        }
        None
    }

    /// The call that made what an expression stands for: `Agent(…)` for `agent`.
    pub(super) fn maker(&self, file: usize, expr: &Expr) -> Option<(usize, Place)> {
        match expr {
            Expr::Call(call) => Some((file, call.place)),
            Expr::Member(object, _) => self.maker(file, object),
            Expr::Name(name) => {
                let values = self.values(file, name, &mut Followed::new());
                values.into_iter().find_map(|(file, value)| match value {
                    Expr::Call(call) => Some((file, call.place)),
                    _ => None,
                })
            }
            _ => None,
        }
    }
}

/// The path without `.` and `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                tidied.pop();
            }
            part => tidied.push(part),
        }
    }
    tidied
}
