//! The data sources, one folder each, and the roster of their schemes.
//!
//! Nothing outside learns which one it got: [`open`] gives a [`Store`] and keeps its name.

mod capabilities;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod format_state;
#[cfg(any(feature = "dynamodb", feature = "mongodb"))]
mod hex;
#[cfg(any(feature = "dynamodb", feature = "mongodb", feature = "postgres"))]
mod limiter;
#[cfg(feature = "mongodb")]
mod mongodb;
mod open_error;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::{path::Path, pin::Pin, sync::Arc};

use castellan_issuer::store::Store;

pub use capabilities::Capabilities;
pub use format_state::{FormatState, Migrate};
pub use open_error::OpenError;

/// A data source that an address can name.
struct Scheme {
    /// The schemes before `://`.
    names: &'static [&'static str],
    /// How an address of it is written.
    form: &'static str,
    /// What it can do.
    capabilities: &'static Capabilities,
    /// Whether what follows `://` is valid; opens nothing.
    check: fn(&str) -> Result<(), OpenError>,
    /// Opens what follows `://`.
    open: for<'a> fn(&'a str, Surroundings<'a>, Migrate) -> Opening<'a>,
}

type Opening<'a> = Pin<Box<dyn Future<Output = Result<Opened, OpenError>> + Send + 'a>>;

/// An open data source.
pub struct Opened {
    /// The opened data source.
    pub store: Arc<dyn Store>,
    /// How far its layout is.
    pub format_state: FormatState,
    /// Whether there was nothing before, and it was made.
    pub is_new: bool,
    /// Where it is, in words for the operator: the path of a file, or the host and name of a database.
    pub place: String,
}

/// Every data source of this build.
const SCHEMES: &[Scheme] = &[
    Scheme {
        names: &["sqlite"],
        form: "sqlite://PATH",
        capabilities: &capabilities::SQLITE,
        check: sqlite::check,
        open: |rest, around, migrate| {
            Box::pin(async move { sqlite::open(rest, around.folder, migrate) })
        },
    },
    #[cfg(feature = "dynamodb")]
    Scheme {
        names: &["dynamodb"],
        form: "dynamodb://REGION?table=NAME",
        capabilities: &capabilities::DYNAMODB,
        check: dynamodb::check,
        // The kit reads the authorities of the system, and `SSL_CERT_FILE`, itself.
        open: |rest, _, migrate| Box::pin(dynamodb::open(rest, migrate)),
    },
    #[cfg(feature = "mongodb")]
    Scheme {
        names: &["mongodb"],
        form: "mongodb://USER:PASSWORD@HOST/DATABASE",
        capabilities: &capabilities::MONGODB,
        check: |rest| mongodb::check("mongodb", rest),
        open: |rest, around, migrate| {
            Box::pin(mongodb::open("mongodb", rest, migrate, around.roots))
        },
    },
    #[cfg(feature = "mongodb")]
    Scheme {
        names: &["mongodb+srv"],
        form: "mongodb+srv://USER:PASSWORD@HOST/DATABASE",
        capabilities: &capabilities::MONGODB,
        check: |rest| mongodb::check("mongodb+srv", rest),
        open: |rest, around, migrate| {
            Box::pin(mongodb::open("mongodb+srv", rest, migrate, around.roots))
        },
    },
    #[cfg(feature = "postgres")]
    Scheme {
        names: &["postgres", "postgresql"],
        form: "postgres://USER:PASSWORD@HOST/DATABASE",
        capabilities: &capabilities::POSTGRES,
        check: postgres::check,
        open: |rest, around, migrate| Box::pin(postgres::open(rest, migrate, around.roots)),
    },
];

/// Opens the data source at `url`, e.g. `sqlite://castellan.db` (relative to the working folder),
/// `sqlite:///var/lib/castellan/castellan.db`, or `postgres://castellan@db.example.org/castellan`.
///
/// Dropping the last handle ends its threads and connections, after all acknowledged and started
/// writes have been completed.
///
/// # Errors
/// [`OpenError`], whose text says what is wrong and what to do, and never repeats more of `url`
/// than its scheme and the path of a file, or the host and name of a database. Nothing was changed in
/// what is there already; a missing file may have been made, empty, if `migrate` creates.
pub async fn open(url: &str, migrate: Migrate) -> Result<Opened, OpenError> {
    open_in(Surroundings::default(), url, migrate).await
}

