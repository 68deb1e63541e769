//! `castellan tls`: certificates for a first try.

use std::{
    fs::OpenOptions,
    io::Write as _,
    net::IpAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use castellan_proto::{Clock as _, SystemClock};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
    date_time_ymd,
};

use super::{Failure, new_file};

/// How long the certificates are valid.
const VALID: Duration = Duration::from_hours(365 * 24);
/// Clocks of clients may be slow.
const BEFORE: Duration = Duration::from_hours(1);

/// Make certificates for a first try of TLS.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a CA and a certificate for the names given, signed by it.
    ///
    /// Writes `ca.pem`, `ca.key`, `server.pem` and `server.key`, readable by you alone, and
    /// overwrites nothing. Both certificates are valid for a year. The CA can sign for the names
    /// given and for nothing else, so that whoever gets `ca.key` can impersonate no other site.
    #[command(after_long_help = "\
Then set in castellan.toml:

    issuer = \"https://localhost:8443\"

    [server]
    listen = \"127.0.0.1:8443\"
    tls = { certificate = \"tls/server.pem\", key = \"tls/server.key\" }

and try it with:

    castellan serve --config castellan.toml
    curl --cacert tls/ca.pem https://localhost:8443/healthz

In production use certificates of a public CA, or of your company's.")]
    Init {
        /// Host name or IP address for which the certificate is; may be repeated. Default:
        /// localhost and its addresses.
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
        /// Folder for the files; it is created if it is missing.
        #[arg(long, value_name = "FOLDER", default_value = "tls")]
        folder: PathBuf,
    },
}

pub(super) fn run(command: Command) -> Result<ExitCode, Failure> {
    let Command::Init { mut names, folder } = command;
    if names.is_empty() {
        names = ["localhost", "127.0.0.1", "::1"].map(ToOwned::to_owned).to_vec();
    }
    init(&names, &folder)
}

fn init(names: &[String], folder: &Path) -> Result<ExitCode, Failure> {
    check(names)?;
    let Made { ca, server } = make(names)?;
    let files = [
        ("ca.pem", ca.certificate),
        ("ca.key", ca.key),
        ("server.pem", server.certificate),
        ("server.key", server.key),
    ];
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    // Nothing is written if anything would be in the way.
    for (name, _) in &files {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            let text = format!("{} already exists; choose another --folder", path.display());
            return Err(text.into());
        }
    }
    for (name, text) in &files {
        let path = folder.join(name);
        new_file(&path, OpenOptions::new().mode(0o600))?
            .write_all(text.as_bytes())
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let place = folder.display();
    println!("wrote {place}/ca.pem, ca.key, server.pem and server.key for {}", names.join(", "));
    println!("\nIn castellan.toml:\n\n    [server]");
    println!(
        "    tls = {{ certificate = \"{place}/server.pem\", key = \"{place}/server.key\" }}\n"
    );
    println!("Clients have to trust {place}/ca.pem, for example: curl --cacert {place}/ca.pem URL");
    Ok(ExitCode::SUCCESS)
}

/// # Errors
/// Which name is none.
fn check(names: &[String]) -> Result<(), Failure> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_name = |name: &String| {
        let host = name.strip_prefix("*.").unwrap_or(name);
        name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && host.split('.').all(is_label))
    };
    match names.iter().find(|name| !is_name(name)) {
        Some(name) => Err(format!(
            "{name:?} is neither a host name nor an IP address; give a name such as id.example.org"
        )
        .into()),
        None => Ok(()),
    }
}

/// A certificate and its key, in PEM.
struct Pem {
    certificate: String,
    key: String,
}

/// A CA, and what it signed.
struct Made {
    ca: Pem,
    server: Pem,
}

/// A CA, and a certificate for `names`.
fn make(names: &[String]) -> Result<Made, rcgen::Error> {
    let epoch = date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(SystemClock.now().0);
    let valid = |params: &mut CertificateParams| {
        params.not_before = epoch + now - BEFORE;
        params.not_after = epoch + now + VALID;
    };
    let mut params = CertificateParams::default();
    valid(&mut params);
    params.distinguished_name.push(DnType::CommonName, "Castellan test CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(constraints(names));
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let mut params = CertificateParams::new(names.to_vec())?;
    valid(&mut params);
    params.distinguished_name.push(DnType::CommonName, "Castellan");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let server = params.signed_by(&key, &ca)?;
    Ok(Made {
        ca: Pem { certificate: ca.pem(), key: ca.key().serialize_pem() },
        server: Pem { certificate: server.pem(), key: key.serialize_pem() },
    })
}

/// What the CA may sign for: `names`, and no name of another kind (RFC 5280 §4.2.1.10).
fn constraints(names: &[String]) -> NameConstraints {
    let (mut permitted, mut excluded) = (Vec::new(), Vec::new());
    for name in names {
        permitted.push(match name.parse::<IpAddr>() {
            Ok(address) => GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
                address,
                if address.is_ipv4() { 32 } else { 128 },
            )),
            Err(_) => GeneralSubtree::DnsName(name.strip_prefix("*.").unwrap_or(name).to_owned()),
        });
    }
    // A kind of name that no constraint names is not constrained.
    if !permitted.iter().any(|one| matches!(one, GeneralSubtree::DnsName(_))) {
        excluded.push(GeneralSubtree::DnsName(String::new()));
    }
    if !permitted.iter().any(|one| matches!(one, GeneralSubtree::IpAddress(_))) {
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])));
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])));
    }
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}
