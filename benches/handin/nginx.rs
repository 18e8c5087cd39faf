//! nginx, receiving files over mutual TLS 1.3 (`PUT`): what a web server does with a large report
//! that nobody signs, checks or acknowledges durably.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::servers::cpu_of;

/// A running server, stopped when dropped.
pub struct Nginx {
    child: Child,
    dir: PathBuf,
    port: u16,
}

impl Nginx {
    /// `None`, and says so, where `nginx`, `curl` or `openssl` is missing.
    pub fn start(dir: &Path) -> Option<Self> {
        for (program, version) in [("nginx", "-v"), ("curl", "-V"), ("openssl", "version")] {
            let mut command = Command::new(program);
            command
                .arg(version)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            if !command.status().is_ok_and(|status| status.success()) {
                println!("  skipped: no {program}");
                return None;
            }
        }
        make_certificates(dir);
        std::fs::create_dir(dir.join("received")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        std::fs::write(dir.join("nginx.conf"), configuration(dir, port)).unwrap();
        let child = Command::new("nginx")
            .arg("-c")
            .arg(dir.join("nginx.conf"))
            .args(["-g", "daemon off; master_process off;"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let dir = dir.to_owned();
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen");
            sleep(Duration::from_millis(10));
        }
        Some(Self { child, dir, port })
    }

    /// Sends a file with `curl`; returns where nginx has put it.
    pub fn receive(&self, file: &Path) -> PathBuf {
        let name = file.file_name().unwrap().to_str().unwrap();
        let status = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--http1.1"])
            .arg("--cacert")
            .arg(self.dir.join("server.pem"))
            .arg("--cert")
            .arg(self.dir.join("client.pem"))
            .arg("--key")
            .arg(self.dir.join("client.key"))
            .arg("--upload-file")
            .arg(file)
            .arg(format!("https://127.0.0.1:{}/{name}", self.port))
            .status();
        assert!(status.unwrap().success());
        self.dir.join("received").join(name)
    }

    /// CPU time used, in seconds.
    pub fn cpu(&self) -> f64 {
        cpu_of(self.child.id())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "user root;
        worker_processes 1;
        pid {dir}/nginx.pid;
        error_log {dir}/error.log;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {dir}/temporary;
            server {{
                listen 127.0.0.1:{port} ssl;
                ssl_protocols TLSv1.3;
                ssl_certificate {dir}/server.pem;
                ssl_certificate_key {dir}/server.key;
                ssl_client_certificate {dir}/server.pem;
                ssl_verify_client on;
                root {dir}/received;
                client_max_body_size 0;
                location / {{ dav_methods PUT; }}
            }}
        }}"
    )
}

/// A server that is its own authority, and a client that it certifies, with P-256 like ours.
fn make_certificates(dir: &Path) {
    let server = ["-addext", "subjectAltName=IP:127.0.0.1"];
    request(dir, "server", &server);
    request(
        dir,
        "client",
        &["-CA", "server.pem", "-CAkey", "server.key"],
    );
}

fn request(dir: &Path, name: &str, more: &[&str]) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "1"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-subj", &format!("/CN={name}")])
        .args(["-keyout", &format!("{name}.key")])
        .args(["-out", &format!("{name}.pem")])
        .args(more)
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
