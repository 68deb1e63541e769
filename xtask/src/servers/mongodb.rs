//! mongo-java-server, which speaks MongoDB's wire protocol and updates atomically, from Maven Central.
//! It needs a Java development kit and Maven.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::{Started, cache, free_port, quietly};

/// The version, and so the folder that it is kept in.
const VERSION: &str = "1.47.0";
/// What starts it at a port of one's choice.
const PROGRAM: &str = include_str!("Mongo.java");

/// Starts a server that keeps everything in memory.
pub(super) fn start() -> Result<Started, String> {
    let folder = cache(&format!("mongo-java-server-{VERSION}"))?;
    let libraries = folder.join("lib");
    if !libraries.exists() {
        fetch(&folder)?;
    }
    let program = folder.join("Mongo.java");
    write(&program, PROGRAM)?;
    let port = free_port()?;
    let mut server = Command::new("java")
        .arg("-cp")
        .arg(libraries.join("*"))
        .arg(&program)
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("java did not start: {error}"))?;
    let mut line = String::new();
    let stdout = server.stdout.take().ok_or("it has no output")?;
    let read = BufReader::new(stdout).read_line(&mut line);
    if read.is_err() || line.trim() != "ready" {
        let _ = server.kill();
        let _ = server.wait();
        return Err("it ended before it was ready".to_owned());
    }
    let server = std::sync::Mutex::new(server);
    let stop = move || {
        if let Ok(mut server) = server.lock() {
            let _ = server.kill();
            let _ = server.wait();
        }
    };
    Ok(Started { address: format!("mongodb://127.0.0.1:{port}"), stop: Box::new(stop) })
}

/// Has Maven bring the server and what it needs.
fn fetch(folder: &Path) -> Result<(), String> {
    let project = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>castellan</groupId><artifactId>servers</artifactId><version>1</version>\
         <dependencies><dependency><groupId>de.bwaldvogel</groupId>\
         <artifactId>mongo-java-server</artifactId><version>{VERSION}</version></dependency>\
         </dependencies></project>"
    );
    write(&folder.join("pom.xml"), &project)?;
    let mut maven = Command::new("mvn");
    let fetch = ["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=arriving"];
    quietly(maven.args(fetch).current_dir(folder))?;
    // Renamed as a whole, in case of an interruption.
    std::fs::rename(folder.join("arriving"), folder.join("lib"))
        .map_err(|error| format!("it cannot be kept: {error}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("it cannot be prepared: {error}"))
}
