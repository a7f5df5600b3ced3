use super::*;
use crate::args::Arguments;
use clap::Parser as _;

fn asks(line: &str) -> bool {
    asks_for_json(line.split(' ').map(str::to_owned))
}

#[test]
fn the_form_is_read_from_a_command_line_that_is_none() {
    for line in ["get -o json", "-o=json", "x -ojson --y", "--output json", "--output=json get"] {
        assert!(asks(line), "{line}");
    }
    for line in ["get", "-o yaml", "-o jsonpath={.a}", "json", "get json", "-o", "x -- -o json", "--output yaml json"] {
        assert!(!asks(line), "{line}");
    }
}

#[test]
fn the_mistake_is_the_message_and_the_command_s_own_help_is_named() {
    for (line, message, cause, help) in [
        ("fnctl get ksvc --watchh", "unexpected argument '--watchh' found", "--watch", "fnctl get --help"),
        ("fnctl deploy", "the following required arguments were not provided", "<PATH>", "fnctl deploy --help"),
        ("fnctl event sent", "unrecognized subcommand 'sent'", "send", "fnctl event --help"),
        ("fnctl wait x --for delete --timeout soon", "'soon' for '--timeout <TIMEOUT>'", "", "fnctl --help"),
        ("fnctl", "no command is given", "", "fnctl --help"),
    ] {
        let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
        let told: serde_json::Value = serde_json::from_str(&failure(&error).to_json()).unwrap();
        let told = &told["error"];
        assert!(told["message"].as_str().unwrap().contains(message), "{line}: {told}");
        assert!(told["cause"].to_string().contains(cause), "{line}: {told}");
        assert_eq!((&told["code"], &told["try"]), (&code::INPUT.into(), &help.into()), "{line}: {told}");
    }
}
