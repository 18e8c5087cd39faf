//! The files that are known: by which columns each is told, and what these are called in Chinese.

/// The columns of one kind of file. Names are in lower case; of several the first counts that
/// is there.
pub(super) struct Layout {
    /// What writes such files.
    pub(super) origin: &'static str,
    /// If all of these are there, it is this layout.
    pub(super) signature: &'static [&'static str],
    pub(super) sid: &'static [&'static str],
    pub(super) name: &'static [&'static str],
    pub(super) given: &'static [&'static str],
    pub(super) family: &'static [&'static str],
    pub(super) email: &'static [&'static str],
    pub(super) programme: &'static [&'static str],
    /// Columns that say who has left, with the values for those who have not and for those who
    /// have.
    pub(super) standing: &'static [(
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
    )],
    /// Whether it ends with a line about itself.
    pub(super) has_footer: bool,
}

pub(super) const LAYOUTS: [Layout; 6] = [
    Layout {
        origin: "a roster",
        signature: &["sid"],
        sid: &["sid"],
        name: &["name"],
        given: &["first name", "given name"],
        family: FAMILY,
        email: &["email"],
        programme: &["programme"],
        standing: &[],
        has_footer: false,
    },
    Layout {
        origin: "a Canvas SIS export",
        signature: &["user_id", "login_id"],
        sid: &["user_id"],
        name: &["full_name"],
        given: &["first_name"],
        family: &["last_name"],
        email: &["email"],
        programme: &[],
        standing: &[("status", &["active"], &["suspended", "deleted"])],
        has_footer: false,
    },
    Layout {
        origin: "a Moodle user list",
        signature: &["username", "firstname", "lastname"],
        sid: &["idnumber", "username"],
        name: &[],
        given: &["firstname"],
        family: &["lastname"],
        email: &["email"],
        programme: &[],
        standing: &[
            ("suspended", &["0", ""], &["1"]),
            ("deleted", &["0", ""], &["1"]),
        ],
        has_footer: false,
    },
    Layout {
        origin: "a Moodle course export",
        signature: &["id number", "first name"],
        sid: &["id number"],
        name: &[],
        given: &["first name"],
        family: &["last name", "surname"],
        email: &["email address", "email"],
        programme: &[],
        standing: &[],
        has_footer: false,
    },
    Layout {
        origin: "a Blackboard Learn course export",
        signature: &["username", "first name", "last name"],
        sid: &["student id", "username"],
        name: &[],
        given: &["first name"],
        family: &["last name"],
        email: &["email"],
        programme: &[],
        standing: &[("availability", &["yes", "是", ""], &["no", "否"])],
        has_footer: false,
    },
    Layout {
        origin: "a Blackboard Learn SIS feed",
        signature: &["external_person_key"],
        sid: &["student_id", "external_person_key"],
        name: &[],
        given: &["firstname"],
        family: &["lastname"],
        email: &["email"],
        programme: &[],
        standing: &[
            ("row_status", &["enabled", ""], &["disabled", "deleted"]),
            ("available_ind", &["y", ""], &["n"]),
        ],
        has_footer: true,
    },
];

/// What a column for the family name is called, in whatever file.
const FAMILY: &[&str] = &[
    "last name",
    "family name",
    "surname",
    "lastname",
    "last_name",
];

/// What the exports of a Chinese locale, and registries, call a column, in both scripts.
const CHINESE: [(&str, &[&str]); 10] = [
    ("sid", &["學號", "学号", "學生編號", "学生编号"]),
    ("name", &["姓名", "全名"]),
    ("last name", &["姓", "姓氏"]),
    ("first name", &["名", "名字"]),
    (
        "email",
        &[
            "電郵",
            "電郵地址",
            "電子郵件",
            "電子郵件地址",
            "電子郵件信箱",
            "電子信箱",
            "電子郵箱",
            "郵箱",
            "电邮",
            "电邮地址",
            "电子邮件",
            "电子邮件地址",
            "电子邮箱",
            "邮箱",
        ],
    ),
    ("programme", &["課程", "课程", "主修", "專業", "专业"]),
    ("username", &["用戶名", "用户名", "使用者名稱", "用戶名稱"]),
    ("student id", &["學生 id", "学生 id", "學生id", "学生id"]),
    ("id number", &["id 號碼", "id 号码", "id號碼", "id号码"]),
    ("availability", &["可用性", "可用情形"]),
];

/// Whether a column of this name is the one that is `wanted` in English.
pub(super) fn is_chinese_for(name: &str, wanted: &str) -> bool {
    let is_wanted = |(english, _): &&(&str, &[&str])| english.eq_ignore_ascii_case(wanted);
    let known = CHINESE.iter().find(is_wanted);
    known.is_some_and(|(_, names)| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// Whether a column of this name has family names.
pub(super) fn is_family(name: &str) -> bool {
    let is = |wanted: &&str| name.eq_ignore_ascii_case(wanted) || is_chinese_for(name, wanted);
    FAMILY.iter().any(is)
}
