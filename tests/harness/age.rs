//! Debian's `age`, which shares no code with ours. `tests/run` unpacks it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::Scratch;

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/age/usr/bin");

/// A key file, and who it is to others.
pub(crate) struct Key {
    pub(crate) file: PathBuf,
    pub(crate) recipient: String,
}

/// What a program makes of its input, and whether it's content.
pub(crate) fn filter(mut command: Command, input: &[u8]) -> Option<Vec<u8>> {
    let program = command.get_program().to_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("{program:?} can't be started ({error}); see tests/run"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // One that has seen enough closes its end.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    output.status.success().then_some(output.stdout)
}

/// What `zstd` makes of its input.
pub(crate) fn zstd(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new("zstd");
    command.args(["-q", "-c"]).args(arguments);
    filter(command, input)
}

// === impl Key ===

impl Key {
    pub(crate) fn generate(scratch: &Scratch, name: &str) -> Self {
        let file = scratch.path(name);
        let made =
            Command::new(Path::new(PROGRAMS).join("age-keygen")).arg("-o").arg(&file).stderr(Stdio::null()).status();
        assert!(made.expect("age-keygen is there; see tests/run").success());
        let text = fs::read_to_string(&file).unwrap();
        let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
        Self { file, recipient }
    }

    pub(crate) fn decrypt(&self, input: &[u8]) -> Option<Vec<u8>> {
        let mut command = Command::new(Path::new(PROGRAMS).join("age"));
        command.arg("-d").arg("-i").arg(&self.file);
        filter(command, input)
    }

    pub(crate) fn encrypt(&self, input: &[u8]) -> Vec<u8> {
        let mut command = Command::new(Path::new(PROGRAMS).join("age"));
        command.args(["-e", "-r", &self.recipient]);
        filter(command, input).unwrap()
    }

    /// The keys of a transform that encrypts to it.
    pub(crate) fn encrypting(&self) -> String {
        format!("[[transform]]\nconnector = \"age\"\nmode = \"encrypt\"\nrecipients = [\"{}\"]\n", self.recipient)
    }

    /// The same of one that decrypts with it.
    pub(crate) fn decrypting(&self) -> String {
        let file = self.file.display();
        format!("[[transform]]\nconnector = \"age\"\nmode = \"decrypt\"\nidentity = {{ file = \"{file}\" }}\n")
    }
}
