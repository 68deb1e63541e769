//! A CA, what it signs, a guard that takes certificates, and curl.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use castellan_proto::{Clock as _, SystemClock};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};

use crate::support::{
    castellan::{Castellan, Plan, free_port},
    jose::claims,
    upstream::Recorder,
};

/// The number of the attribute `emailAddress`.
const EMAIL_ADDRESS: [u64; 7] = [1, 2, 840, 113_549, 1, 9, 1];

/// A CA.
pub struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub struct Certified {
    pub certificate: String,
    pub key: String,
    serial: SerialNumber,
}

/// What a certificate is to say.
#[derive(Default)]
pub struct Subject<'a> {
    pub cn: &'a str,
    pub email: Option<&'a str>,
    /// Seconds from now until it ends; a day without any.
    pub ends: Option<i64>,
    pub serial: u8,
}

fn at(seconds: i64) -> Duration {
    Duration::from_secs(SystemClock.now().0.saturating_add_signed(seconds))
}

impl Ca {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of a server at localhost, which ends in so many seconds.
    pub fn server(&self, ends: i64) -> Certified {
        let names = ["localhost", "127.0.0.1", "id.example.org"].map(ToOwned::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, ends, 1)
    }

    pub fn client(&self, subject: &Subject<'_>) -> Certified {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        params.distinguished_name.push(DnType::CommonName, subject.cn);
        if let Some(email) = subject.email {
            params.distinguished_name.push(DnType::CustomDnType(EMAIL_ADDRESS.to_vec()), email);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params, subject.ends.unwrap_or(86_400), subject.serial)
    }

    fn sign(&self, mut params: CertificateParams, ends: i64, serial: u8) -> Certified {
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + at(-86_400);
        params.not_after = epoch + at(ends);
        params.serial_number = Some(SerialNumber::from(vec![serial + 1]));
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        let serial = SerialNumber::from(vec![serial + 1]);
        Certified { certificate, key: key.serialize_pem(), serial }
    }

