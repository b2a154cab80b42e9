//! Every sample pipeline and every example of the documentation is valid, the README's first command moves
//! what it says, and the commands of the worked example do what they should.

use std::{
    env, fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use crate::harness::{
    Scratch,
    tree::{Item, Snapshot},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Of nobody: made by `age-keygen` for this test.
const IDENTITY: &str = "AGE-SECRET-KEY-1FCYNFCSSZTWLMP3JHE5ZT5UQZ270WMHFE4E3ZSDXLRRLTZKYMK7SEHEP3L";

#[test]
fn every_sample_is_valid() {
    let mut count = 0;
    // One folder of compiled connectors for all.
    let scratch = Scratch::new();
    let variable = regex::Regex::new(r#"\{ env = "[A-Z0-9_]+" \}"#).unwrap();
    for entry in fs::read_dir(Path::new(ROOT).join("pipelines")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "toml") {
            // Samples take values from variables; any will do here, but for a key that is looked at.
            let text = fs::read_to_string(entry.path()).unwrap();
            let text = text.replace("{ env = \"AGE_IDENTITY\" }", &format!("{IDENTITY:?}"));
            let text = variable.replace_all(&text, "\"/tmp/x\"");
            let path = scratch.path("sample.toml");
            fs::write(&path, &*text).unwrap();
            scratch.engine(&["validate", path.to_str().unwrap()]).expect_code(0);
            count += 1;
        }
    }
    assert!(count >= 2, "{count} samples");
}

#[test]
fn the_readmes_pipeline_is_valid() {
    let scratch = Scratch::new();
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let path = scratch.path("readme.toml");
    fs::write(&path, text).unwrap();
    scratch.engine(&["validate", path.to_str().unwrap()]).expect_code(0);
}

#[test]
fn the_quickstart_moves_real_files() {
    let scratch = Scratch::new();
    let text = fs::read_to_string(Path::new(ROOT).join("pipelines/quickstart.toml")).unwrap();
    let source = Path::new(ROOT).join("wit");
    let text = text.replace("\"wit\"", &format!("\"{}\"", source.display()));
    let text = text.replace("\"target/quickstart\"", &format!("\"{}\"", scratch.path("sink").display()));
    let path = scratch.path("quickstart.toml");
    fs::write(&path, text).unwrap();
    let run = scratch.run(&path);
    run.expect_code(0);
    let sink = Snapshot::of(&scratch.path("sink"));
    sink.assert_equals(&Snapshot::of(&source));
    let files = sink.items().values().filter(|item| matches!(item, Item::File { .. })).count();
    assert!(files >= 5 && run.objects("moved") == files as u64);
}

/// What stands in a Markdown text between these fences.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
}

fn documentation() -> String {
    fs::read_to_string(Path::new(ROOT).join("pipelines/README.md")).unwrap()
}

#[test]
fn every_table_of_the_documentation_is_valid() {
    let text = documentation();
    let blocks = blocks(&text, "toml");
    assert!(blocks.len() >= 4, "{} examples", blocks.len());
    for block in blocks {
        let scratch = Scratch::new();
        if block.contains("[tasks.") {
            can_be_applied(&scratch, block);
            continue;
        }
        let path = scratch.path("pipeline.toml");
        let (pipeline, engine) = if block.contains("[tunnels.") {
            let name = block.split_once("[tunnels.").unwrap().1.split_once(']').unwrap().0;
            (format!("tunnel = \"{name}\"\n"), block)
        } else if block.contains("name = ") {
            (String::new(), "")
        } else {
            ("[tunnel]\n".to_owned(), "")
        };
        let ends = format!("[source]\n{}\n[sink]\n{}\n", scratch.local("source"), scratch.local("sink"));
        let pipeline = match (pipeline.is_empty(), engine.is_empty()) {
            (true, _) => block.to_owned(),
            (false, true) => format!("name = \"test\"\n{pipeline}{block}{ends}"),
            (false, false) => format!("name = \"test\"\n{pipeline}{ends}"),
        };
        fs::write(&path, &pipeline).unwrap();
        fs::write(scratch.path("engine.toml"), engine).unwrap();
        let config = scratch.path("engine.toml");
        let arguments = ["validate", "--config", config.to_str().unwrap(), path.to_str().unwrap()];
        scratch.engine(&arguments).expect_code(0);
    }
}

fn can_be_applied(scratch: &Scratch, block: &str) {
    fs::create_dir(scratch.path("pipelines")).unwrap();
    let ends = "[source]\naddress = \"scans\"\n[sink]\naddress = \"archive\"\n";
    fs::write(scratch.path("pipelines/nightly.toml"), format!("name = \"nightly\"\ntunnel = \"line\"\n{ends}"))
        .unwrap();
    fs::write(scratch.path("all.toml"), block).unwrap();
    scratch.engine(&["apply", "-f", scratch.path("all.toml").to_str().unwrap(), "--yes"]).expect_code(0);
}

fn first_report(scratch: &Scratch) -> std::ffi::OsString {
    let reports = fs::read_dir(scratch.path("archive/reports")).unwrap();
    reports.map(|report| report.unwrap().file_name()).min().unwrap()
}

#[test]
fn the_worked_example_does_what_it_says() {
    let text = documentation();
    let (_, example) = text.split_once("## Worked example\n").unwrap();
    let (pipeline, commands) = (blocks(example, "toml")[0], blocks(example, "sh")[0]);
    let scratch = Scratch::new();
    fs::write(scratch.path("nightly.toml"), pipeline).unwrap();
    let names = ["2023/z.tif", "2024/a.tif", "2024/b c.tif", "2024/draft1.tif", "2024/notes.txt", "2025/a.tif"];
    for name in names {
        let path = scratch.path("scans").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("the scan {name}")).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
    }
    fs::write(scratch.path("inventory.csv"), "Bucket,Key\nscans,2024/b+c.tif\n").unwrap();
    let engine = Path::new(env!("CARGO_BIN_EXE_engine")).parent().unwrap();
    let path = format!("{}:{}", engine.display(), env::var("PATH").unwrap());
    let mut said = Vec::new();
    for line in commands.lines() {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(scratch.path("")).env("PATH", &path);
        let ended = shell.env("CULVERT_STATE_DIR", scratch.path("state")).output().unwrap();
        let (output, errors) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
        assert!(ended.status.success(), "{line}: {:?}\n{output}\n{errors}", ended.status);
        said.push((line, output));
    }
    let said = |start: &str| &said.iter().find(|(line, _)| line.starts_with(start)).unwrap().1;
    for name in names {
        let selected = ["2023/z.tif", "2024/a.tif", "2024/b c.tif"].contains(&name);
        assert_eq!(scratch.path("archive").join(name).exists(), selected, "{name}");
    }
    assert!(said("engine status").starts_with("nightly  finished"), "{}", said("engine status"));
    assert!(said("engine report nightly --skipped").contains("\"excluded\""));
    assert_eq!(fs::read_to_string(scratch.path("failed.csv")).unwrap(), "key,code,message,attempts\n");
    assert_eq!(said("(cd archive").lines().filter(|line| line.ends_with(": OK")).count(), 3);
    let manifest =
        fs::read_to_string(scratch.path("archive/reports").join(first_report(&scratch)).join("manifest.csv")).unwrap();
    assert_eq!(manifest.matches(",reread:crc64-nvme,").count(), 3, "{manifest}");
    let rounds = fs::read_to_string(scratch.path("state/pipelines/nightly/report/rounds.jsonl")).unwrap();
    assert_eq!(rounds.lines().count(), 5, "each run has its report");
    assert_eq!(fs::read_dir(scratch.path("archive/reports")).unwrap().count(), 5, "at the sink too");
}
