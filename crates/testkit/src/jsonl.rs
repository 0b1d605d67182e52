//! Files of one JSON text a line.
//!
//! A last line without its line end is still being written and is left out.
//! Must not know: what the lines mean.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Why the lines cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The file cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is no JSON.
    #[error("line {line} of `{}` is not JSON: {source}", path.display())]
    NotJson {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// All whole lines of the file.
///
/// # Errors
/// [`LinesError`] names the file and the line.
pub fn read_lines(path: &Path) -> Result<Vec<Value>, LinesError> {
    let text = std::fs::read_to_string(path).map_err(|source| LinesError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let parsed = whole.lines().enumerate().map(|(place, line)| {
        serde_json::from_str(line).map_err(|source| LinesError::NotJson {
            path: path.to_owned(),
            line: place + 1,
            source,
        })
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::read_lines;

    #[test]
    fn a_line_under_way_is_left_out_and_a_broken_one_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"a\":1}\n[2]\n{\"half").unwrap();
        assert_eq!(read_lines(file.path()).unwrap().len(), 2);
        std::fs::write(file.path(), "1\nnope\n").unwrap();
        let error = read_lines(file.path()).unwrap_err().to_string();
        assert!(error.starts_with("line 2 of "), "{error}");
    }
}
