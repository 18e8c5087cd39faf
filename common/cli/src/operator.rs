//! Who runs this program, as far as the system knows.

use std::fs;

/// The longest name of a user that is taken from the environment, in bytes.
const LONGEST: usize = 64;

/// Who runs this program. The numbers are the system's; `sudo_user` is what the environment says, where
/// whoever runs it can write anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The user's number.
    pub uid: u32,
    /// The name that `/etc/passwd` has for it.
    pub user: Option<String>,
    /// Who logged in, on systems that keep that (audit login uid): it stays the same under `sudo`, `su`
    /// and `runuser`.
    pub login_uid: Option<u32>,
    /// The name that `/etc/passwd` has for that one.
    pub login: Option<String>,
    /// `SUDO_USER`: who called `sudo`.
    pub sudo_user: Option<String>,
}

impl Operator {
    /// Of this process.
    pub fn of_process() -> Self {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let login_uid = fs::read_to_string("/proc/self/loginuid").ok();
        let login_uid = login_uid.and_then(|text| logged_in(&text));
        let uid = uid();
        Self {
            uid,
            user: name_of(uid, &users),
            login_uid,
            login: login_uid.and_then(|uid| name_of(uid, &users)),
            sudo_user: std::env::var("SUDO_USER")
                .ok()
                .and_then(|name| sound(&name)),
        }
    }
}

#[cfg(unix)]
fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(not(unix))]
fn uid() -> u32 {
    0
}

/// None if nobody logged in: a service, or a system without this.
fn logged_in(text: &str) -> Option<u32> {
    let uid = text.trim().parse().ok();
    uid.filter(|uid| *uid != u32::MAX)
}

/// The name of a user in the form of passwd(5).
fn name_of(uid: u32, users: &str) -> Option<String> {
    let uid = uid.to_string();
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| sound(name)).flatten()
    })
}

/// Nothing that steers a terminal, and no novel.
fn sound(name: &str) -> Option<String> {
    let is_name = |c: char| !c.is_control() && !c.is_whitespace();
    let is_sound = !name.is_empty() && name.len() <= LONGEST && name.chars().all(is_name);
    is_sound.then(|| name.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0:root:/root:/bin/bash\n\nbroken\ncuhk:x:998:998::/var/lib/cuhk:/bin/false\n";

    #[test]
    fn a_number_has_the_name_that_the_system_has_for_it() {
        assert_eq!(name_of(998, USERS).unwrap(), "cuhk");
        assert_eq!(name_of(0, USERS).unwrap(), "root");
        assert_eq!(name_of(99, USERS), None);
        assert_eq!(name_of(0, "a\u{1b}b:x:0:"), None);
    }

    #[test]
    fn a_service_that_nobody_logged_in_for_has_no_login() {
        assert_eq!(logged_in("4294967295"), None);
        assert_eq!(logged_in("1000\n"), Some(1000));
        assert_eq!(logged_in(""), None);
    }

    #[test]
    fn what_the_environment_says_is_a_name_or_nothing() {
        assert_eq!(sound("alice").unwrap(), "alice");
        for bad in ["", "a b", "a\u{7}", &"a".repeat(65)] {
            assert_eq!(sound(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn this_process_has_a_number() {
        let operator = Operator::of_process();
        assert_eq!(operator.uid, uid());
    }
}
