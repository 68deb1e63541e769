//! The commands of a document, run one after another in one shell, as a reader would.

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::symlink,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use super::fences::{self, Fence};
use crate::support::castellan::end;

/// The languages of blocks that hold commands. In `console`, they follow `$ `.
pub const LANGUAGES: [&str; 3] = ["sh", "bash", "console"];

/// What ends what a command prints.
const MARK: &str = "-- the command ended with ";

/// A shell with `castellan` in its path and nothing of the machine's own settings.
pub struct Shell {
    process: Child,
    input: ChildStdin,
    output: Receiver<String>,
    binaries: tempfile::TempDir,
}

impl Drop for Shell {
    fn drop(&mut self) {
        // What it started in the background ends with it.
        let _ = writeln!(self.input, "kill $(jobs -p) 2>/dev/null; exit");
        for _ in 0..40 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        end(&mut self.process);
    }
}

impl Shell {
    pub fn start(folder: &Path) -> Self {
        let binaries = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_castellan"), binaries.path().join("castellan")).unwrap();
        let path =
            format!("{}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", binaries.path().display());
        let mut process = Command::new("/bin/bash")
            .args(["--noprofile", "--norc"])
            .current_dir(folder)
            .env_clear()
            .env("PATH", path)
            .env("HOME", folder)
            .env("CASTELLAN_LOG", "warn")
            .env("CASTELLAN_TEST_HASHES", "cheap")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        // A part of a pipeline that fails is a failure of the command.
        writeln!(input, "set -o pipefail; exec 2>&1").unwrap();
        let (sender, output) = channel();
        let lines = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, input, output, binaries }
    }

    /// Runs `command` with `told` on its standard input. Says whether it succeeded, and what it printed.
    pub fn run(&mut self, command: &str, told: &str) -> (bool, String) {
        let file = self.binaries.path().join("told");
        fs::write(&file, told).unwrap();
        writeln!(self.input, "{{ {command}\n}} < {}\necho; echo '{MARK}'$?", file.display())
            .unwrap();
        let mut printed = String::new();
        loop {
            let line = self.output.recv_timeout(Duration::from_mins(1));
            let line = line.unwrap_or_else(|_| panic!("`{command}` does not end: {printed}"));
            if let Some(status) = line.strip_prefix(MARK) {
                return (status == "0", printed.trim_end().to_owned());
            }
            printed.push_str(&line);
            printed.push('\n');
        }
    }
}

/// A document whose commands are run in their order, and none of which is passed over in silence.
pub struct Page {
    pub shell: Shell,
    left: VecDeque<(Fence, String)>,
    replaced: Vec<(String, String)>,
}

impl Page {
    /// The commands of `document`, to be run in `folder`.
    pub fn of(document: &str, folder: &Path) -> Self {
        let mut left = VecDeque::new();
        for fence in fences::all(document) {
            if LANGUAGES.contains(&fence.language.as_str()) {
                left.extend(commands(&fence).into_iter().map(|command| (fence.clone(), command)));
            }
        }
        Self { shell: Shell::start(folder), left, replaced: Vec::new() }
    }

    /// From now on `there` stands for what the document calls `here`: an address, a folder.
    #[must_use]
    pub fn with(mut self, here: &str, there: &str) -> Self {
        self.replaced.push((here.to_owned(), there.to_owned()));
        self
    }

    /// The next command, which begins with `begins`.
    fn next(&mut self, begins: &str) -> (String, String) {
        let (fence, command) =
            self.left.pop_front().unwrap_or_else(|| panic!("no command is left for `{begins}`"));
        let place = format!(
            "{}, \u{201c}{}\u{201d}, line {} and following",
            fence.document, fence.heading, fence.line
        );
        assert!(
            command.starts_with(begins),
            "{place}: the next command is\n{command}\nand the test has `{begins}`: say there how it is run, or why not"
        );
        (place, command)
    }

    /// Runs the next command, which must succeed; what it printed.
    pub fn run(&mut self, begins: &str) -> String {
        self.filled(begins, &[], "")
    }

    /// The same, with an input.
    pub fn told(&mut self, begins: &str, told: &str) -> String {
        self.filled(begins, &[], told)
    }

