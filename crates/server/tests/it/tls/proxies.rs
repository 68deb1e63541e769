//! nginx and Apache before a server, with the configuration files of the documentation
//! (`docs/contracts/ibexa.md` §6 and §11, check 36).

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::support::{ANN, ASK, Answered, Ca, Certified, Curl, Setting, Stage, Subject};
use crate::support::castellan::{end, free_port};

const NGINX: &str = include_str!("../../../../../docs/tls/nginx.conf");
const APACHE: &str = include_str!("../../../../../docs/tls/apache.conf");

/// What `docs/tls.md` says of the server behind them.
const BEHIND: &str = "trusted_proxies = [\"127.0.0.1\"]\n\
    client_certificate_headers = { subject_header = \"X-Client-Subject\", \
    verify_header = \"X-Client-Verify\", trusted_proxies = [\"127.0.0.1\"] }\n";

/// A proxy before a stage.
struct Proxy {
    process: Child,
    stage: Stage,
    url: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its children end with it if it is asked.
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        for _ in 0..40 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        end(&mut self.process);
    }
}

/// `text` with `new` for `old`, which is in it.
fn with(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old} is not in the file");
    text.replace(old, new)
}

async fn start(apache: bool, part: &'static str, clients: &Ca) -> Proxy {
    let stage = Stage::start(Setting {
        part,
        server: BEHIND,
        issuer: Some("https://id.example.org".to_owned()),
        files: vec![("clients.pem", clients.pem())],
        ..Setting::default()
    })
    .await;
    let folder = stage.castellan.folder.path();
    // Its workers are another user, who has no business with the files.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let (tls, plain) = (free_port(), free_port());
    let place = folder.display().to_string();
    let behind = stage.castellan.url.replace("http://localhost", "127.0.0.1");
    let text = if apache { APACHE } else { NGINX };
    let text = with(text, "/etc/castellan/tls", &place);
    let text = with(&text, "127.0.0.1:8080", &behind);
    let file = folder.join("proxy.conf");
    let process = if apache {
        let text = with(&text, "/run/apache2", &place);
        let text = with(&text, "/var/log/apache2", &place);
        let text = with(&text, "Listen 443", &format!("Listen 127.0.0.1:{tls}"));
        let text = with(&text, "*:443", &format!("*:{tls}"));
        let text = with(&text, "Listen 80", &format!("Listen 127.0.0.1:{plain}"));
        fs::write(&file, with(&text, "*:80>", &format!("*:{plain}>"))).unwrap();
        let mut command = Command::new("/usr/sbin/apache2");
        command.arg("-f").arg(&file).arg("-DFOREGROUND").stderr(Stdio::null());
        command.spawn().expect("this test needs apache2")
    } else {
        let text = with(&text, "/run/nginx.pid", &format!("{place}/nginx.pid"));
        let text = with(&text, "/var/log/nginx", &place);
        let text = with(&text, "listen 443", &format!("listen 127.0.0.1:{tls}"));
        fs::write(&file, with(&text, "listen 80", &format!("listen 127.0.0.1:{plain}"))).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-c").arg(&file).args(["-g", "daemon off;"]).stderr(Stdio::null());
        command.spawn().expect("this test needs nginx")
    };
    let url = format!("https://id.example.org:{tls}");
    let proxy = Proxy { process, stage, url };
    for _ in 0..100 {
        if proxy.curl("/healthz").run().status == 200 {
            return proxy;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the proxy does not answer: {:?}", proxy.curl("/healthz").run());
}

impl Proxy {
    fn curl(&self, path: &str) -> Curl {
        let port = self.url.rsplit_once(':').unwrap().1;
        let resolve = format!("id.example.org:{port}:127.0.0.1");
        let ca: &Path = &self.stage.path("servers.pem");
        Curl::new(&format!("{}{path}", self.url), ca).with(&["--resolve", &resolve])
    }

    fn ask(&self, certified: Option<&Certified>, headers: &[&str]) -> Answered {
        let mut curl = self.curl("/graphql").json(ASK);
        for header in headers {
            curl = curl.with(&["--header", header]);
        }
        match certified {
            Some(certified) => curl.certified(self.stage.castellan.folder.path(), certified).run(),
            None => curl.run(),
        }
    }
}

/// Both proxies are held to the same.
async fn check(apache: bool) {
    let clients = Ca::new("Clients");
    let proxy = start(apache, "email", &clients).await;
    let ann = clients.client(&ANN);
    let answer = proxy.ask(Some(&ann), &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.version, "2", "{answer:?}");
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    assert_eq!(proxy.stage.told(), "ann");

    // What the caller says of itself never arrives.
    let forged = &[
        "X-Client-Verify: SUCCESS",
        "X-Client-Subject: emailAddress=zoe@example.org",
        "X_Client_Verify: SUCCESS",
        "X_Client_Subject: emailAddress=zoe@example.org",
        "Connection: X-Client-Verify, X-Client-Subject",
    ];
    for headers in [&[][..], &forged[..2], &forged[..4], forged] {
        let answer = proxy.ask(None, headers);
        assert_eq!(answer.status, 401, "{headers:?}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), None, "{answer:?}");
        assert!(proxy.stage.recorder.seen().is_empty());
        let answer = proxy.ask(Some(&ann), &[headers, &["X-Forwarded-Proto: https"]].concat());
        assert_eq!(answer.status, 200, "{headers:?}: {answer:?}");
        assert_eq!(proxy.stage.told(), "ann");
    }
    // Nobody becomes another by what the name is made of.
    for cn in [
        "x/emailAddress=zoe@example.org",
        "x,emailAddress=zoe@example.org",
        "x+emailAddress=zoe@example.org",
        "x\\,emailAddress=zoe@example.org",
        "emailAddress=zoe@example.org,CN=x",
        "\"x\",emailAddress=zoe@example.org",
        "x\nemailAddress=zoe@example.org",
    ] {
        for email in [None, Some("nobody@example.org")] {
            let answer = proxy.ask(Some(&clients.client(&Subject { cn, email, ..ANN })), &[]);
            assert_eq!(answer.status, 401, "{cn:?} {email:?}: {answer:?}");
            assert!(proxy.stage.recorder.seen().is_empty());
        }
        let hers = clients.client(&Subject { cn, ..ANN });
        assert_eq!(proxy.ask(Some(&hers), &[]).status, 200, "{cn:?}");
        assert_eq!(proxy.stage.told(), "ann");
    }
    // Certificates of another CA do not come through.
    let stranger = Ca::new("Clients").client(&ANN);
    let answer = proxy.ask(Some(&stranger), &[]);
    assert_ne!(answer.status, 200, "{answer:?}");
    assert!(proxy.stage.recorder.seen().is_empty());

    // Letters of other alphabets, and whole names with what has to be escaped.
    let proxy = start(apache, "cn", &clients).await;
    let answer = proxy.ask(Some(&clients.client(&Subject { cn: "Zoë", ..ANN })), &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(proxy.stage.told(), "zoe");
    let proxy = start(apache, "dn", &clients).await;
    let dave = Subject { cn: "Dave", email: Some("dave@example.org"), ..ANN };
    let answer = proxy.ask(Some(&clients.client(&dave)), &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(proxy.stage.told(), "dave");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ibexa_36_behind_nginx() {
    check(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ibexa_36_behind_apache() {
    check(true).await;
}
