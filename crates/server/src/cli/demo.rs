//! `castellan demo`: a server with something to guard, and what to try on it.

use std::{
    fs::OpenOptions,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use apollo_compiler::ast::OperationType;
use castellan_issuer::{Issuer, machine::api_key::KeyProof, resources::Mode};
use castellan_proto::{Opaque, OpaqueKind, Secret};
use serde_json::{Value, json};
use url::Url;

use super::{
    Failure, environment, example,
    sample_app::{Offer, SampleApp},
    serve,
    trial::{self, REST, Trial},
};
use crate::{
    config::{Config, Loaded},
    file_handles::FileHandles,
    guards::fetch_sdl,
    observers::Observers,
    roots::{TrustedRoots, VARIABLE},
    sample_api::Archive,
    startup::assemble::{self, Access},
    startup::listener::{self, Listener},
};

/// Run a server with a sample API, sample people and apps.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Address to listen on, of this machine alone.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// API to guard instead of the sample, GraphQL unless --openapi is given: reads are public, all
    /// else needs a scope.
    #[arg(long, value_name = "URL")]
    upstream: Option<Url>,
    /// OpenAPI document of that API, which is then guarded as one over HTTP, at /rest.
    #[arg(long, value_name = "FILE", requires = "upstream")]
    openapi: Option<PathBuf>,
    /// Write a configuration file for `castellan serve --config` that guards the same API, and
    /// exit.
    #[arg(long, value_name = "FILE", requires = "upstream")]
    save: Option<PathBuf>,
}

/// How long the API is waited for: what is printed is to be tried at once.
const READY: Duration = Duration::from_secs(20);

/// The `OpenAPI` document of the sample.
const DOCUMENT: &str = "archive.openapi.json";

/// What the demo serves, and where.
struct Demo {
    issuer: String,
    folder: tempfile::TempDir,
    upstream: Url,
    /// The sample is behind the gate.
    is_sample: bool,
    /// The document of the upstream, if that is not GraphQL.
    openapi: Option<PathBuf>,
    read: Trial,
    /// None if the API has no write that could be guessed.
    write: Option<Trial>,
    password: String,
    api_key: String,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let openapi = arguments.openapi.as_deref().map(absolute).transpose()?;
    if let (Some(file), Some(upstream)) = (&arguments.save, &arguments.upstream) {
        return save(file, upstream, openapi.as_deref(), arguments.listen).await;
    }
    if !arguments.listen.ip().is_loopback() {
        return Err(format!(
            "the demo has an administrator whose password everybody knows, so that it listens on \
             loopback addresses only, not on {}; use `castellan serve`",
            arguments.listen
        )
        .into());
    }
    let listener = serve::bind(arguments.listen).await?;
    let listen = listener.local_addr()?;
    let (stopped, stop) = tokio::sync::watch::channel(());
    let is_sample = arguments.upstream.is_none();
    let (upstream, archive) = if let Some(url) = arguments.upstream {
        (url, None)
    } else {
        let archive = Archive::new();
        let counts = archive.counts();
        let socket = serve::bind(([127, 0, 0, 1], 0).into()).await?;
        let url = format!("http://{}/", socket.local_addr()?).parse()?;
        let mut stop = stop.clone();
        tokio::spawn(archive.serve(socket, async move { drop(stop.changed().await) }));
        (url, Some(counts))
    };
    let (read, write) = match &openapi {
        Some(file) => trial::of_openapi(file)?,
        None => examples(&upstream, is_sample).await?,
    };
    let demo = Demo {
        openapi,
        read,
        write,
        issuer: format!("http://localhost:{}", listen.port()),
        folder: tempfile::Builder::new().prefix("castellan-demo-").tempdir()?,
        upstream,
        is_sample,
        password: "correct horse battery staple".to_owned(),
        api_key: Opaque::generate(OpaqueKind::ApiKey).text(),
    };
    let loaded = demo.load(listen)?;
    let issuer = assemble::open_issuer(&loaded, Access::Scratch).await?;
    let app = SampleApp::start(&demo.issuer, demo.offer(), stop).await?;
    demo.people_and_apps(&issuer, app.redirect_uri()).await?;
    let observers = Observers::default();
    let server = serve::start(&loaded, std::slice::from_ref(&issuer), READY, observers).await?;
    let token = demo.trade(&loaded, &issuer).await?;
    demo.print(archive.as_deref(), app.address(), &token);
    let limits = loaded.config.server.limits(FileHandles::of_this_process());
    let listeners = vec![Listener::plain(listener)];
    listener::serve(listeners, server.corridor, limits, serve::stop()).await?;
    drop(stopped);
    println!("\nThe demo has ended and its data is deleted.");
    Ok(ExitCode::SUCCESS)
}

/// Where `file` is, whatever folder a configuration that names it is in.
fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    Ok(file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?)
}

/// What the environment trusts besides the public authorities: the demo has no other settings.
fn roots() -> Result<TrustedRoots, Failure> {
    let path = std::env::var(VARIABLE).ok();
    Ok(TrustedRoots::default().with_variable(path.as_deref().and_then(environment::text))?)
}

