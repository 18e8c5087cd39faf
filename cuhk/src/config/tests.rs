//! `config.toml`: what is written is read again, and what is cut or nobody should choose is noticed.

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_file_that_does_not_come_to_its_end_is_noticed_wherever_it_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::create(dir.path(), scb_cli::Role::Cuhk).unwrap();
    let write = |text: &str| std::fs::write(home.path(path::CONFIG), text).unwrap();
    assert_eq!(cut_config(&home), None, "that it is gone is told otherwise");
    for config in [Config::default(), unusual()] {
        let whole = config.to_toml();
        write(&whole);
        assert_eq!(cut_config(&home), None);
        let last = whole.trim_end().lines().last().unwrap();
        let (cut, _) = whole.split_once(last).unwrap();
        for (end, _) in cut.match_indices('\n').skip(1) {
            write(&cut[..=end]);
            let told = cut_config(&home).unwrap();
            assert!(told.contains("cut off"), "{told}");
        }
    }
    // What somebody has written by hand has whatever they wanted.
    write("dns = [\"ca.example\"]\n");
    assert_eq!(cut_config(&home), None);
}

/// Every option that there is, none of them at its default.
fn unusual() -> Config {
    Config {
        dns: vec!["a.example".into(), "b.example".into()],
        ip: Vec::new(),
        public_url: Some("http://ca.example/x".into()),
        listen: Some("[::1]:9".parse().unwrap()),
        http: Some("[::1]:10".parse().unwrap()),
        metrics: Some("[::1]:11".parse().unwrap()),
        wrong_codes: NonZeroU32::MIN,
        renewal_grace_days: 7,
        utc_offset: "-03:30".parse().unwrap(),
        witnessed_logs: NonZeroU32::MIN,
        question_retention_days: MIN_QUESTION_RETENTION_DAYS,
        operation_retention_days: MIN_OPERATION_RETENTION_DAYS,
        left_student_retention_days: 200,
        limits: Limits {
            max_connections: 7,
            ..Limits::default()
        },
    }
}

fn keys(text: &str) -> BTreeSet<String> {
    let table: toml::Table = toml::from_str(text).unwrap();
    let limits = table["limits"].as_table().unwrap();
    let below = limits.keys().map(|key| format!("limits.{key}"));
    table.keys().cloned().chain(below).collect()
}

#[test]
fn the_commented_file_is_read_back() {
    for config in [Config::default(), unusual()] {
        let text = config.to_toml();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "{text}");
    }
}

#[test]
fn whatever_a_text_holds_is_read_back() {
    let text = "a\u{7f}\"\\\n\t名";
    let table: toml::Table = toml::from_str(&format!("name = {}", quoted(text))).unwrap();
    assert_eq!(table["name"].as_str(), Some(text));
}

#[test]
fn a_value_that_nobody_should_choose_is_told_with_its_line() {
    for (line, what) in [
        (
            "dns = [\"a.example\", \"a b\"]",
            "\"a b\" is not a DNS name",
        ),
        ("public_url = \"https://ca.example\"", "not plain HTTP"),
        ("public_url = \"http://0.0.0.0:8012\"", "no client reaches"),
        (
            "question_retention_days = 99",
            "from 100 to 3660 days: students miss",
        ),
        (
            "public_url = \"http://ca.example:99999\"",
            "its port is no number",
        ),
        ("public_url = \"http://x#y\"", "can follow a `?` or `#`"),
        ("question_retention_days = 4294967295", "from 100 to 3660"),
        (
            "operation_retention_days = 365",
            "from 366 to 7305 days: an audit",
        ),
        ("operation_retention_days = 7306", "from 366 to 7305"),
        (
            "left_student_retention_days = 199",
            "from 200 to 7305 days: who takes",
        ),
        ("renewal_grace_days = 367", "from 0 to 366 days: in whose"),
        ("renewal_grace_days = 4294967295", "from 0 to 366 days"),
        ("wrong_codes = 1000001", "from 1 to 1000000 in a minute"),
        ("witnessed_logs = 10000001", "from 1 to 10000000 logs"),
        ("limits.address_rate = 1000001", "from 1 to 1000000 new"),
        ("limits.busy_retry = 86400", "from 0 to 3600 seconds"),
    ] {
        let told = toml::from_str::<Config>(&format!("ip = []\n{line}\n"));
        let told = told.unwrap_err().to_string();
        assert!(told.contains("line 2") && told.contains(what), "{told}");
    }
}

#[test]
fn an_address_that_reaches_nobody_is_no_name_of_the_server() {
    for address in ["0.0.0.0", "::", "ff02::1", "ca.example"] {
        let told = toml::from_str::<Config>(&format!("ip = [\"127.0.0.1\", \"{address}\"]"));
        let told = told.unwrap_err().to_string();
        assert!(told.contains(&format!("{address:?}")), "{told}");
    }
    assert!(toml::from_str::<Config>("ip = [\"192.0.2.1\", \"2001:db8::1\"]").is_ok());
    assert!(toml::from_str::<Config>("dns = [\"0.0.0.0\"]").is_err());
    let twice = "dns = [\"a.example.\", \"A.example\"]\nip = [\"192.0.2.1\", \"192.0.2.1\"]";
    let once = toml::from_str::<Config>(twice).unwrap();
    assert_eq!((once.dns, once.ip.len()), (vec!["a.example".to_owned()], 1));
}

#[test]
fn the_commented_file_names_every_option() {
    let every = keys(&toml::to_string(&unusual()).unwrap());
    let text = Config::default().to_toml();
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(option) if option.split(' ').nth(1) == Some("=") => option,
            _ => line,
        })
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(keys(&uncommented), every, "{uncommented}");
    toml::from_str::<Config>(&uncommented).unwrap();
}

#[test]
fn reads_what_it_writes() {
    let config = Config {
        public_url: Some("http://ca.example".into()),
        listen: Some(DEFAULT_LISTEN),
        ..Config::default()
    };
    let text = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
    assert!(toml::from_str::<Config>("lisen = \"127.0.0.1:1\"").is_err());
}

#[test]
fn certificates_name_addresses_only_if_there_are_any() {
    let urls = Config::default().urls(CrlSigner::STUDENTS);
    assert_eq!((urls.crl, urls.ca), (None, None));
    let public_url = Some("http://ca.example/".into());
    let urls = Config {
        public_url,
        ..Config::default()
    }
    .urls(CrlSigner::STUDENTS);
    assert_eq!(urls.crl.unwrap(), "http://ca.example/crl/students.crl");
    assert_eq!(urls.ca.unwrap(), "http://ca.example/ca/students.cer");
}
