use super::*;
use crate::limits::NODE_FILE_BYTES_MAX;
use std::fs;

type Variables = BTreeMap<&'static str, &'static str>;

fn home(variables: &[(&'static str, &'static str)]) -> Variables {
    [("HOME", "/nowhere/home")].into_iter().chain(variables.iter().copied()).collect()
}

/// What is wrong with a settings file of this text.
fn wrong(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("node.yaml"), text).unwrap();
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    let errors = Node::resolve(flags, &home(&[])).err().unwrap_or_default();
    let place = format!("{}/", folder.path().display());
    errors.iter().map(|error| error.to_string().replace(&place, "")).collect()
}

#[test]
fn defaults() {
    let node = Node::resolve(Flags::default(), &home(&[])).unwrap();
    let expected = Node {
        data_dir: "/nowhere/home/.local/share/fnctl".into(),
        http: "127.0.0.1:8080".parse().unwrap(),
        control: "127.0.0.1:8443".parse().unwrap(),
        s3: "127.0.0.1:9000".parse().unwrap(),
        domain: "localhost".to_owned(),
        hosts: vec![],
        log: LogChoice::Segments,
        guest_memory_bytes: 2 << 30,
    };
    assert_eq!(node, expected);
}

#[test]
fn the_data_directory() {
    let flag = |path: &str| Flags { data_dir: Some(path.into()), ..Flags::default() };
    let rows = [
        (Flags::default(), home(&[("XDG_DATA_HOME", "/nowhere/data")]), "/nowhere/data/fnctl"),
        (Flags::default(), home(&[("XDG_DATA_HOME", "relative")]), "/nowhere/home/.local/share/fnctl"),
        (Flags::default(), home(&[("XDG_DATA_HOME", "/nowhere/data"), ("FNCTL_DATA_DIR", "/nowhere/e")]), "/nowhere/e"),
        (flag("/nowhere/f"), home(&[("FNCTL_DATA_DIR", "/nowhere/e")]), "/nowhere/f"),
        (Flags::default(), home(&[("FNCTL_DATA_DIR", "")]), "/nowhere/home/.local/share/fnctl"),
    ];
    for (flags, variables, expected) in rows {
        assert_eq!(Node::resolve(flags, &variables).unwrap().data_dir, Path::new(expected), "{variables:?}");
    }
    let errors = Node::resolve(Flags::default(), &Variables::new()).unwrap_err();
    assert_eq!(errors[0].to_string(), "dataDir from default: there is no $HOME: use --data-dir or set FNCTL_DATA_DIR");
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = "http: 127.0.0.1:1\ncontrol: 127.0.0.1:1\ns3: 127.0.0.1:1\ndomain: example.com\nhosts: [a.b, '::1']\nlog: memory\nguestMemory: 1Gi\n";
    fs::write(folder.path().join("node.yaml"), file).unwrap();
    let data_dir = Some(folder.path().to_owned());
    let flags = Flags { data_dir: data_dir.clone(), http: Some("localhost:3".to_owned()), ..Flags::default() };
    let node = Node::resolve(flags, &home(&[("FNCTL_HTTP", "127.0.0.1:2"), ("FNCTL_CONTROL", "[::1]:2")])).unwrap();
    assert_eq!([node.http, node.control, node.s3].map(|address| address.port()), [3, 2, 1]);
    assert_eq!((node.domain.as_str(), node.log, node.guest_memory_bytes), ("example.com", LogChoice::Memory, 1 << 30));
    assert_eq!(node.hosts, ["a.b", "::1"]);

    let other = folder.path().join("other.yaml");
    fs::write(&other, "dataDir: here\n").unwrap();
    let flags = Flags { config: Some(other), ..Flags::default() };
    let node = Node::resolve(flags.clone(), &home(&[])).unwrap();
    assert_eq!((node.data_dir, node.http.port()), (folder.path().join("here"), 8080));
    let node = Node::resolve(Flags { data_dir, ..flags }, &home(&[])).unwrap();
    assert_eq!(node.data_dir, folder.path());
}

