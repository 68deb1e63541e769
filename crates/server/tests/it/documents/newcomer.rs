//! The way of a newcomer, by the commands of `docs/tutorial.md` and nothing else, with nginx as its
//! file in `docs/tls` says.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{
    fences::root,
    shell::{Page, Shell, after, agree},
};
use crate::support::castellan::{Archive, end, free_port};

/// nginx, as a document says.
pub struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it if it is asked.
        let id = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        for _ in 0..40 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        end(&mut self.0);
    }
}

impl Nginx {
    /// nginx with `docs/tls/nginx-nodes.conf`, before two nodes on `ports`. In `folder` are the
    /// certificate and, afterwards, its logs.
    pub fn before(ports: [u16; 2], (tls, plain): (u16, u16), folder: &Path) -> Self {
        let mut text = fs::read_to_string(root().join("docs/tls/nginx-nodes.conf")).unwrap();
        let place = folder.display().to_string();
        for (here, there) in [
            ("/etc/castellan/tls", format!("{place}/tls")),
            ("/run/nginx.pid", format!("{place}/nginx.pid")),
            ("/var/log/nginx", place.clone()),
            ("listen 443 ", format!("listen 127.0.0.1:{tls} ")),
            ("listen 80;", format!("listen 127.0.0.1:{plain};")),
            ("127.0.0.1:8080 ", format!("127.0.0.1:{} ", ports[0])),
            ("127.0.0.1:8081 ", format!("127.0.0.1:{} ", ports[1])),
        ] {
            assert!(text.contains(here), "{here} is not in the file");
            text = text.replace(here, &there);
        }
        // Its workers are another user.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        let file = folder.join("nginx.conf");
        fs::write(&file, text).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-c").arg(&file).args(["-g", "daemon off;"]).stderr(Stdio::null());
        Self(command.spawn().expect("this test needs nginx"))
    }
}

/// The machine of the newcomer.
struct Newcomer {
    page: Page,
    tls: u16,
    folder: tempfile::TempDir,
    ports: [u16; 2],
    _archive: Archive,
}

impl Newcomer {
    async fn sit_down() -> Self {
        let archive = Archive::start().await;
        let folder = tempfile::tempdir().unwrap();
        let (ports, tls) = ([free_port(), free_port()], free_port());
        // What stands in /etc/hosts on their machine.
        let names = format!("connect-to = \"id.example.org:443:127.0.0.1:{tls}\"\n");
        fs::write(folder.path().join(".curlrc"), names).unwrap();
        let page = Page::of("docs/tutorial.md", folder.path())
            .with("http://127.0.0.1:4000/", &archive.url)
            .with("127.0.0.1:8080", &format!("127.0.0.1:{}", ports[0]))
            .with("127.0.0.1:8081", &format!("127.0.0.1:{}", ports[1]));
        Self { page, tls, folder, ports, _archive: archive }
    }

    fn shell(&mut self, command: &str) -> String {
        let (good, printed) = self.page.shell.run(command, "");
        assert!(good, "{command}: {printed}");
        printed
    }