/// What an address of a data source is read in.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The folder that the path of a file is relative to, whatever that is called.
    pub folder: &'a Path,
    /// Certificates of authorities in PEM, by which servers are trusted besides the public ones:
    /// PostgreSQL and MongoDB, unless the address names a file of its own for that. DynamoDB is trusted
    /// by those of the system.
    pub roots: &'a str,
}

impl Default for Surroundings<'_> {
    fn default() -> Self {
        Self { folder: Path::new(""), roots: "" }
    }
}

/// Opens the data source at `url`, as [`open`] does, in these surroundings.
///
/// # Errors
/// [`OpenError`] as of [`open`].
pub async fn open_in(
    around: Surroundings<'_>,
    url: &str,
    migrate: Migrate,
) -> Result<Opened, OpenError> {
    let (scheme, rest) = scheme_of(url)?;
    (scheme.open)(rest, around, migrate).await
}

/// Whether `url` is an address that [`open`] reads. Nothing is opened, made or connected to.
///
/// # Errors
/// [`OpenError`] as of [`open`].
pub fn check(url: &str) -> Result<(), OpenError> {
    let (scheme, rest) = scheme_of(url)?;
    (scheme.check)(rest)
}

fn scheme_of(url: &str) -> Result<(&'static Scheme, &str), OpenError> {
    let (name, rest) = url.split_once("://").ok_or_else(no_scheme)?;
    // A scheme that cannot be one is not repeated: it may be the front of a mistyped secret.
    let is_scheme_byte = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    if name.is_empty() || name.len() > 20 || !name.bytes().all(is_scheme_byte) {
        return Err(no_scheme());
    }
    let scheme = SCHEMES
        .iter()
        .find(|scheme| scheme.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .ok_or_else(|| OpenError::UnknownScheme { scheme: name.to_owned(), known: forms() })?;
    Ok((scheme, rest))
}

/// What the data source at `url` can do; `None` if this build has none of that scheme.
#[must_use]
pub fn capabilities(url: &str) -> Option<&'static Capabilities> {
    let (name, _) = url.split_once("://")?;
    let known = |scheme: &&Scheme| scheme.names.iter().any(|one| one.eq_ignore_ascii_case(name));
    SCHEMES.iter().find(known).map(|scheme| scheme.capabilities)
}

fn no_scheme() -> OpenError {
    OpenError::NoScheme { known: forms() }
}

/// How the addresses of all known schemes are written.
fn forms() -> String {
    SCHEMES.iter().map(|scheme| scheme.form).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal_of(url: &str) -> String {
        let opened = open(url, Migrate::Widen).await;
        let said = opened.err().map(|error| error.to_string()).unwrap_or_default();
        // The one that opens nothing says the same.
        assert_eq!(check(url).map_err(|error| error.to_string()), Err(said.clone()));
        said
    }

    #[test]
    #[cfg(all(feature = "mongodb", feature = "dynamodb"))]
    fn an_address_is_checked_without_a_server() {
        for good in ["mongodb://a:b@h/d?tls=true", "mongodb+srv://a:b@h.example/d", "dynamodb://x"]
        {
            assert!(check(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("mongodb://a:tiger@h/d?tlss=true", "invalid URL"),
            ("mongodb://", "invalid URL"),
            ("dynamodb://x?tabel=tiger", "a parameter other than table and endpoint"),
        ] {
            let said = check(bad).unwrap_err().to_string();
            assert!(!said.contains("tiger") && said.contains(why), "{said}");
        }
    }

    #[tokio::test]
    async fn an_unknown_scheme_names_the_known_ones() {
        assert_eq!(
            refusal_of("oracle://scott:tiger@host/db").await,
            format!("\"oracle\" is not a data source that this build supports; use {}", forms())
        );
    }

    #[tokio::test]
    async fn an_address_without_a_scheme_is_not_repeated() {
        let wanted = format!("the URL of the data source has no scheme; use {}", forms());
        for url in ["", "tiger", "castellan.db", "sqlite:castellan.db", "://x", "ti:ger@://x"] {
            assert_eq!(refusal_of(url).await, wanted, "{url:?}");
        }
    }

    #[tokio::test]
    async fn a_file_needs_a_path_and_nothing_else() {
        assert_eq!(refusal_of("sqlite://").await, "sqlite:// has no path; use sqlite://PATH");
        assert_eq!(
            refusal_of("sqlite://a.db?key=tiger").await,
            "sqlite:// does not support options; remove the part from \"?\" on, or make the path \
             relative if the folder of the configuration has it in its name"
        );
    }
}
