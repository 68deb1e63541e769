//! dynoxide, which speaks DynamoDB's API, built once with Cargo.

use std::{
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{Started, cache, free_port, quietly};

/// The version, and so the folder that it is kept in.
const VERSION: &str = "3.2.0";
/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a server that keeps everything in memory.
pub(super) fn start() -> Result<Started, String> {
    let folder = cache(&format!("dynoxide-{VERSION}"))?;
    let program = folder.join("bin/dynoxide");
    if !program.exists() {
        println!("dynamodb: building the server, once");
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "dynoxide-rs", "--version", VERSION, "--locked"]);
        cargo.args(["--no-default-features", "--features", "native-sqlite,http-server,cli"]);
        quietly(cargo.arg("--root").arg(&folder).arg("--target-dir").arg(folder.join("target")))?;
        // Only the program is kept.
        let _ = std::fs::remove_dir_all(folder.join("target"));
    }
    let port = free_port()?;
    let mut server = Command::new(&program)
        .args(["--host", "127.0.0.1", "--log", "quiet", "--port", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("it did not start: {error}"))?;
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > PATIENCE {
            let _ = server.kill();
            let _ = server.wait();
            return Err("it does not listen".to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let server = std::sync::Mutex::new(server);
    let stop = move || {
        if let Ok(mut server) = server.lock() {
            let _ = server.kill();
            let _ = server.wait();
        }
    };
    Ok(Started { address: format!("http://127.0.0.1:{port}"), stop: Box::new(stop) })
}
