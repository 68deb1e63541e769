//! Whether the hundredth page of a list of accounts takes as long as the first.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Case, Plan, taking_part};
use crate::{
    fault::Fault,
    peers::{
        Ground, Peer,
        castellan::{Instance, Wants},
        source::{Engine, Source},
    },
    report::{Report, Single, median},
    wire::{Request, Wire},
};

/// The path of the API.
const API: &str = "/admin/graphql/accounts";
/// The program that asks.
const PROGRAM: &str = "lister";
/// Accounts on a page.
const PAGE: u64 = 50;
/// The page that is compared with the first one.
const LATE: usize = 100;
/// How often the first and the late page are asked for.
const TIMES: usize = 21;
/// Every tenth account is inactive.
const INACTIVE: u64 = 10;

/// What is listed, in words and in the arguments of `accounts`.
const LISTS: [(&str, &str); 12] = [
    ("by id, active", ""),
    ("created, newest first, active", "sorting: {sortBy: created, sortOrder: DESCENDING}"),
    (
        "created, oldest first, all",
        "activeAccountsOnly: false, sorting: {sortBy: created, sortOrder: ASCENDING}",
    ),
    ("last modified, newest first", "sorting: {sortBy: lastModified, sortOrder: DESCENDING}"),
    ("name, active", "sorting: {sortBy: name, sortOrder: ASCENDING}"),
    (
        "name, backwards, all",
        "activeAccountsOnly: false, sorting: {sortBy: name, sortOrder: DESCENDING}",
    ),
    (
        "userName starts with",
        r#"filtering: {filterBy: userName, filterType: STARTS_WITH, filter: "person-"}"#,
    ),
    (
        "userName starts with, by name",
        r#"filtering: {filterBy: userName, filterType: STARTS_WITH, filter: "person-"}, sorting: {sortBy: name, sortOrder: DESCENDING}"#,
    ),
    (
        "userName ends with",
        r#"filtering: {filterBy: userName, filterType: ENDS_WITH, filter: "7"}"#,
    ),
    (
        "email ends with",
        r#"filtering: {filterBy: email, filterType: ENDS_WITH, filter: "@example.test"}"#,
    ),
    (
        "email ends with (all), by created",
        r#"filtering: {filterBy: email, filterType: ENDS_WITH, filter: "@example.test"}, sorting: {sortBy: created, sortOrder: DESCENDING}"#,
    ),
    (
        "email starts with (one in 100), by created",
        r#"filtering: {filterBy: email, filterType: STARTS_WITH, filter: "person-42"}, sorting: {sortBy: created, sortOrder: DESCENDING}"#,
    ),
];

/// Lists accounts on each data source.
///
/// # Errors
/// [`Fault`] if a server does not start, or a response is wrong.
pub async fn run(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    if taking_part(case, plan).next().is_none() {
        return Ok(());
    }
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let source = match Source::open(engine, ground, &["synchronous_commit=off"]).await {
            Ok(source) => source,
            Err(Fault::Missing(why)) => {
                report.not_run(case.name, engine.name(), &why);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let wants = Wants { management: true, ..Wants::default() };
        let instance = Instance::furnish_on(source.data.clone(), ground, wants)?;
        instance.apply(&[program(&instance)])?;
        let began = Instant::now();
        instance.import((0..plan.accounts).map(account))?;
        let seconds = began.elapsed().as_secs_f64();
        report.note(format!(
            "{}: {} accounts were imported in {seconds:.0} s",
            engine.name(),
            plan.accounts
        ));
        for asked in ask(&instance).await? {
            report.single(Single {
                case: case.name,
                peer: Peer::Castellan,
                what: format!(
                    "{}, {}: page 1 {:.2} ms, page {} {:.2} ms; median of {LATE} pages {:.2} ms",
                    engine.name(),
                    asked.what,
                    asked.first,
                    asked.page,
                    asked.late,
                    asked.median,
                ),
                value: asked.late / asked.first,
                unit: "×",
                target: case.targets.first().copied(),
            });
        }
    }
    Ok(())
}

/// How long one list took, in milliseconds.
struct Asked {
    what: &'static str,
    first: f64,
    /// Which page it was.
    page: usize,
    late: f64,
    median: f64,
}

async fn ask(instance: &Instance) -> Result<Vec<Asked>, Fault> {
    let server = instance.open().await?;
    let address = instance.provider.address;
    let mut wire = Wire::to(address);
    let page = |authorization: &str, arguments: &str, after: &str| {
        let query = format!(
            "{{accounts(first: {PAGE}, after: \"{after}\", {arguments}) {{edges {{node {{id userName \
             meta {{created}}}}}} pageInfo {{endCursor}}}}}}"
        );
        let body = json!({"query": query}).to_string();
        Request::new("POST", API, address)
            .header("authorization", authorization)
            .body("application/json", &body)
    };
    let mut all = Vec::new();
    for (what, arguments) in LISTS {
        // All lists together can take longer than a token is valid.
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", PROGRAM),
            ("client_secret", &instance.provider.secret),
        ];
        let request = Request::new("POST", instance.provider.endpoints.token, address).form(&form);
        let granted = wire.ask(&request).await?.expect("a token", 200, b"access_token")?;
        let token = granted.member("access_token").unwrap_or_default();
        let authorization = format!("Bearer {token}");
        let (mut after, mut times, mut pages) = (String::new(), Vec::new(), vec![String::new()]);
        for _ in 0..LATE {
            let began = Instant::now();
            let answer = wire
                .ask(&page(&authorization, arguments, &after))
                .await?
                .expect(what, 200, b"edges")?;
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
            let answer: Value = serde_json::from_str(answer.text())
                .map_err(|error| Fault::failed(format!("{what}: {error}")))?;
            let cursor = answer["data"]["accounts"]["pageInfo"]["endCursor"].as_str();
            let Some(cursor) = cursor else { break };
            cursor.clone_into(&mut after);
            pages.push(after.clone());
        }
        pages.truncate(LATE);
        let mut again = [Vec::new(), Vec::new()];
        for _ in 0..TIMES {
            for (at, times) in [0, pages.len() - 1].into_iter().zip(&mut again) {
                let request = page(&authorization, arguments, &pages[at]);
                let began = Instant::now();
                wire.ask(&request).await?.expect(what, 200, b"edges")?;
                times.push(began.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        let [first, late] = again.map(median);
        eprintln!("   {what}: {first:.2} ms, page {} {late:.2} ms", pages.len());
        all.push(Asked { what, first, page: pages.len(), late, median: median(times) });
    }
    drop(server);
    Ok(all)
}

/// The record of an account, as exports have it.
fn account(number: u64) -> String {
    if number.is_multiple_of(100_000) {
        eprintln!("   {number} accounts");
    }
    // Neither in the order of the ids nor in that of the names.
    let created = 1_600_000_000 + number.wrapping_mul(2_654_435_761) % 100_000_000;
    let (name, email) = (format!("person-{number}"), format!("person-{number}@example.test"));
    json!({
        "site": "default", "kind": "account", "id": format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        "unique": [name, email],
        "body": {
            "user_name": name, "password": null, "emails": [email],
            "name": {"givenName": "Ada", "familyName": format!("Lovelace {number}")},
            "active": !(number / 7).is_multiple_of(INACTIVE), "created": created, "modified": created + number % 1_000_000,
        },
    })
    .to_string()
}

fn program(instance: &Instance) -> String {
    json!({
        "resourceType": "Client", "id": PROGRAM, "secret": instance.provider.secret,
        "grant_types": ["client_credentials"], "scope": ["accounts"],
    })
    .to_string()
}
