//! Castellan: on its SQLite file, durable, as `castellan serve` comes.

use std::{
    fmt::Write as _,
    fs,
    io::{BufWriter, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::{ChildStdin, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::random;
use serde_json::{Value, json};

use super::{Endpoints, Format, Ground, Login, Provider, new_secret};
use crate::{
    browser::{BACK, Person},
    callgrind,
    cases::documents::SCHEMA,
    fault::Fault,
    process::{Server, free_address, tied},
    tls::Tls,
    wire::Request,
};

/// What a Castellan is to have.
#[derive(Clone, Copy, Default)]
pub struct Wants {
    /// The API behind its gate.
    pub upstream: Option<SocketAddr>,
    /// That API is guarded as a REST API as well.
    pub rest: bool,
    /// There is a listener of TLS besides.
    pub tls: bool,
    /// People whose password costs next to nothing to check.
    pub people: usize,
    /// People whose password costs what passwords cost.
    pub guests: usize,
    /// Programs with the scope `accounts` manage accounts over GraphQL.
    pub management: bool,
    /// Seconds that codes, access tokens and unused refresh tokens live; as they come without it.
    pub lifetime: Option<u64>,
}

/// Where a Castellan keeps its records.
#[derive(Clone)]
pub struct Data {
    url: String,
    /// The master key, if it is not to lie beside the file.
    key: Option<String>,
}

/// A Castellan with its data, whether it runs or not.
pub struct Instance {
    /// As its clients see it.
    pub provider: Provider,
    /// Its listener of TLS.
    pub tls: Option<Tls>,
    binary: PathBuf,
    threads: Option<usize>,
    /// Whether it serves under callgrind.
    counted: bool,
    /// Whether it shows metrics.
    metrics: bool,
    folder: PathBuf,
    /// Where the world reaches it: the same for all nodes of one data source.
    issuer: String,
    data: Data,
}

/// Where its gate is.
pub const GATE: &str = "/graphql";
/// The path of its guard of a REST API.
pub const AREA: &str = "/orders";
/// The folder of its certificate, within its own.
const TLS: &str = "tls";
/// Where tokens are revoked.
pub const REVOKE: &str = "/auth/revoke";
/// The variable that contains the master key of several nodes.
const KEY: &str = "CASTELLAN_KEY";

const ENDPOINTS: Endpoints = Endpoints {
    authorize: "/auth/authorize",
    token: "/auth/token",
    introspect: "/auth/introspect",
};

/// The password of everybody here.
const PASSWORD: &str = "bench pass word";
/// The same password at the least cost that Argon2id has: 8 KiB, one pass. Castellan checks a
/// password by the parameters beside its hash, so that what a sign-in costs *without* the hash
/// can be measured with nothing taken out of the server.
const CHEAP: &str =
    "$argon2id$v=19$m=8,t=1,p=1$Y2FzdGVsbGFuLWJlbmNoIQ$D7LXskVPinxInW+9MbnQcgyhwvqCaHBvj1o5GzdwVpw";

impl Data {
    /// A file in the server's own folder, with the master key beside it.
    fn own() -> Self {
        Self { url: "sqlite://castellan.db".to_owned(), key: None }
    }

    /// What `url` names, for any number of nodes, and a new master key that they share.
    #[must_use]
    pub fn shared(url: String) -> Self {
        Self { url, key: Some(URL_SAFE_NO_PAD.encode(random::<32>())) }
    }
}

impl Instance {
    /// Makes the data: clients, people and the schema of the API.
    ///
    /// # Errors
    /// [`Fault::Failed`] with Castellan's output.
    pub fn furnish(ground: &Ground, wants: Wants) -> Result<Self, Fault> {
        Self::furnish_on(Data::own(), ground, wants)
    }

    /// The same with `data` that nothing is in yet.
    ///
    /// # Errors
    /// [`Fault::Failed`] with Castellan's output.
    pub fn furnish_on(data: Data, ground: &Ground, wants: Wants) -> Result<Self, Fault> {
        let (address, folder) = (free_address()?, ground.folder()?);
        let provider = Provider {
            address,
            endpoints: ENDPOINTS,
            login: Login::Castellan,
            secret: new_secret(),
        };
        let binary = ground.castellan.clone();
        let issuer = format!("http://localhost:{}", address.port());
        let Ground { threads, counted, metrics, .. } = *ground;
        let secure = wants.tls.then(free_address).transpose()?;
        let tls = secure.map(|address| Tls::new(address, folder.join(TLS)));
        let instance =
            Self { provider, tls, binary, threads, counted, metrics, folder, issuer, data };
        if instance.tls.is_some() {
            instance.command(&["tls", "init", "--folder", TLS], "")?;
        }
        instance.write_config(wants)?;
        fs::write(instance.folder.join("schema.graphql"), SCHEMA)?;
        let people = (0..wants.people).map(|at| user(&person(at), None));
        let guests = (0..wants.guests).map(|at| user(&guest(at), Some(PASSWORD)));
        let documents: Vec<String> = clients(&instance.provider.secret, wants.lifetime)
            .into_iter()
            .chain(people)
            .chain(guests)
            .collect();
        instance.apply(&documents)?;
        if wants.people > 0 {
            instance.cheapen()?;
        }
        Ok(instance)
    }

    /// Another node on the same data, which it must share.
    ///
    /// # Errors
    /// [`Fault::Io`] if its folder cannot be created.
    pub fn another(&self, ground: &Ground) -> Result<Self, Fault> {
        let provider = Provider { address: free_address()?, ..self.provider.clone() };
        let node = Self {
            provider,
            tls: None,
            binary: self.binary.clone(),
            threads: self.threads,
            counted: self.counted,
            metrics: self.metrics,
            folder: ground.folder()?,
            issuer: self.issuer.clone(),
            data: self.data.clone(),
        };
        node.write_config(Wants::default())?;
        Ok(node)
    }

    /// Runs it, and waits until it issues a token and its gate is ready.
    ///
    /// # Errors
    /// [`Fault::Failed`] with Castellan's output.
    pub async fn open(&self) -> Result<Server, Fault> {
        self.open_with(None).await
    }

    /// The same, with a limit on file handles.
    ///
    /// # Errors
    /// [`Fault::Failed`] with Castellan's output.
    pub async fn open_with(&self, handles: Option<u32>) -> Result<Server, Fault> {
        let mut command = if self.counted {
            self.settled(callgrind::counted(&self.binary, &self.folder)?)
        } else {
            self.bare_command(handles)
        };
        command.arg("serve");
        if self.metrics {
            // At some port; nobody reads them.
            command.env("CASTELLAN__METRICS__LISTEN", "127.0.0.1:0");
        }
        if let Some(threads) = self.threads {
            // Tokio's own setting: as many threads as the peers have.
            command.env("TOKIO_WORKER_THREADS", threads.to_string());
        }
        let place = (self.provider.address, &*self.folder);
        let server = Server::start("castellan", &mut command, place)?;
        let mut server = if self.counted { server.slowed(callgrind::SLOWED) } else { server };
        let (request, _) = self.provider.issue(Format::Opaque);
        server.until(&request, |answer| answer.status == 200).await?;
        let request = Request::new("GET", "/readyz", self.provider.address).empty();
        let ready_after = server.ready_after;
        let is_ready = |text: &str| text.contains("\"store\":true") && !text.contains("false");
        // A store that answers slowly is not ready at once.
        server.until(&request, |answer| is_ready(answer.text())).await?;
        server.ready_after = ready_after;
        Ok(server)
    }

    /// Applies documents.
    ///
    /// # Errors
    /// [`Fault::Failed`] with Castellan's output.
    pub fn apply(&self, documents: &[String]) -> Result<(), Fault> {
        self.command(&["apply", "-f", "-"], &documents.join("\n---\n")).map(drop)
    }

    /// Imports records, each as a line of an export.
    ///
    /// # Errors
    /// [`Fault::Failed`] with Castellan's output.
    pub fn import(&self, records: impl Iterator<Item = String>) -> Result<(), Fault> {
        self.command_with(&["import"], |stdin| {
            let mut stdin = BufWriter::new(stdin);
            writeln!(stdin, "{}", json!({"castellan-export": 1}))?;
            let mut count = 0_u64;
            for record in records {
                writeln!(stdin, "{record}")?;
                count += 1;
            }
            writeln!(stdin, "{}", json!({"records": count}))?;
            stdin.flush()
        })
        .map(drop)
    }

    /// Bytes of its database.
    #[must_use]
    pub fn size(&self) -> u64 {
        let size = |name: &str| fs::metadata(self.folder.join(name)).map_or(0, |file| file.len());
        size("castellan.db") + size("castellan.db-wal")
    }

    fn bare_command(&self, handles: Option<u32>) -> Command {
        let command = match handles {
            None => tied(&self.binary),
            Some(handles) => {
                let mut shell = tied("/bin/sh");
                let limited = format!("ulimit -n {handles}; exec \"$0\" \"$@\"");
                shell.args(["-c", &limited]).arg(&self.binary);
                shell
            }
        };
        self.settled(command)
    }

    /// `command` with Castellan's surroundings and the arguments that all its commands take.
    fn settled(&self, mut command: Command) -> Command {
        // Nothing of the machine's own settings gets in.
        command.env_clear().env("CASTELLAN_LOG", "warn").current_dir(&self.folder);
        command.envs(self.data.key.as_ref().map(|key| (KEY, key)));
        command.args(["--config", "castellan.toml"]);
        command
    }

    fn write_config(&self, wants: Wants) -> Result<(), Fault> {
        let mut text = config((&self.issuer, self.provider.address), &self.data, wants);
        if let Some(tls) = &self.tls {
            let _ = write!(
                text,
                // Its issuer is that of the plain listener, which no real site with TLS would have.
                "[security]\ninsecure = true\n[[listener]]\nlisten = \"{}\"\ntls = {{ certificate = \
                 \"{TLS}/server.pem\", key = \"{TLS}/server.key\" }}\n",
                tls.address
            );
        }
        Ok(fs::write(self.folder.join("castellan.toml"), text)?)
    }

    fn command(&self, arguments: &[&str], input: &str) -> Result<String, Fault> {
        self.command_with(arguments, |mut stdin| stdin.write_all(input.as_bytes()))
    }

    /// Runs a command that reads what `write` writes.
    fn command_with(
        &self,
        arguments: &[&str],
        write: impl FnOnce(ChildStdin) -> std::io::Result<()>,
    ) -> Result<String, Fault> {
        let failed = |why: String| Fault::failed(format!("castellan {}: {why}", arguments[0]));
        let mut child = self
            .bare_command(None)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        if let Some(stdin) = child.stdin.take() {
            // A command that does not read to the end says why, below.
            let _ = write(stdin);
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Gives everybody without a password the cheap one, by way of an export.
    fn cheapen(&self) -> Result<(), Fault> {
        let exported = self.command(&["export"], "")?;
        let mut lines = Vec::new();
        for line in exported.lines() {
            let mut record: Value = serde_json::from_str(line)
                .map_err(|error| Fault::failed(format!("castellan export: {error}")))?;
            if record["kind"] == "account" && record["body"]["password"].is_null() {
                record["body"]["password"] = json!(CHEAP);
            }
            lines.push(record.to_string());
        }
        self.command(&["import"], &(lines.join("\n") + "\n")).map(drop)
    }
}

/// A person of [`Wants::people`].
#[must_use]
pub fn person(at: usize) -> Person {
    Person { name: format!("person-{at}"), password: PASSWORD }
}

/// A person of [`Wants::guests`].
#[must_use]
pub fn guest(at: usize) -> Person {
    Person { name: format!("guest-{at}"), password: PASSWORD }
}

fn config((issuer, address): (&str, SocketAddr), data: &Data, wants: Wants) -> String {
    let mut text = format!(
        "issuer = \"{issuer}\"\n[server]\nlisten = \"{address}\"\n[data]\nurl = \"{}\"\n",
        data.url
    );
    if data.url.starts_with("dynamodb:") {
        text.push_str("allow_table_scans = true\n");
    }
    if data.key.is_some() {
        let _ = writeln!(text, "master_key = {{ env = \"{KEY}\" }}");
    }
    if wants.management {
        text.push_str("[management.scopes]\nread = [\"accounts\"]\n");
    }
    if let Some(seconds) = wants.lifetime {
        let _ = write!(
            text,
            "[tokens]\naccess_token = \"{seconds}s\"\ncode = \"{seconds}s\"\n\
             refresh_idle = \"{seconds}s\"\n"
        );
    }
    if let Some(upstream) = wants.upstream {
        let _ = write!(
            text,
            "[[guard]]\nname = \"archive\"\npath = \"{GATE}\"\nupstream = \
             \"http://{upstream}/\"\nschema = \"schema.graphql\"\n"
        );
        if wants.rest {
            let _ = write!(
                text,
                "[[guard]]\nname = \"orders\"\npath = \"{AREA}\"\nprotocol = \"http\"\n\
                 upstream = \"http://{upstream}/\"\n[guard.operations]\n\
                 \"GET /{{id}}\" = \"Query:Order:Get\"\n"
            );
        }
    }
    text
}

fn clients(secret: &str, lifetime: Option<u64>) -> Vec<String> {
    let machine = |format: Format| {
        let (text, alg) = match format {
            Format::Opaque => ("opaque", None),
            Format::Es256 => ("jwt", Some("ES256")),
            Format::Rs256 => ("jwt", Some("RS256")),
        };
        let mut client = json!({
            "resourceType": "Client", "id": format.client(), "secret": secret,
            "grant_types": ["client_credentials"],
            "scope": ["Mutation:Person:*", "Query:*"],
            "auth": {"client_credentials": {
                "token_format": text, "access_token_expiration": 7200,
            }},
        });
        if let Some(alg) = alg {
            client["access_token_signed_response_alg"] = json!(alg);
        }
        client.to_string()
    };
    let mut app = json!({
        "resourceType": "Client", "id": "app", "secret": secret,
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": ["openid", "profile", "email"],
        "redirect_uris": [BACK],
    });
    if let Some(seconds) = lifetime {
        app["auth"] = json!({"authorization_code": {"refresh_token_expiration": seconds}});
    }
    let mut clients = [Format::Opaque, Format::Es256, Format::Rs256].map(machine).to_vec();
    clients.push(app.to_string());
    clients
}

fn user(person: &Person, password: Option<&str>) -> String {
    let mut user = json!({
        "resourceType": "User", "id": person.name, "userName": person.name,
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
    });
    if let Some(password) = password {
        user["password"] = json!(password);
    }
    user.to_string()
}
