//! The key that follows at a renewal, under the passphrase of the one before.

use scb_certs::{Passphrase, is_encrypted, read_private, write_private};
use scb_protocol::client::Member;

use super::{KEY, NextKey, make_key, read_key, remove_dir, rewrite};
use crate::home::{StudentHome, ensure_dir};
use crate::{Error, Passphrases};

impl NextKey {
    /// The key of a renewal that was begun, else a new one, or once more the present one. A
    /// renewal that was begun is finished as it was begun: CUHK may have answered it.
    ///
    /// # Errors
    ///
    /// [`Error::Certs`], [`Error::Cli`], [`Error::WrongPassphrase`].
    pub(crate) fn renewing(
        home: &StudentHome,
        member: &Member,
        same_key: bool,
        passphrases: &mut Passphrases,
    ) -> Result<Self, Error> {
        let sid = &member.sid;
        let dir = home.renewal_dir(sid);
        let path = dir.join(KEY);
        let fresh = !path.exists();
        let key = match (fresh, same_key) {
            (false, _) => read_key(&path, sid, passphrases)?,
            (true, false) => {
                let passphrase = present_passphrase(home, member, passphrases)?;
                make_key(&path, passphrase.as_ref())?
            }
            (true, true) => {
                ensure_dir(&dir)?;
                write_private(&path, &read_private(&home.student_dir(sid).join(KEY))?)?;
                member.key.clone()
            }
        };
        Ok(Self {
            sid: sid.clone(),
            key,
            fresh,
            dir,
        })
    }

    /// Nothing will come of it: the next attempt makes another key.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn discard(self) -> Result<(), Error> {
        remove_dir(&self.dir)
    }
}

fn present_passphrase(
    home: &StudentHome,
    member: &Member,
    passphrases: &mut Passphrases,
) -> Result<Option<Passphrase>, Error> {
    let present = read_private(&home.student_dir(&member.sid).join(KEY))?;
    match is_encrypted(&present) {
        true => passphrases.existing(&member.sid).map(Some),
        false => Ok(None),
    }
}

/// As [`super::rewrite_key`], for the key of a renewal that was begun, if there is one.
///
/// # Errors
///
/// [`Error::WrongPassphrase`], [`Error::Certs`], [`Error::Cli`].
pub(crate) fn rewrite_begun(
    home: &StudentHome,
    sid: &scb_certs::StudentId,
    present: &mut Passphrases,
    passphrase: Option<&Passphrase>,
) -> Result<(), Error> {
    let path = home.renewal_dir(sid).join(KEY);
    if !path.exists() {
        return Ok(());
    }
    let key = read_key(&path, sid, present)?;
    rewrite(&path, &key, passphrase)
}