/// Writes a configuration for `upstream` to `file`, which must not exist yet.
async fn save(
    file: &Path,
    upstream: &Url,
    openapi: Option<&Path>,
    listen: SocketAddr,
) -> Result<ExitCode, Failure> {
    match openapi {
        Some(document) => drop(trial::of_openapi(document)?),
        None => drop(fetch_sdl(upstream, &roots()?).await?),
    }
    let issuer = format!("http://localhost:{}", listen.port());
    let guard = guard_settings(upstream, openapi, "# ");
    let text = settings(&issuer, listen, &guard);
    super::new_file(file, &mut OpenOptions::new())?
        .write_all(text.as_bytes())
        .map_err(|error| format!("{}: {error}", file.display()))?;
    println!("wrote {0}; start with: castellan serve --config {0}", file.display());
    println!(
        "Nothing is public: the line `public` of {} says how reads become so.",
        file.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// The configuration of a server with a `guard`.
fn settings(issuer: &str, listen: SocketAddr, guard: &str) -> String {
    format!(
        r#"# Made by `castellan demo`; docs/configuration.md says what else can be set.
issuer = "{issuer}"

[server]
listen = "{listen}"

[data]
url = "sqlite://castellan.db"

{guard}"#
    )
}

/// The guard of `upstream`, which an `OpenAPI` document describes if it is not GraphQL.
///
/// `before_public` stands before the line that makes reads public: what is public in a file that
/// somebody keeps is for them to choose.
fn guard_settings(upstream: &Url, openapi: Option<&Path>, before_public: &str) -> String {
    let place = match openapi {
        None => format!("path = \"/graphql\"\nupstream = \"{upstream}\"\n"),
        Some(file) => format!(
            "path = \"{REST}\"\nprotocol = \"http\"\nupstream = \"{upstream}\"\nopenapi = {}\n",
            json!(file.display().to_string())
        ),
    };
    format!(
        "[[guard]]\nname = \"upstream\"\n{place}{before_public}public = [\"Query:*\"]      # reads are \
         public; writes need a token with their scope\n"
    )
}

/// The settings of a guard of the sample's REST API.
fn rest_settings(upstream: &Url) -> String {
    format!(
        r#"
[[guard]]
name = "archive-rest"
path = "{REST}"
protocol = "http"
upstream = "{upstream}rest"
openapi = "{DOCUMENT}"
authenticate = ["oauth", "jwt"]
public = ["Query:*"]
"#
    )
}

impl Demo {
    fn load(&self, listen: SocketAddr) -> Result<Loaded, Failure> {
        let guard = guard_settings(&self.upstream, self.openapi.as_deref(), "");
        let mut text = settings(&self.issuer, listen, &guard);
        if self.is_sample {
            text = text.replace("name = \"upstream\"", "name = \"archive\"\ndialect = \"trompa\"");
            text = text.replace(
                "public = [\"Query:*\"]  ",
                "public = [\"Query:*\", \"Subscription:*\"]  ",
            );
            std::fs::write(self.folder.path().join(DOCUMENT), Archive::openapi())?;
            text.push_str(&rest_settings(&self.upstream));
        }
        let secret = Opaque::generate(OpaqueKind::ApiKey).text();
        let jwt = format!("\n[jwt]\nsecret = \"{secret}\"\nissuer = \"{}\"\n", self.issuer);
        text.push_str(&jwt);
        if !self.is_sample {
            let name = "name = \"upstream\"\n";
            text = text.replace(name, &format!("{name}authenticate = [\"oauth\", \"jwt\"]\n"));
        }
        let file = self.folder.path().join("castellan.toml");
        std::fs::write(&file, text)?;
        let mut loaded = Config::load(Some(&file), [])?;
        loaded.roots = roots()?;
        Ok(loaded)
    }

    async fn people_and_apps(&self, issuer: &Issuer, redirect_uri: &str) -> Result<(), Failure> {
        let user = |id: &str, given: &str, family: &str, group: &str| {
            json!({
                "resourceType": "User", "id": id, "userName": id, "password": self.password,
                "name": {"givenName": given, "familyName": family},
                "emails": [{"value": format!("{id}@example.org"), "primary": true}],
                "groups": [{"value": group}],
            })
        };
        let documents: [Value; 4] = [
            user("ada", "Ada", "Lovelace", "archivists"),
            user("clara", "Clara", "Schumann", "administrators"),
            json!({
                "resourceType": "Client", "id": "sample-app", "name": "The sample app",
                "grant_types": ["authorization_code", "refresh_token"],
                "scope": ["openid", "profile", "email", "user", "api:read", self.writes()],
                "redirect_uris": [redirect_uri],
            }),
            json!({
                "resourceType": "AuthKey", "id": "archivist", "apiKey": self.api_key,
                "scopes": ["Mutation:*"],
            }),
        ];
        for document in documents {
            issuer.apply(document, Mode::Write).await?;
        }
        Ok(())
    }

    /// A token for the key, as `/jwt` gives one.
    async fn trade(&self, loaded: &Loaded, issuer: &Issuer) -> Result<String, Failure> {
        let keys = loaded.key_tokens(&loaded.site)?.ok_or("the JWT secret is missing")?;
        let api_key = Secret::new(self.api_key.clone());
        let scopes = [if self.is_sample { "Mutation:*:Create" } else { "Mutation:*" }.to_owned()];
        let proof = KeyProof { id: "archivist", api_key: &api_key, source: None };
        Ok(keys.issue(issuer, proof, &scopes).await?)
    }

    fn print(&self, counts: Option<&[(&str, usize)]>, app: &str, token: &str) {
        let (issuer, password) = (&self.issuer, &self.password);
        let config = self.folder.path().join("castellan.toml");
        // The binary that runs, so that what is printed can be pasted from anywhere.
        let binary = std::env::current_exe().map(|path| path.display().to_string());
        let binary = binary.unwrap_or_else(|_| "castellan".to_owned());
        let explain = format!("{binary} --config {} explain", config.display());
        let path = if self.openapi.is_some() { REST } else { "/graphql" };
        println!("Castellan is running at {issuer} and guards an API at {issuer}{path}.\n");
        if let Some(counts) = counts {
            let held: Vec<_> = counts
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(of, count)| format!("{count} {of}"))
                .collect();
            println!("  API     sample archive ({}), {}", self.upstream, held.join(", "));
            println!("          mutations: allowed fields run, denied fields are null (trompa)");
        } else {
            println!("  API     yours ({})", self.upstream);
            if self.openapi.is_none() {
                println!(
                    "          mutations: all or nothing; one denied field rejects the request"
                );
            }
        }
        println!("  people  ada, clara (an administrator); password: {password}");
        println!("  app     sample-app, at {app}");
        println!("  key     archivist: {}\n", self.api_key);
        println!("1. A public read:\n");
        self.print_curl(None, &self.read);
        match &self.write {
            Some(write) => self.print_writes(write, app, token, &explain),
            None => println!("No example of a write: the API has none that is suitable.\n"),
        }
        if self.is_sample {
            self.print_rest(token);
        }
        println!("Press Ctrl-C to end the demo; its data is deleted.");
    }

    fn print_writes(&self, write: &Trial, app: &str, token: &str, explain: &str) {
        println!("2. A write, denied. The response contains the id of the decision:\n");
        self.print_curl(None, write);
        println!("3. Why it was denied (replace ID with the id of the decision):\n");
        println!("  {explain} ID");
        println!("  {explain} {}\n", write.explain());
        println!("4. Sign in as ada in the browser, and see what the app may do:\n");
        println!("  {app}\n");
        println!("5. The same write with a token for an API key, allowed:\n");
        self.print_curl(Some(token), write);
        println!("  {explain} --token {token} \\\n    {}\n", write.explain());
    }

    fn print_rest(&self, token: &str) {
        let issuer = &self.issuer;
        println!(
            "6. The same API by REST: a public read, a write that is denied, and one that is not:\n"
        );
        println!("  curl -s '{issuer}{REST}/persons?first=3'\n");
        for header in ["", &format!(" -H 'Authorization: Bearer {token}'")] {
            println!(
                "  curl -s {issuer}{REST}/persons -H 'Content-Type: application/json'{header} \\\n    \
                 -d '{{\"name\":\"Ada Lovelace\"}}'\n"
            );
        }
    }

    fn print_curl(&self, token: Option<&str>, trial: &Trial) {
        println!("  {}\n", trial.curl(&self.issuer, token, "    "));
    }

    /// What the sample app asks for, and what it shows.
    fn offer(&self) -> Offer {
        let scope = format!("openid profile user api:read {}", self.writes());
        let try_it = self.write.as_ref().unwrap_or(&self.read);
        Offer { scope, trial: try_it.clone() }
    }

    /// Where the sample's writes lie, or all of one's own.
    const fn writes(&self) -> &'static str {
        if self.is_sample { "Mutation:Person:*" } else { "Mutation:*" }
    }
}

/// A read and a write to try; `None` where the API has nothing that could be guessed.
async fn examples(upstream: &Url, is_sample: bool) -> Result<(Trial, Option<Trial>), Failure> {
    if is_sample {
        let write = "mutation { CreatePerson(name: \"Ada Lovelace\") { identifier name } }";
        let read = "{ Person(first: 3) { identifier name birthDate } }";
        return Ok((Trial::Document(read.to_owned()), Some(Trial::Document(write.to_owned()))));
    }
    let sdl = fetch_sdl(upstream, &roots()?).await?;
    let read = example::operation(&sdl, OperationType::Query);
    let write = example::operation(&sdl, OperationType::Mutation);
    let read = read.unwrap_or_else(|| "{ __typename }".to_owned());
    Ok((Trial::Document(read), write.map(Trial::Document)))
}
