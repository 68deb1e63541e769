//! nginx from Debian's packages: one worker, connections to the API kept, nothing read.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use super::{
    Ground,
    castellan::{AREA, GATE},
};
use crate::{
    callgrind,
    fault::Fault,
    packages,
    process::{Server, free_address, tied},
    tls::Tls,
    wire::Request,
};

/// Starts one that passes everything on to `upstream`.
///
/// # Errors
/// [`Fault::Missing`] if there is no nginx; [`Fault::Failed`] if it does not start.
pub async fn start(ground: &Ground, upstream: SocketAddr) -> Result<Server, Fault> {
    start_with((ground, upstream), None).await
}

/// The same with a listener of TLS besides.
///
/// # Errors
/// [`Fault::Missing`] if there is no nginx; [`Fault::Failed`] if it does not start.
pub async fn start_with(
    (ground, upstream): (&Ground, SocketAddr),
    tls: Option<&Tls>,
) -> Result<Server, Fault> {
    packages::debian(("nginx", "-v"), "nginx-light")?;
    let (address, folder) = (free_address()?, ground.folder()?);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {}/{name};\n", folder.display()))
        .concat();
    let locations: String = [GATE, AREA]
        .map(|path| {
            format!(
                "    location {path} {{\n      proxy_pass http://api/;\n\
                 \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n    }}\n"
            )
        })
        .concat();
    let secure = tls.map_or_else(String::new, |tls| {
        let [certificate, key] = tls.files().map(|path| path.display().to_string());
        format!(
            "    listen {} ssl;\n    ssl_protocols TLSv1.3;\n    ssl_certificate {certificate};\n    \
             ssl_certificate_key {key};\n    ssl_session_tickets off;\n",
            tls.address
        )
    });
    let config = format!(
        "daemon off;\n{processes}worker_processes 1;\npid {folder}/pid;\nerror_log stderr;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n{temporary}  access_log off;\n  keepalive_requests 1000000000;\n\
         \x20 upstream api {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}\n\
         \x20 server {{\n    listen {address};\n{secure}{locations}  }}\n}}\n",
        folder = folder.display(),
        // The counts of one process are read.
        processes = if ground.counted { "master_process off;\n" } else { "" },
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = if ground.counted {
        callgrind::counted(Path::new("nginx"), &folder)?
    } else {
        tied("nginx")
    };
    command.arg("-p").arg(&folder).arg("-c").arg(&file).args(["-e", "stderr"]);
    let server = Server::start("nginx", &mut command, (address, &folder))?;
    let mut server = if ground.counted { server.slowed(callgrind::SLOWED) } else { server };
    let request = Request::new("POST", GATE, address).body("application/json", "{}");
    server.until(&request, |answer| answer.status == 200).await?;
    Ok(server)
}

/// The version of nginx.
#[must_use]
pub fn version() -> Option<String> {
    // It prints the version on the standard error.
    let output = Command::new("nginx").arg("-v").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    text.strip_prefix("nginx version: ").map(ToOwned::to_owned)
}
