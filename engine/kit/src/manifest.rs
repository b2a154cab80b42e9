//! The SDK's manifest as that of a crate that stands alone: what it takes from this workspace is written
//! out. Leaves out the lints, which are this project's own.

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use crate::Refused;

/// This workspace's.
const ROOT: &str = include_str!("../../../Cargo.toml");
const INHERITED: &str = "workspace";
/// Tables of dependencies.
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// # Errors
/// The manifest names what the workspace doesn't have: a fault in the build of the engine.
pub(crate) fn alone(manifest: &str) -> Result<String, Refused> {
    let parse = |text: &str| text.parse::<DocumentMut>().map_err(|error| Refused(format!("the SDK: {error}")));
    let (mut manifest, root) = (parse(manifest)?, parse(ROOT)?);
    let workspace = table(root.get(INHERITED))?;
    let package = table(workspace.get("package"))?;
    let versions = table(workspace.get("dependencies"))?;
    for name in DEPENDENCIES {
        if let Some(table) = manifest.get_mut(name).and_then(Item::as_table_like_mut) {
            for (name, item) in table.iter_mut() {
                write_out(name.get(), item, versions)?;
            }
        }
    }
    let own = manifest.get_mut("package").and_then(Item::as_table_like_mut);
    for (name, item) in own.into_iter().flat_map(|own| own.iter_mut()) {
        if is_inherited(item) {
            *item = package.get(name.get()).cloned().ok_or_else(|| missing(name.get()))?;
        }
    }
    manifest.remove("lints");
    Ok(manifest.to_string())
}

/// A dependency with the workspace's version and features, and its own features besides.
fn write_out(name: &str, item: &mut Item, versions: &dyn TableLike) -> Result<(), Refused> {
    if !is_inherited(item) {
        return Ok(());
    }
    let known = versions.get(name).ok_or_else(|| missing(name))?;
    let features = item.get("features").and_then(Item::as_array).cloned();
    *item = known.clone();
    let Some(features) = features else { return Ok(()) };
    if let Some(version) = known.as_str() {
        let mut table = Table::new();
        table.insert("version", value(version));
        *item = value(table.into_inline_table());
    }
    let Some(table) = item.as_table_like_mut() else { return Err(missing(name)) };
    let mut all = table.get("features").and_then(Item::as_array).cloned().unwrap_or_default();
    all.extend(features.iter().cloned());
    table.insert("features", value(all));
    Ok(())
}

fn is_inherited(item: &Item) -> bool {
    item.get(INHERITED).and_then(Item::as_bool) == Some(true)
}

fn table(item: Option<&Item>) -> Result<&dyn TableLike, Refused> {
    item.and_then(Item::as_table_like).ok_or_else(|| missing("a table"))
}

fn missing(name: &str) -> Refused {
    Refused(format!("the SDK names {name}, which its workspace doesn't have"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use super::*;

    #[test]
    fn what_was_inherited_is_written_out() {
        let text = "[package]\nname = \"x\"\nversion.workspace = true\n\n[dependencies]\nhttp.workspace = true\n\
                    serde = { workspace = true, features = [\"rc\"] }\nhttp-body = { workspace = true, features = [\"y\"] }\n\
                    other = \"2\"\n\n[lints]\nworkspace = true\n";
        let alone = alone(text).unwrap().parse::<DocumentMut>().unwrap();
        assert_eq!(alone["package"]["version"].as_str(), Some("0.1.0"));
        assert_eq!(alone["dependencies"]["http"].as_str(), Some("1.5"));
        assert_eq!(alone["dependencies"]["other"].as_str(), Some("2"));
        let features = |name: &str| alone["dependencies"][name]["features"].as_array().unwrap().len();
        assert_eq!((features("serde"), features("http-body")), (2, 1));
        assert!(alone.get("lints").is_none());
        assert!(super::alone("[dependencies]\nnone.workspace = true\n").is_err());
    }
}
