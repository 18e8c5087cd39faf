//! `blackboard course`.

use scb_cli::{counted, printable, rfc3339, say};
use scb_protocol::statement::Label;
use serde_json::{Value, json};

use super::Desk;
use super::text::{say_json, table};
use crate::arguments::courses::CourseCommand;
use crate::class_list;
use crate::store::{Course, Membership};

pub(super) fn run(desk: &Desk, command: &CourseCommand) -> anyhow::Result<()> {
    let read = |list: &Option<_>| list.as_deref().map(class_list::read).transpose();
    match command {
        CourseCommand::Add {
            course,
            title,
            list,
            output,
        } => {
            desk.store
                .add_course(course, title, read(list)?, desk.now)?;
            one(desk, course, "added", output.json)
        }
        CourseCommand::Withdraw { course, output } => withdraw(desk, course, output.json),
        CourseCommand::List { output } => list_all(desk, output.json),
        CourseCommand::Members {
            course,
            list: None,
            anybody: false,
            output,
        } => members(desk, course, output.json),
        CourseCommand::Members {
            course,
            list,
            output,
            ..
        } => {
            desk.store.set_members(course, read(list)?)?;
            one(desk, course, "changed", output.json)
        }
    }
}

fn withdraw(desk: &Desk, course: &Label, json: bool) -> anyhow::Result<()> {
    let (domain, store) = (desk.domain.clone(), &desk.store);
    let removed = store.remove_course(domain, course.clone(), desk.now)?;
    if json {
        let told = json!({"course": course, "withdrawn": true, "assignments": removed});
        return say_json(&told);
    }
    let assignments = counted(removed.len() as u64, "assignment");
    Ok(say(&format!("withdrew {course}, with {assignments}"))?)
}

/// What became of the course.
fn one(desk: &Desk, course: &Label, done: &str, json: bool) -> anyhow::Result<()> {
    let courses = desk.store.courses()?;
    for found in courses.iter().filter(|found| found.course == *course) {
        match json {
            true => say_json(&as_json(found))?,
            false => say(&format!("{done} {course}: {}", who(found)))?,
        }
    }
    Ok(())
}

fn list_all(desk: &Desk, json: bool) -> anyhow::Result<()> {
    let courses = desk.store.courses()?;
    if json {
        return say_json(&courses.iter().map(as_json).collect());
    }
    if courses.is_empty() {
        return Ok(say("there is no course yet: `blackboard course add`")?);
    }
    let mut rows = vec![["COURSE", "MEMBERS", "TITLE"].map(str::to_owned)];
    rows.extend(courses.iter().map(|one| {
        let title = printable(&one.title.to_string());
        [one.course.to_string(), who(one), title]
    }));
    for line in table(&rows) {
        say(&line)?;
    }
    Ok(())
}

fn members(desk: &Desk, course: &Label, json: bool) -> anyhow::Result<()> {
    let list = desk.store.class_list(course)?;
    if json {
        return say_json(&json!({"course": course, "anybody": list.is_none(), "members": list}));
    }
    match list {
        None => say("every student on CUHK's roster")?,
        Some(list) => {
            for sid in list {
                say(sid.as_str())?;
            }
        }
    }
    Ok(())
}

fn who(course: &Course) -> String {
    match course.members {
        Membership::Anybody => "every student".to_owned(),
        Membership::Listed(members) => counted(members, "student"),
    }
}

fn as_json(course: &Course) -> Value {
    let members = match course.members {
        Membership::Anybody => None,
        Membership::Listed(members) => Some(members),
    };
    json!({
        "course": course.course,
        "title": course.title,
        "anybody": members.is_none(),
        "members": members,
        "added_at": rfc3339(course.added_at),
    })
}