    /// Waits until both nodes answer.
    async fn until_ready(&mut self) {
        for port in self.ports {
            for attempt in 0.. {
                let ask = format!("curl -sf http://127.0.0.1:{port}/readyz");
                let (good, printed) = self.page.shell.run(&ask, "");
                if good && !printed.contains("false") {
                    break;
                }
                assert!(attempt < 400, "not ready: {}", self.shell("cat background.log"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_gets_from_an_api_to_production_by_the_tutorial() {
    let mut newcomer = Newcomer::sit_down().await;
    let nginx = set_up(&mut newcomer).await;
    let secret = robot(&mut newcomer);
    web_app(&mut newcomer);

    let page = &mut newcomer.page;
    assert!(page.run("castellan key rotate").contains("signs in"));
    assert_eq!(page.run("castellan key list").matches("ES256").count(), 4);
    page.run("sqlite3 castellan.db");
    let rights =
        newcomer.shell("stat --format %a backup.db master.key castellan.db castellan.toml");
    assert_eq!(rights, "600\n600\n600\n600");
    newcomer.page.run("castellan delete Client robot");
    let ask = format!(
        "curl -s --cacert tls/ca.pem https://id.example.org/auth/token -u robot:{secret} -d grant_type=client_credentials"
    );
    // Until both nodes have heard of it.
    let until =
        format!("for n in $(seq 50); do {ask} | grep -o invalid_client && break; sleep 0.1; done");
    assert!(newcomer.shell(&until).contains("invalid_client"));
    newcomer.shell("kill -TERM $(jobs -p); wait");
    newcomer.page.run("mkdir aside && mv castellan.db* aside/");
    newcomer.page.run("cp backup.db castellan.db");
    let said = newcomer.page.run("castellan doctor");
    assert!(said.contains("8 decrypted with the master key"), "{said}");
    start_nodes(&mut newcomer);
    newcomer.until_ready().await;
    // nginx sends nothing to a node for five seconds after it did not answer.
    newcomer.shell(
        "for n in $(seq 100); do curl -s --cacert tls/ca.pem \
         https://id.example.org/.well-known/openid-configuration | grep -q issuer && break; \
         sleep 0.1; done",
    );
    let answer = newcomer.page.filled("curl -s --cacert tls/ca.pem", &[("SECRET", &secret)], "");
    assert!(answer.contains("access_token"), "{answer}");
    newcomer.page.close();
    drop(nginx);
}

/// Step 2 again.
fn start_nodes(newcomer: &mut Newcomer) {
    let port = newcomer.ports[1];
    newcomer.shell("castellan serve --config castellan.toml >>background.log 2>&1 &");
    newcomer.shell(&format!(
        "castellan serve --config castellan.toml --listen 127.0.0.1:{port} >>background.log 2>&1 &"
    ));
}

/// Steps 1 to 4.
async fn set_up(newcomer: &mut Newcomer) -> Nginx {
    let page = &mut newcomer.page;
    page.run("umask 077");
    page.run("cat > castellan.toml");
    page.run("castellan key new-master > master.key");
    page.run("export CASTELLAN_CONFIG");
    page.run("castellan config check");
    assert!(page.run("castellan scopes list --guard api").contains("Mutation:Person:Create"));
    page.begin("castellan serve --config castellan.toml");
    // The first one makes the database.
    tokio::time::sleep(Duration::from_millis(500)).await;
    page.begin("castellan serve --config castellan.toml --listen");
    newcomer.until_ready().await;
    newcomer.page.run("castellan tls init");
    let nginx = Nginx::before(newcomer.ports, (newcomer.tls, free_port()), newcomer.folder.path());
    newcomer.page.leave(
        "sudo systemctl restart nginx",
        "the test starts nginx itself, with the file of the page",
    );
    // Until it listens.
    newcomer.shell("for i in $(seq 100); do curl -sf --cacert tls/ca.pem https://id.example.org/healthz && break; sleep 0.1; done");
    let ready = newcomer.page.run("curl -s --cacert tls/ca.pem https://id.example.org/readyz");
    assert!(ready.contains("\"store\":true"), "{ready}: {}", newcomer.shell("cat background.log"));
    newcomer.page.told("castellan user add admin", "a password for the administrator");
    nginx
}

/// Step 5; the secret of the robot.
fn robot(newcomer: &mut Newcomer) -> String {
    let page = &mut newcomer.page;
    let printed = page.run("castellan client add robot");
    let secret = after(&printed, "secret: ").to_owned();
    page.filled("TOKEN=$(curl", &[("SECRET", &secret)], "");
    let created = page.run("curl -s --cacert tls/ca.pem https://id.example.org/graphql");
    assert!(created.contains("\"identifier\":\"ada-lovelace\""), "{created}");
    let denied = page.run("curl -s --cacert tls/ca.pem https://id.example.org/graphql");
    assert!(denied.contains("\"decision\":\""), "{denied}");
    let decision = after(&denied, "\"decision\":\"").to_owned();
    // Denials are written in the background.
    newcomer.shell(&format!(
        "for i in $(seq 100); do castellan explain {decision} >/dev/null && break; sleep 0.1; done"
    ));
    let why = newcomer.page.filled("castellan explain", &[("DECISION", &decision)], "");
    assert!(why.contains("Mutation:Person:Delete"), "{why}");
    secret
}

/// Step 6.
fn web_app(newcomer: &mut Newcomer) {
    newcomer.page.run("castellan apply -f -");
    newcomer.page.told("castellan user add ada", "a password for ada");
    newcomer.page.run("VERIFIER=");
    newcomer.page.run("CHALLENGE=");
    let address = newcomer.page.run("echo \"https://id.example.org/auth/authorize");
    let begin = format!("'{address}'");
    let ada = ("ada", "a password for ada");
    let curl = "curl --cacert tls/ca.pem";
    let back = agree(&mut newcomer.page.shell, curl, ("https://id.example.org", &begin), ada);
    assert!(back.contains("https://app.example.org/callback?"), "{back}");
    let code = after(&back, "code=").to_owned();
    newcomer.page.filled("TOKENS=$(curl", &[("CODE", &code)], "");
    newcomer.page.run("TOKEN=$(echo");
    let person =
        newcomer.page.run("curl -s --cacert tls/ca.pem https://id.example.org/auth/userinfo");
    assert!(person.contains("Ada Lovelace"), "{person}");
    let created = newcomer.page.run("curl -s --cacert tls/ca.pem https://id.example.org/graphql");
    assert!(created.contains("\"identifier\":\"grace-hopper\""), "{created}");
}

/// `docs/tls/nginx-nodes.conf`: what the page says of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_behind_nginx_stand_in_for_each_other() {
    let archive = Archive::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (nodes, tls, plain) = ([free_port(), free_port()], free_port(), free_port());
    fs::write(
        folder.path().join("castellan.toml"),
        format!(
            "issuer = \"https://id.example.org\"\n[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[[guard]]\n\
             name = \"api\"\npath = \"/graphql\"\nupstream = \"{}\"\npublic = [\"Query:*\"]\n",
            archive.url
        ),
    )
    .unwrap();
    let mut shell = Shell::start(folder.path());
    let mut run = |command: &str| shell.run(command, "");
    assert!(run("castellan tls init --name id.example.org").0);
    let start = |port: u16| {
        format!("castellan serve --config castellan.toml --listen 127.0.0.1:{port} >>log 2>&1 &")
    };
    assert!(run(&format!("{} FIRST=$!", start(nodes[0]))).0);
    assert!(run(&until(nodes[0])).0);
    assert!(run(&start(nodes[1])).0);
    assert!(run(&until(nodes[1])).0);
    let _nginx = Nginx::before(nodes, (tls, plain), folder.path());
    let curl =
        format!("curl -s --cacert tls/ca.pem --connect-to id.example.org:443:127.0.0.1:{tls}");
    let wait = format!(
        "for i in $(seq 100); do {curl} https://id.example.org/healthz && break; sleep 0.1; done"
    );
    assert!(run(&wait).0);
    let metadata =
        run(&format!("{curl} -D - https://id.example.org/.well-known/openid-configuration")).1;
    assert!(metadata.contains("HTTP/2 200"), "{metadata}");
    assert_eq!(
        metadata.to_lowercase().matches("strict-transport-security: ").count(),
        1,
        "{metadata}"
    );
    // Credentials pass, as nginx says that they came over TLS; what a caller says of it does not count.
    let token = format!(
        "{curl} https://id.example.org/auth/token -d grant_type=client_credentials -d client_id=x"
    );
    assert!(run(&format!("{token} -H 'X-Forwarded-Proto: http'")).1.contains("invalid_client"));
    let redirect =
        run(&format!("curl -s -D - http://127.0.0.1:{plain}/a?b -H 'Host: id.example.org'")).1;
    assert!(
        redirect.contains("308") && redirect.contains("ocation: https://id.example.org/a?b"),
        "{redirect}"
    );
    // One node stops: no request fails, whichever it would have got.
    let ask = format!(
        "{curl} https://id.example.org/graphql --json '{{\"query\":\"{{ __typename }}\"}}'"
    );
    assert!(run("kill -TERM $FIRST; wait $FIRST").0);
    for _ in 0..20 {
        let answer = run(&ask).1;
        assert!(answer.contains("\"__typename\":\"Query\""), "{answer}");
    }
    assert!(run(&start(nodes[0])).0);
    assert!(run(&until(nodes[0])).0);
    drop(archive);
}

/// Waits for a node.
fn until(port: u16) -> String {
    format!(
        "for i in $(seq 400); do curl -sf -o /dev/null http://127.0.0.1:{port}/readyz -H 'Host: id.example.org' && break; sleep 0.05; done"
    )
}
