//! The reference of the command line, `docs/cli.md`: every command with its help, as it is printed.

use clap::Command;

use crate::config::Rosters;

/// Columns of the help texts, whatever the terminal has.
const WIDTH: usize = 100;

/// The document.
fn reference() -> String {
    let mut text = String::from(
        "# Command line\n\nThe help of every command, as `castellan COMMAND --help` prints it. \
         Options that every command has are shown once, at the top.\n",
    );
    let mut root = super::command(&Rosters::default()).term_width(WIDTH);
    root.build();
    add(&root, &mut text);
    text
}

fn add(command: &Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or("castellan").to_owned();
    let is_root = !name.contains(' ');
    let mut shown = command.clone().term_width(WIDTH);
    if !is_root {
        shown = shown.mut_args(|argument| {
            let hidden = argument.is_global_set() || argument.get_id() == "help";
            argument.hide(hidden)
        });
    }
    let help = shown.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    text.extend(["\n## `", &name, "`\n\n```text\n", &lines.join("\n"), "\n```\n"]);
    for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
        add(child, text);
    }
}

/// The committed document is what the command line says of itself.
#[test]
fn the_reference_is_up_to_date() {
    crate::reference::check("cli.md", &reference());
}
