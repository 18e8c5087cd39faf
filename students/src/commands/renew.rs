//! `student renew`: the next certificate, without a code.

use scb_cli::Term;

use super::enrol::certified;
use super::{Prepared, say_json};
use crate::cli::{Common, Renew};
use crate::show::Show;
use crate::{Error, Group, identity};

pub(super) fn run(common: &Common, arguments: &Renew, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    let engine = &mut prepared.engine;
    let home = &engine.setup.home;
    let students = match arguments.ids.is_empty() {
        false => Group::new(arguments.ids.clone())?.ids().to_vec(),
        true => {
            identity::settle_all(home)?;
            let mut here = home.students()?;
            here.retain(|sid| !matches!(identity::chain(home, sid), Ok(None)));
            here
        }
    };
    if students.is_empty() {
        return Err(Error::NoIds);
    }
    engine.setup.cuhk()?;
    engine.setup.server_trust()?;
    let mut show = Show::new(common);
    engine.renew(&students, arguments.same_key, &mut |event| {
        show.event(event)
    })?;
    match common.json {
        true => say_json(&certified(engine, &students)?),
        false => Ok(()),
    }
}
