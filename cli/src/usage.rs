//! Command lines that are no valid usage, told to programs as every other failure is.

use crate::failure::{Failure, code};
use clap::error::ErrorKind;

/// Whether a command line that could not be read asks for JSON.
pub(crate) fn asks_for_json(arguments: impl IntoIterator<Item = String>) -> bool {
    let arguments: Vec<_> = arguments.into_iter().take_while(|argument| argument != "--").collect();
    let joined = ["-ojson", "-o=json", "--output=json"];
    let apart =
        |pair: &[String]| matches!(pair, [flag, form] if ["-o", "--output"].contains(&flag.as_str()) && form == "json");
    arguments.iter().any(|argument| joined.contains(&argument.as_str())) || arguments.windows(2).any(apart)
}

/// What is wrong with the command line: clap's first line, its other lines as causes, and where to read on.
pub(crate) fn failure(error: &clap::Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::invalid(code::INPUT, "no command is given").try_this("fnctl --help");
    }
    let text = error.render().to_string();
    let mut lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let first = lines.next().unwrap_or_default();
    let failure = Failure::invalid(code::INPUT, first.trim_start_matches("error: ").trim_end_matches(':'));
    let help = format!("{} --help", command(&text));
    lines.fold(failure, Failure::detail).try_this(help)
}

/// The words before the first flag or argument of clap's usage.
fn command(text: &str) -> String {
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or("fnctl");
    let is_word = |word: &&str| word.starts_with(|first: char| first.is_ascii_lowercase());
    usage.split_whitespace().take_while(is_word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
