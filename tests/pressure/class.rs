//! Students by the hundred: clients inside this process, built on the same transport and
//! protocol as the `student` program, so that a crowd costs no crowd of processes.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scb_certs::{
    Certificate, Fingerprint, ServiceName, SigningKey, SpiffeId, TrustStore, create_request,
};
use scb_protocol::client::{Answer, ExpectGreeting, Member, Session, sign, state};
use scb_protocol::message::{blackboard, cuhk};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::statement::{FileEntry, SubmissionId};
use scb_protocol::values::Der;
use scb_protocol::{Frame, Refusal, Step};
use scb_transport::{ClientTls, Clock, Connection, ServerTrust, SystemClock, connect};
use tokio::time::{Instant, sleep};

use crate::campus::{Campus, LONG, program};

/// Where everything is, and the codes of students who have not enrolled yet.
pub struct Class {
    pub cuhk: String,
    pub blackboard: String,
    pub ca: PathBuf,
    pub sheet: PathBuf,
    report: PathBuf,
    trust: Arc<TrustStore>,
    to_cuhk: ClientTls,
    codes: Mutex<VecDeque<(String, String)>>,
}

/// What a group hands in, now and whenever it has to try again.
pub struct Work {
    report: Vec<u8>,
    statement: Vec<u8>,
    signatures: Vec<u8>,
}

/// A receipt that a client has verified.
pub struct Receipt {
    pub number: String,
    pub bytes: Vec<u8>,
}

impl Class {
    /// Adds `students` to the roster of a running campus; their IDs begin with `2055`.
    pub fn of(campus: &Campus, students: usize) -> Self {
        scb_protocol::install_crypto();
        let roster = campus.outside().join("class.csv");
        let sheet = campus.outside().join("class.codes.csv");
        let rows: String = (0..students)
            .map(|n| format!("2055{n:06},Student {n},s{n}@example.edu,CSCI\n"))
            .collect();
        fs::write(&roster, format!("sid,name,email,programme\n{rows}")).unwrap();
        let (from, to) = (roster.to_str().unwrap(), sheet.to_str().unwrap());
        campus
            .administer_cuhk(&["roster", "import", from, "--codes-out", to])
            .succeeded();
        let report = campus.outside().join("class.report.txt");
        fs::write(&report, "what a group of the class hands in\n").unwrap();
        let codes = fs::read_to_string(&sheet).unwrap();
        let codes = codes.lines().skip(1).map(|row| {
            let cells: Vec<&str> = row.split(',').collect();
            (cells[0].to_owned(), cells[3].to_owned())
        });
        let ca = campus.path().join("ca.pem");
        let root = Certificate::from_pem(&fs::read_to_string(&ca).unwrap()).unwrap();
        let trust = Arc::new(TrustStore::new(root).unwrap());
        let pinned = ServerTrust::Pinned(Arc::clone(&trust));
        Self {
            cuhk: campus.cuhk.address(),
            blackboard: campus.blackboard.address(),
            to_cuhk: ClientTls::new(pinned, ServiceName::cuhk(), None).unwrap(),
            codes: Mutex::new(codes.collect()),
            ca,
            sheet,
            report,
            trust,
        }
    }

    /// The next students who have not enrolled, with their codes.
    pub fn next(&self, students: usize) -> Vec<(String, String)> {
        let mut codes = self.codes.lock().unwrap();
        codes.drain(..students).collect()
    }

    /// Their IDs, as `--ids` wants them.
    pub fn next_ids(&self, students: usize) -> String {
        let ids: Vec<String> = self
            .next(students)
            .into_iter()
            .map(|(sid, _)| sid)
            .collect();
        ids.join(",")
    }

    /// The real program on a machine of its own, about to run `arguments`.
    pub fn student(&self, home: PathBuf, arguments: &[&str]) -> std::process::Command {
        let mut command = program("student");
        command.arg("--home").arg(home);
        command.args(["--cuhk", &self.cuhk, "--blackboard", &self.blackboard]);
        command.arg("--ca").arg(&self.ca);
        command.arg("--codes").arg(&self.sheet).args(arguments);
        command
    }