    /// The same, with what a reader puts in the place of words like `SECRET`.
    pub fn filled(&mut self, begins: &str, words: &[(&str, &str)], told: &str) -> String {
        let (place, mut command) = self.next(begins);
        for (word, value) in words {
            assert!(command.contains(word), "{place}: no {word} in\n{command}");
            command = command.replace(word, value);
        }
        for (here, there) in &self.replaced {
            command = command.replace(here, there);
        }
        let (good, printed) = self.shell.run(&command, told);
        assert!(good, "{place}: `{command}` failed:\n{printed}");
        printed
    }

    /// Runs the next command in the background.
    pub fn begin(&mut self, begins: &str) {
        let (place, mut command) = self.next(begins);
        for (here, there) in &self.replaced {
            command = command.replace(here, there);
        }
        let command = command.split("  #").next().unwrap().trim().to_owned();
        let (good, printed) = self.shell.run(&format!("{command} >>background.log 2>&1 &"), "");
        assert!(good, "{place}: `{command}` failed:\n{printed}");
    }

    /// Passes the next command over, and why.
    pub fn leave(&mut self, begins: &str, why: &str) {
        assert!(why.len() > 10, "a reason");
        self.next(begins);
    }

    /// No command may be left.
    pub fn close(self) {
        let left: Vec<&str> = self.left.iter().map(|(_, command)| command.as_str()).collect();
        assert!(left.is_empty(), "not run: {left:#?}");
    }
}

/// The commands of a block: what is continued belongs to one, and so does what is told to it.
pub fn commands(fence: &Fence) -> Vec<String> {
    let (mut found, mut open, mut until) = (Vec::new(), String::new(), None::<String>);
    for line in fence.text.lines() {
        let console = fence.language == "console";
        let line = match (console && open.is_empty(), line.strip_prefix("$ ")) {
            (true, Some(line)) => line,
            (true, None) => continue,
            (false, _) => line,
        };
        if open.is_empty() && (line.trim().is_empty() || line.starts_with('#')) {
            continue;
        }
        open.push_str(line);
        open.push('\n');
        if let Some(end) = &until {
            if line == end {
                until = None;
            }
        } else if let Some((_, end)) = line.split_once("<<") {
            until = Some(end.trim().trim_matches('\'').to_owned());
        }
        let bare = line.split("  #").next().unwrap_or(line).trim_end();
        let goes_on = bare.ends_with('\\') || bare.ends_with('|') || is_quoting(&open);
        if until.is_none() && !goes_on {
            found.push(std::mem::take(&mut open).trim_end().to_owned());
        }
    }
    assert!(open.is_empty(), "{}: not a whole command: {open}", fence.document);
    found
}

/// Whether a text in single quotes goes on to the next line.
fn is_quoting(command: &str) -> bool {
    let without_comments = command.lines().map(|line| line.split("  #").next().unwrap_or(line));
    let text: String = without_comments.collect();
    !text.contains("<<") && text.matches('\'').count() % 2 == 1
}

/// A person signs in and agrees, with curl and a jar of cookies for a browser. `begin` is the first
/// request; the last answer.
pub fn agree(
    shell: &mut Shell,
    curl: &str,
    (base, begin): (&str, &str),
    person: (&str, &str),
) -> String {
    let mut ask = |what: &str| {
        let (good, printed) = shell.run(&format!("{curl} -s -b jar -c jar {what}"), "");
        assert!(good, "{what}: {printed}");
        printed
    };
    let form = ask(&format!("-L {begin}"));
    let (name, password) = person;
    let question = ask(&format!(
        "-L {base}/auth/login -d flow={} -d username={name} --data-urlencode 'password={password}'",
        flow(&form)
    ));
    ask(&format!(
        "-w '%{{redirect_url}}' {base}/auth/consent -d flow={} -d decision=allow",
        flow(&question)
    ))
}

/// The hidden field of a form.
fn flow(page: &str) -> String {
    let (_, rest) =
        page.split_once("name=\"flow\" value=\"").unwrap_or_else(|| panic!("no form: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// What follows a word in what a command printed.
pub fn after<'a>(printed: &'a str, word: &str) -> &'a str {
    let (_, rest) = printed.split_once(word).unwrap_or_else(|| panic!("no {word}: {printed}"));
    rest.split([' ', '\n', '"', '&']).next().unwrap()
}