#[test]
fn everything_wrong_is_named_at_once() {
    assert_eq!(wrong(""), Vec::<String>::new());
    assert_eq!(wrong("http: 127.0.0.1:0\ncontrol: 127.0.0.1:0\n"), Vec::<String>::new());
    let text =
        "http: 80\ncontrol: 127.0.0.1:9000\nhosts: A\ndomain: Example\nlog: kafka\nguestMemory: 1Mi\ndomian: x\nx: y\n";
    let expected = [
        r#"http "80" from node.yaml: expected an IP address and a port, such as 127.0.0.1:8080"#,
        r#"domain "Example" from node.yaml: expected a domain in lower case, such as functions.example.com"#,
        r#"hosts "\"A\"" from node.yaml: expected a list of texts"#,
        r#"log "kafka" from node.yaml: expected segments or memory"#,
        r#"guestMemory "1Mi" from node.yaml: expected a quantity of at least 128Mi, such as 2Gi"#,
        r#"domian from node.yaml: there is no such setting: did you mean "domain"?"#,
        "x from node.yaml: there is no such setting: expected one of dataDir, http, control, s3, domain, hosts, log, guestMemory",
        r#"s3 "127.0.0.1:9000" from default: control listens there already: choose another port"#,
    ];
    assert_eq!(wrong(text), expected);
    assert_eq!(
        wrong("dataDir: /x"),
        [r#"dataDir "/x" from node.yaml: this file lies in the data directory: use --data-dir"#]
    );
    for text in ["- a", "a: [", "text"] {
        assert!(wrong(text)[0].contains("expected YAML with one setting per line"), "{text}: {:?}", wrong(text));
    }
}

#[test]
fn what_is_overridden_is_no_unknown_setting() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("node.yaml"), "http: 127.0.0.1:1\n").unwrap();
    let flags =
        Flags { data_dir: Some(folder.path().to_owned()), http: Some("127.0.0.1:0".to_owned()), ..Flags::default() };
    assert_eq!(Node::resolve(flags, &home(&[])).unwrap().http.port(), 0);
}

#[test]
fn a_settings_file_that_was_asked_for_must_be_there() {
    let flags = Flags { config: Some("/nowhere/x.yaml".into()), ..Flags::default() };
    let errors = Node::resolve(flags, &home(&[])).unwrap_err();
    assert!(errors[0].to_string().starts_with("settings file from /nowhere/x.yaml: cannot be read"), "{errors:?}");
}

#[test]
fn a_settings_file_has_a_largest_size() {
    let most = usize::try_from(NODE_FILE_BYTES_MAX).unwrap();
    let text = format!("#{}\nhttp: 80\n", "-".repeat(most - 11));
    assert!(wrong(&text)[0].starts_with("http"), "all of it is read: {:?}", wrong(&text));
    let larger = wrong(&format!("#{text}"));
    assert_eq!(larger, ["settings file from node.yaml: expected at most 1048576 bytes"]);
}

/// What cannot be a data directory is told where it is made; a file that cannot be looked for is told here.
#[test]
fn a_settings_file_that_need_not_be_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for (name, said) in [("nothing", None), ("file", None), (&*"x".repeat(300), Some("cannot be read"))] {
        let flags = Flags { data_dir: Some(folder.path().join(name)), ..Flags::default() };
        let errors = Node::resolve(flags, &home(&[])).err().unwrap_or_default();
        assert_eq!(errors.is_empty(), said.is_none(), "{errors:?}");
        assert!(errors.iter().all(|error| error.to_string().contains(said.unwrap_or_default())), "{errors:?}");
    }
}

#[test]
fn the_environment_is_that_of_the_process() {
    let environment = environment();
    assert!(environment.get("PATH").is_some_and(|path| !path.is_empty()));
    assert_eq!(environment.get("FNCTL_NO_SUCH_VARIABLE"), None);
}

#[test]
fn targets() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = Some(folder.path().to_owned());
    let all = home(&[("FNCTL_KUBECONFIG", "/env"), ("KUBECONFIG", ":/first:/second")]);
    let production = home(&[("KUBECONFIG", ":/first:/second")]);
    assert_eq!(kubeconfig(Some("/flag".into()), data_dir.clone(), &all), Ok("/flag".into()));
    assert_eq!(kubeconfig(None, data_dir.clone(), &all), Ok("/env".into()));
    assert_eq!(kubeconfig(None, data_dir.clone(), &production), Ok("/first".into()));
    fs::write(folder.path().join("kubeconfig"), "").unwrap();
    assert_eq!(kubeconfig(None, data_dir, &production), Ok(folder.path().join("kubeconfig")));
    assert_eq!(
        kubeconfig(None, Some("/nowhere".into()), &home(&[])).unwrap_err().to_string(),
        "no node to talk to: --kubeconfig is not given, FNCTL_KUBECONFIG is not set, \
         no local node has written /nowhere/kubeconfig, KUBECONFIG is not set; start a node with `fnctl up`"
    );
}