    /// A revocation list with `revoked` on it, which is out of date in so many seconds.
    pub fn crl(&self, revoked: &[&Certified], ends: i64) -> String {
        let epoch = date_time_ymd(1970, 1, 1);
        let entry = |one: &&Certified| RevokedCertParams {
            serial_number: one.serial.clone(),
            revocation_time: epoch + at(-60),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: epoch + at(-3_600),
            next_update: epoch + at(ends),
            crl_number: SerialNumber::from(vec![1]),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

pub const SDL: &str = "
type Query { person(id: ID): Person }
type Mutation { createPerson(name: String): Person }
type Person { id: ID name: String }
";

/// Ann and Zoë may, Bob may not sign in, and nobody else is there. Ann's user name is that of her
/// whole subject at a guard that asks for it.
pub const PEOPLE: &str = r#"
resourceType: User
id: ann
userName: Ann Roe
password: pw-ann
emails: [{value: ann@example.org, primary: true}]
groups: [{value: editors}]
---
resourceType: User
id: zoe
userName: Zoë
password: pw-zoe
emails: [{value: zoe@example.org, primary: true}]
groups: [{value: editors}]
---
resourceType: User
id: bob
userName: bob
password: pw-bob
active: false
emails: [{value: bob@example.org, primary: true}]
groups: [{value: editors}]
---
resourceType: User
id: dave
userName: "emailAddress=dave@example.org,CN=Dave,O=Example\\, Inc."
password: pw-dave
groups: [{value: editors}]
---
resourceType: Role
id: editing
name: Editors
scope: ["Query:*", "Mutation:Person:Create"]
groups: [editors]
"#;

pub const ANN: Subject<'_> =
    Subject { cn: "Ann Roe", email: Some("ann@example.org"), ends: None, serial: 10 };

/// What is asked at the guard.
pub const ASK: &str = r#"{"query":"{ person(id: 1) { name } }"}"#;

/// A server with a guard that takes certificates by `part` of their subject, and a listener of TLS
/// with `clients` as its settings of client certificates.
pub struct Stage {
    pub castellan: Castellan,
    pub recorder: Recorder,
    /// The URL of the listener of TLS.
    pub url: String,
    pub servers: Ca,
}

/// What a [`Stage`] is built with.
#[derive(Default)]
pub struct Setting {
    /// `email`, `cn` or `dn`.
    pub part: &'static str,
    /// Settings of `[server]`.
    pub server: &'static str,
    /// Settings of the listener of TLS.
    pub listener: &'static str,
    /// `client_certificates` of that.
    pub clients: Option<&'static str>,
    pub files: Vec<(&'static str, String)>,
    pub issuer: Option<String>,
    /// More tables.
    pub config: String,
}

impl Stage {
    pub async fn start(setting: Setting) -> Self {
        let recorder = Recorder::start().await;
        recorder.answer(r#"{"data":{"person":{"name":"Ada"}}}"#);
        let servers = Ca::new("Servers");
        let (port, server) = (free_port(), servers.server(90 * 86_400));
        let clients = setting.clients.map(|one| format!(", client_certificates = {one}"));
        let mut files = setting.files;
        files.extend([
            ("people.graphql", SDL.to_owned()),
            ("server.pem", server.certificate),
            ("server.key", server.key),
            ("servers.pem", servers.pem()),
        ]);
        let subject = setting.part;
        let guard = if subject.is_empty() {
            String::new()
        } else {
            format!(
                "[[guard]]\nname = \"people\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
                 schema = \"people.graphql\"\nanonymous = \"refused\"\nrequire = [\"person\"]\n\
                 authenticate = \"client_certificate\"\n\
                 client_certificate = {{ subject = \"{subject}\" }}\n",
                recorder.url
            )
        };
        let config = format!(
            "[[listener]]\nlisten = \"127.0.0.1:{port}\"\n\
             tls = {{ certificate = \"server.pem\", key = \"server.key\"{} }}\n{}\n{guard}{}",
            clients.unwrap_or_default(),
            setting.listener,
            setting.config,
        );
        let castellan = Castellan::start(Plan {
            config,
            server: setting.server,
            documents: PEOPLE.to_owned(),
            files,
            issuer: setting.issuer,
            ..Plan::default()
        })
        .await;
        Self { castellan, recorder, url: format!("https://localhost:{port}"), servers }
    }

    /// A file beside the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.castellan.path(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// curl, which trusts the server's CA.
    pub fn curl(&self, path: &str) -> Curl {
        Curl::new(&format!("{}{path}", self.url), &self.path("servers.pem"))
    }

    /// What the guard answers to whoever shows `certified`.
    pub fn ask(&self, certified: Option<&Certified>) -> Answered {
        let curl = self.curl("/graphql").json(ASK);
        match certified {
            Some(certified) => curl.certified(self.castellan.folder.path(), certified).run(),
            None => curl.run(),
        }
    }

    /// Who the API was told is calling.
    pub fn told(&self) -> String {
        let seen = self.recorder.seen().pop().expect("nothing reached the API");
        let told = claims(seen.headers["castellan-identity"].to_str().unwrap());
        assert_eq!(told["kind"], "client_certificate", "{told}");
        told["sub"].as_str().unwrap().to_owned()
    }
}

/// One run of curl.
pub struct Curl(Command);

/// What curl was answered.
#[derive(Debug)]
pub struct Answered {
    /// 0 if there was no answer.
    pub status: u16,
    /// The version of HTTP.
    pub version: String,
    /// Headers and body.
    pub text: String,
    /// What curl says of an error.
    #[expect(dead_code, reason = "shown where a test fails")]
    pub error: String,
}

impl Curl {
    pub fn new(url: &str, ca: &Path) -> Self {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--include", "--max-time", "20"]);
        command.args(["--write-out", "\n%{http_code} %{http_version}"]);
        // Its own configuration and proxies are not the test's.
        command.args(["--noproxy", "*"]).arg("--cacert").arg(ca).arg(url);
        Self(command)
    }

    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.0.args(arguments);
        self
    }

    pub fn json(self, body: &str) -> Self {
        self.with(&["--json", body])
    }

    /// Shows `certified`, which is written to `folder`.
    pub fn certified(mut self, folder: &Path, certified: &Certified) -> Self {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        self.0.arg("--cert").arg(write("client.pem", &certified.certificate));
        self.0.arg("--key").arg(write("client.key", &certified.key));
        self
    }

    pub fn run(mut self) -> Answered {
        let output = self.0.output().expect("these tests need curl");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (text, last) = text.rsplit_once('\n').unwrap_or(("", "0 0"));
        let (status, version) = last.split_once(' ').unwrap_or(("0", "0"));
        Answered {
            status: status.parse().unwrap_or(0),
            version: version.to_owned(),
            text: text.to_owned(),
            error: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Answered {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}
