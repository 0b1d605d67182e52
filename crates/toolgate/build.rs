//! Writes the list of packs that the binary carries: every JSON file under `packs/`, as its path and
//! its bytes. Nothing outside of the build directory is written.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs");
    println!("cargo::rerun-if-changed={}", packs.display());
    let mut files = Vec::new();
    for pack in std::fs::read_dir(&packs)? {
        let pack = pack?.path();
        if pack.join("pack.json").is_file() {
            println!("cargo::rerun-if-changed={}", pack.display());
            files.extend(json_files(&pack)?);
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let name = file
            .strip_prefix(&packs)?
            .to_string_lossy()
            .replace('\\', "/");
        let path = file.canonicalize()?;
        writeln!(list, "    ({name:?}, include_str!({path:?})),")?;
    }
    list.push(']');
    let out = std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?;
    std::fs::write(Path::new(&out).join("packs.rs"), list)?;
    Ok(())
}

fn json_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
    let json = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "json");
    Ok(files.into_iter().filter(json).collect())
}
