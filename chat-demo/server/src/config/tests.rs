//! Settings from a command line.

use super::*;

fn parse(args: &[&str]) -> Result<Config, clap::Error> {
    let command =
        Config::augment_args(Command::new("chat-demo")).mut_args(|option| option.env(None));
    let args = std::iter::once(&"chat-demo").chain(args);
    Config::from_arg_matches(&command.try_get_matches_from(args)?)
}

#[test]
fn the_defaults_go_together() {
    assert_eq!(Config::default().check(), Ok(()));
}

#[test]
fn a_wrong_value_is_reported_with_its_option() {
    for (option, value) in [
        ("--listen", "nowhere"),
        ("--handshake-timeout", "0s"),
        ("--hello-timeout", "0s"),
        ("--request-timeout", "0s"),
        ("--heartbeat", "0s"),
        ("--heartbeat", "10us"),
        ("--idle-timeout", "0s"),
        ("--session-ttl", "0s"),
        ("--redis-reads-idle", "0s"),
        ("--redis-reads-life", "0s"),
        ("--max-connections", "0"),
        ("--max-payload", "many"),
        ("--hello-timeout", "soon"),
        ("--allow-origin", "example.com"),
        ("--when-full", "cry"),
        ("--debug-closures", "0ms"),
    ] {
        let error = parse(&[option, value]).expect_err(option).to_string();
        assert!(error.contains(option) && error.contains(value), "{error}");
    }
}

#[test]
fn an_outbox_holds_at_least_one_frame() {
    let config = |bytes: &str| {
        parse(&["--outbox-bytes", bytes, "--max-payload", "1000"]).expect("each is valid")
    };
    let error = config("3047").check().expect_err("too small").to_string();
    assert!(error.contains("--outbox-bytes"), "{error}");
    assert_eq!(config("3048").check(), Ok(()));
}

#[test]
fn a_certificate_and_its_key_come_together() {
    for (given, missing) in [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")] {
        let error = parse(&[given, "a.pem"]).expect_err(given).to_string();
        assert!(error.contains(missing), "{error}");
    }
    let both = parse(&["--tls-cert", "a.pem", "--tls-key", "b.pem"]).expect("valid");
    let tls = both.tls.expect("both are given");
    assert_eq!(
        (tls.tls_cert, tls.tls_key),
        ("a.pem".into(), "b.pem".into())
    );
}

#[test]
fn origins_are_a_list_or_repeated() {
    let config = parse(&[
        "--allow-origin",
        "https://A.example,http://b:1",
        "--allow-origin",
        "http://c",
    ]);
    assert_eq!(
        config.expect("valid").allow_origin,
        ["https://a.example", "http://b:1", "http://c"]
    );
}

#[test]
fn a_cluster_needs_addresses_and_no_sentinel() {
    for (args, missing) in [
        (&["--redis-cluster"][..], "--redis"),
        (
            &["--redis-cluster", "--redis=redis://a", "--redis-sentinel=m"],
            "--redis-sentinel",
        ),
    ] {
        let config = parse(args).expect("each is valid");
        let error = config.check().expect_err(missing).to_string();
        assert!(error.contains(missing), "{error}");
    }
}
