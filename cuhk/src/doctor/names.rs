//! Whether clients will find this server's name in its certificate.

use scb_cli::Home;

use super::Finding;
use crate::Config;
use crate::config::{DEFAULT_LISTEN, path};

pub(super) fn check(home: &Home, config: &Config) -> Vec<Finding> {
    vec![listening(home, config), published(config)]
}

fn listening(home: &Home, config: &Config) -> Finding {
    const CHECK: &str = "names";
    let address = config.listen.unwrap_or(DEFAULT_LISTEN);
    let names = config.names().join(", ");
    match config.covers(address.ip()) {
        true => Finding::ok(CHECK, format!("listens on {address} as {names}")),
        false => Finding::warn(
            CHECK,
            format!("listens on {address}, but its certificate is for {names} only"),
            format!(
                "add the name or the address to `dns` or `ip` in {} and start `cuhk serve` again",
                home.path(path::CONFIG).display()
            ),
        ),
    }
}

fn published(config: &Config) -> Finding {
    const CHECK: &str = "public-url";
    match &config.public_url {
        None => Finding::ok(
            CHECK,
            "none: certificates name no address of revocation lists",
        ),
        Some(url) => Finding::ok(CHECK, format!("certificates point to {url}")),
    }
}
