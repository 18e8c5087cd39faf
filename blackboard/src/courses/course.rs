//! `blackboard course`.

use scb_certs::StudentId;
use scb_cli::{Input, counted, note, printable, rfc3339, say};
use scb_protocol::statement::Label;
use serde_json::{Value, json};

use super::Desk;
use super::text::{say_json, table};
use crate::arguments::courses::CourseCommand;
use crate::class_list::{self, ClassList, Unlike};
use crate::store::{Course, Membership};

pub(super) fn run(desk: &Desk, command: &CourseCommand) -> anyhow::Result<()> {
    match command {
        CourseCommand::Add {
            course,
            title,
            list,
            mixed_ids,
            output,
        } => {
            let (list, repeated) = read(list.as_ref(), *mixed_ids)?;
            desk.store.add_course(course, title, list, desk.now)?;
            one(desk, (course, "added"), &repeated, output.json)
        }
        CourseCommand::Withdraw { course, output } => withdraw(desk, course, output.json),
        CourseCommand::List { output } => list_all(desk, output.json),
        CourseCommand::Members {
            course,
            list: None,
            anybody: false,
            output,
            ..
        } => members(desk, course, output.json),
        CourseCommand::Members {
            course,
            list,
            mixed_ids,
            output,
            ..
        } => {
            let (list, repeated) = read(list.as_ref(), *mixed_ids)?;
            desk.store.set_members(course, list)?;
            one(desk, (course, "changed"), &repeated, output.json)
        }
    }
}

/// The students of a class list, and who stands in it more than once.
fn read(
    file: Option<&Input>,
    mixed_ids: bool,
) -> anyhow::Result<(Option<Vec<StudentId>>, Vec<String>)> {
    let Some(file) = file else {
        return Ok((None, Vec::new()));
    };
    let unlike = match mixed_ids {
        true => Unlike::Taken,
        false => Unlike::Refused,
    };
    let ClassList {
        students,
        repeated,
        as_numbers,
    } = class_list::read(file, unlike)?;
    if as_numbers > 0 {
        let ids = counted(as_numbers, "student ID");
        note(&format!(
            "CHECK THE LIST: {ids} ended in `.0`, as spreadsheets write numbers, and was taken without it"
        ))?;
    }
    Ok((Some(students), repeated))
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
fn one(
    desk: &Desk,
    (course, done): (&Label, &str),
    repeated: &[String],
    json: bool,
) -> anyhow::Result<()> {
    let courses = desk.store.courses()?;
    for found in courses.iter().filter(|found| found.course == *course) {
        if json {
            let mut shown = as_json(found);
            shown["repeated"] = json!(repeated);
            say_json(&shown)?;
        } else {
            say(&format!("{done} {course}: {}", who(found)))?;
        }
    }
    if !json && !repeated.is_empty() {
        let repeated = repeated.join(", ");
        say(&format!(
            "more than once in the file, and taken once: {repeated}"
        ))?;
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