    /// A file that any group hands in.
    pub fn report(&self) -> &str {
        self.report.to_str().unwrap()
    }

    /// Steps 1 and 2.
    pub async fn enrol(&self, students: Vec<(String, String)>) -> Result<Vec<Member>, Refusal> {
        let with_key = |student| (student, SigningKey::generate().unwrap());
        let students = students.into_iter().map(with_key).collect();
        self.enrol_at(&self.cuhk, students).await
    }

    /// Steps 1 and 2, at `address`, for these keys.
    pub async fn enrol_at(
        &self,
        address: &str,
        students: Vec<((String, String), SigningKey)>,
    ) -> Result<Vec<Member>, Refusal> {
        let mut connection = self.connect_to_cuhk(address).await?;
        let mut keys = Vec::new();
        for ((sid, code), key) in students {
            let request = cuhk::Request::Enrol {
                sid: sid.parse().unwrap(),
                code: code.parse().unwrap(),
                request: Der::new(create_request(&key).unwrap()),
            };
            connection.send(&request).await?;
            keys.push((sid, key));
        }
        let mut members = Vec::new();
        for (sid, key) in keys {
            let reply = connection.receive_reply(Step::Two, LONG).await?;
            let cuhk::Reply::Enrolled { chain, token } = reply else {
                panic!("{reply:?}");
            };
            members.push(Member {
                sid: sid.parse().unwrap(),
                chain,
                key,
                token,
            });
        }
        connection.close().await;
        Ok(members)
    }

    /// A connection to CUHK, or to a proxy before it, that was greeted.
    pub async fn connect_to_cuhk(&self, address: &str) -> Result<Connection, Refusal> {
        let mut connection = connect(address, &self.to_cuhk, Step::One, LONG).await?;
        let _: cuhk::Reply = connection.receive_reply(Step::One, LONG).await?;
        Ok(connection)
    }

    /// A connection to Blackboard, or to a proxy before it, whose greeting is not read yet.
    pub async fn connect(&self, address: &str, first: &Member) -> Result<Connection, Refusal> {
        connect(address, &self.to_blackboard(first), Step::Three, LONG).await
    }

    fn to_blackboard(&self, first: &Member) -> ClientTls {
        let pinned = ServerTrust::Pinned(Arc::clone(&self.trust));
        let identity = (first.chain.clone(), first.key.clone());
        ClientTls::new(pinned, ServiceName::blackboard(), Some(identity)).unwrap()
    }

    /// Steps 3 to 5, at `address`.
    pub async fn open_session(
        &self,
        address: &str,
        members: &[Member],
    ) -> Result<(Connection, Session), Refusal> {
        let mut connection = self.connect(address, &members[0]).await?;
        let exporter = connection.exporter();
        let state = ExpectGreeting::new(
            Arc::clone(&self.trust),
            self.service(),
            exporter,
            members.to_vec(),
        );
        let (state, request) = state.handle(reply(&mut connection).await?)?;
        connection.send(&request).await?;
        let (state, request) = state.handle(reply(&mut connection).await?, SystemClock.now())?;
        connection.send(&request).await?;
        let session = state.handle(reply(&mut connection).await?)?;
        Ok((connection, session))
    }

    /// Step 6.
    pub async fn submit(
        &self,
        (mut connection, session): (Connection, Session),
        work: &Work,
    ) -> Result<Receipt, Refusal> {
        let (state, request) = session.submit(&work.statement, work.signatures.clone())?;
        connection.send(&request).await?;
        let mut receiving = match state.handle(reply(&mut connection).await?, SystemClock.now())? {
            Answer::AlreadyStored(receiving) => receiving,
            Answer::Committed(state) => {
                let (state, upload) = state.upload(&[]);
                connection.send(&upload).await?;
                connection.send_chunk(work.report.clone().into()).await?;
                let (state, end) = state.end();
                connection.send(&end).await?;
                state.handle(reply(&mut connection).await?)?
            }
        };
        while !receiving.is_complete() {
            match connection.receive_frame(Step::Six, LONG).await? {
                Frame::Chunk(chunk) => receiving.chunk(&chunk)?,
                Frame::Message(_) => panic!("a message amid the receipt"),
            }
        }
        let (bytes, receipt): (_, VerifiedReceipt) = receiving.finish()?;
        connection.close().await;
        Ok(Receipt {
            number: receipt.number().to_string(),
            bytes,
        })
    }

