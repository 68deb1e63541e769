//! Ready means able to write, and a data source that cannot be written for a while costs nothing that
//! was acknowledged.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    operations::crashes::{ROUNDS, Siege},
    support::{
        castellan::{Castellan, Plan},
        fixtures::{DOCUMENTS, RESOURCE_SERVER, text},
        postgres::OwnPostgres,
        wire::Ask,
    },
};

/// How soon a node is ready again.
const BOUND: Duration = Duration::from_secs(10);

/// `docs/security-cases.md` row 46: a PostgreSQL that does not take writes, as after a failover,
/// under load and twenty times. Nothing but new connections would help, so the nodes open new ones.
#[tokio::test(flavor = "multi_thread")]
async fn case_46_postgres_that_was_read_only_is_written_again_within_ten_seconds() {
    let postgres = OwnPostgres::start();
    let mut siege = Siege::lay(&postgres.url()).await;
    for round in 0..ROUNDS {
        siege
            .round(async |nodes| {
                postgres.sql("ALTER DATABASE postgres SET default_transaction_read_only = on");
                postgres.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE application_name = 'castellan'",
                );
                for node in nodes.iter() {
                    node.until_readiness(503, "\"writes\":false", BOUND).await;
                }
                // The backends of now stay as they are: read-only.
                postgres.sql("ALTER DATABASE postgres RESET default_transaction_read_only");
                for node in nodes.iter() {
                    let took = node.until_readiness(200, "\"writes\":true", BOUND).await;
                    assert!(took < BOUND, "round {round}: ready again after {took:?}");
                }
            })
            .await;
    }
    siege.raise().await;
}

/// A file system of some megabytes. It goes with this value.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=6m", "castellan-test"]).arg(folder.path());
        let mounted = mount.output().unwrap();
        let why = String::from_utf8_lossy(&mounted.stderr);
        assert!(
            mounted.status.success(),
            "this test mounts a file system: run it as root, or leave it out as `cargo xtask test` \
             does: {why}"
        );
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left, with a file.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        for size in [65_536, 4_096, 512, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever still has a file open there ends with the test.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

#[tokio::test]
async fn small_disk_that_is_full_is_told_and_survived() {
    let disk = SmallDisk::mount();
    let url = format!("sqlite://{}", disk.path().join("castellan.db").display());
    let mut castellan = Castellan::start(Plan {
        config: format!("[data]\nurl = \"{url}\"\nmaster_key = {{ env = \"CASTELLAN_KEY\" }}\n"),
        documents: DOCUMENTS.to_owned(),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        ..Plan::default()
    })
    .await;
    let mut acknowledged = Vec::new();
    for _ in 0..3 {
        let ballast = disk.fill();
        loop {
            let answer = issue(&castellan).await;
            if answer.status == 200 {
                acknowledged.push(text(&answer.json(), "access_token").to_owned());
                assert!(acknowledged.len() < 5_000, "there is room for so many");
                continue;
            }
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            break;
        }
        castellan.until_readiness(503, "\"writes\":false", BOUND).await;
        fs::remove_file(ballast).unwrap();
        castellan.until_readiness(200, "\"writes\":true", BOUND).await;
        let answer = issue(&castellan).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        acknowledged.push(text(&answer.json(), "access_token").to_owned());
    }
    castellan.restart().await;
    for token in &acknowledged {
        let pairs = [&RESOURCE_SERVER[..], &[("token", token)]].concat();
        let asked = Ask::post(&castellan.at("/auth/introspect")).form(&pairs).send().await;
        assert_eq!(asked.json()["active"], true, "an acknowledged token is lost: {asked:?}");
    }
}

async fn issue(castellan: &Castellan) -> crate::support::wire::Answer {
    let service = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    castellan.token(&service).await
}