    /// Steps 3 to 6, directly.
    pub async fn hand_in(&self, members: &[Member], report: &[u8]) -> Result<Receipt, Refusal> {
        let work = self.work(members, report);
        self.hand_in_at(&self.blackboard, members, &work).await
    }

    /// Steps 3 to 6, at `address`.
    pub async fn hand_in_at(
        &self,
        address: &str,
        members: &[Member],
        work: &Work,
    ) -> Result<Receipt, Refusal> {
        let opened = self.open_session(address, members).await?;
        self.submit(opened, work).await
    }

    /// A report with a submission ID of its own, signed by all.
    pub fn work(&self, members: &[Member], report: &[u8]) -> Work {
        let submission = SubmissionId::random().unwrap();
        // The same again would change nothing.
        let report = [report, submission.as_bytes()].concat();
        let statement = self.statement(members, &report, submission);
        Work {
            report,
            signatures: sign(&statement, members, SystemClock.now()).unwrap(),
            statement,
        }
    }

    /// The same by a client that checks no name, for a file of whatever name.
    pub fn work_named(&self, members: &[Member], name: &str) -> Work {
        let work = self.work(members, name.as_bytes());
        let statement = String::from_utf8(work.statement).unwrap();
        assert_eq!(statement.matches("\"report.txt\"").count(), 1);
        let name = serde_json::Value::from(name).to_string();
        let statement = statement.replace("\"report.txt\"", &name).into_bytes();
        Work {
            signatures: sign(&statement, members, SystemClock.now()).unwrap(),
            statement,
            ..work
        }
    }

    /// What Blackboard answers to a statement, well signed and authenticated, that nobody has looked at here.
    pub async fn answer_to(
        &self,
        members: &[Member],
        work: &Work,
    ) -> Result<blackboard::Reply, Refusal> {
        let (mut connection, session) = self.open_session(&self.blackboard, members).await?;
        let request = blackboard::Request::Submit {
            mac: session.statement_mac(&work.statement),
            statement: String::from_utf8(work.statement.clone()).unwrap(),
            signatures: Der::new(work.signatures.clone()),
        };
        connection.send(&request).await?;
        reply(&mut connection).await
    }

    fn statement(&self, members: &[Member], report: &[u8], submission: SubmissionId) -> Vec<u8> {
        let file = FileEntry {
            name: "report.txt".parse().unwrap(),
            size: report.len() as u64,
            sha256: Fingerprint::of(report),
        };
        let assignment = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
        state(members, &self.service(), assignment, file, submission).unwrap()
    }

    fn service(&self) -> SpiffeId {
        SpiffeId::new_service(self.trust.trust_domain(), &ServiceName::blackboard())
    }
}

async fn reply(connection: &mut Connection) -> Result<blackboard::Reply, Refusal> {
    connection.receive_reply(Step::Three, LONG).await
}

/// Does it again as long as the server says when to come back, after as long as it says;
/// returns how often it was told so, too.
pub async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> (T, usize)
where
    F: Future<Output = Result<T, Refusal>>,
{
    let deadline = Instant::now() + LONG;
    let mut told = 0;
    loop {
        match attempt().await {
            Ok(done) => return (done, told),
            Err(later) if later.retry_after.is_some() && Instant::now() < deadline => {
                told += 1;
                let seconds = later.retry_after.unwrap_or(1);
                sleep(Duration::from_secs(seconds.into())).await;
            }
            Err(refusal) => panic!("{refusal:?}"),
        }
    }
}
