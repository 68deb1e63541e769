//! Whether a page of a search takes as long among many people as among few.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Case, Plan, taking_part, targets::thousands};
use crate::{
    answer::{Answer, contains},
    fault::Fault,
    peers::{
        Ground, Peer,
        castellan::{Instance, Wants},
        source::{Engine, Source},
    },
    report::{Report, Single, median},
    wire::{Request, Wire},
};

/// The number of people that others are compared with.
const FEW: u64 = 1_000;
/// How often each question is asked.
const TIMES: usize = 101;
/// Entries of a page when everybody is read.
const PAGE: u64 = 200;
/// Pages at the end that count.
const LAST: usize = 5;
/// People who are applied by one command.
const AT_A_TIME: u64 = 1_000;

/// What is asked, in words and on the wire.
const QUESTIONS: [(&str, &str); 5] = [
    ("the first page", "/User?_count=100"),
    ("by address", "/User?email=person-777@example.test"),
    ("by user name", "/User?userName=PERSON-777"),
    ("by the beginning of a name", "/User?name=love&_count=20"),
    ("sorted by name", "/User?_sort=name&_count=100"),
];

/// The program that asks.
const ADMINISTRATOR: &str = "administrator";

/// Asks among few people and among many, on each data source.
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
    for engine in [Engine::Sqlite, Engine::Postgres, Engine::MongoDb, Engine::DynamoDb] {
        let source = match Source::open(engine, ground, &["synchronous_commit=off"]).await {
            Ok(source) => source,
            Err(Fault::Missing(why)) => {
                report.not_run(case.name, engine.name(), &why);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let instance = Instance::furnish_on(source.data.clone(), ground, Wants::default())?;
        instance.apply(&[administrator(&instance)])?;
        fill(&instance, (0, FEW))?;
        let few = ask(&instance).await?;
        fill(&instance, (FEW, plan.people))?;
        let many = ask(&instance).await?;
        for (few, many) in few.iter().zip(&many) {
            let (Some(before), Some(after)) = (few.millis, many.millis) else {
                let what = format!("{}, {}", engine.name(), few.what);
                report.not_run(case.name, &what, "this data source does not do it");
                continue;
            };
            report.single(Single {
                case: case.name,
                peer: Peer::Castellan,
                what: format!(
                    "{}, {}: {before:.2} ms among {}, {after:.2} ms among {}",
                    engine.name(),
                    few.what,
                    thousands(as_float(FEW)),
                    thousands(as_float(plan.people)),
                ),
                value: after / before,
                unit: "×",
                target: case.targets.first().copied(),
            });
        }
    }
    Ok(())
}

/// How long one question took; `None` if the data source does not answer it.
struct Asked {
    what: &'static str,
    millis: Option<f64>,
}

async fn ask(instance: &Instance) -> Result<Vec<Asked>, Fault> {
    let server = instance.open().await?;
    let address = instance.provider.address;
    let mut wire = Wire::to(address);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", ADMINISTRATOR),
        ("client_secret", &instance.provider.secret),
    ];
    let request = Request::new("POST", instance.provider.endpoints.token, address).form(&form);
    let granted = wire.ask(&request).await?.expect("a token", 200, b"access_token")?;
    let token = granted.member("access_token").unwrap_or_default();
    let authorization = format!("Bearer {token}");
    let get = |path: &str| {
        Request::new("GET", path, address).header("authorization", &authorization).empty()
    };
    let mut all = Vec::new();
    for (what, path) in QUESTIONS {
        let request = get(path);
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let began = Instant::now();
            let answer = wire.ask(&request).await?;
            if is_refused(&answer) {
                break;
            }
            answer.expect(what, 200, b"Bundle")?;
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        let millis = (!times.is_empty()).then(|| median(times));
        all.push(Asked { what, millis });
    }
    // All pages, one after the other: the last ones cost what the first ones did.
    let (mut path, mut times) = (format!("/User?_count={PAGE}"), Vec::new());
    loop {
        let began = Instant::now();
        let answer = wire.ask(&get(&path)).await?;
        if is_refused(&answer) {
            break;
        }
        let answer = answer.expect("a page", 200, b"Bundle")?;
        let bundle: Value = serde_json::from_str(answer.text())
            .map_err(|error| Fault::failed(format!("a page: {error}")))?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        let links = bundle["link"].as_array().into_iter().flatten();
        let next =
            links.filter(|link| link["relation"] == "next").find_map(|link| link["url"].as_str());
        let Some((_, rest)) = next.and_then(|url| url.split_once("/User")) else { break };
        path = format!("/User{rest}");
    }
    let last = times.split_off(times.len().saturating_sub(LAST));
    let millis = (!last.is_empty()).then(|| median(last));
    all.push(Asked { what: "the last pages of everybody", millis });
    drop(server);
    Ok(all)
}

/// Whether the data source cannot do what was asked.
fn is_refused(answer: &Answer<'_>) -> bool {
    answer.status == 400 && contains(answer.body, b"not-supported")
}

/// Makes people with numbers from the first to the second.
fn fill(instance: &Instance, (from, to): (u64, u64)) -> Result<(), Fault> {
    let mut next = from;
    while next < to {
        let until = to.min(next + AT_A_TIME);
        let people: Vec<_> = (next..until).map(person).collect();
        instance.apply(&people)?;
        next = until;
        eprintln!("   {next} of {to} people");
    }
    Ok(())
}

fn person(number: u64) -> String {
    json!({
        "resourceType": "User", "id": format!("person-{number}"),
        "userName": format!("person-{number}"),
        "email": format!("person-{number}@example.test"),
        "name": {"givenName": "Ada", "familyName": format!("Lovelace {number}")},
    })
    .to_string()
}

fn administrator(instance: &Instance) -> String {
    json!({
        "resourceType": "Client", "id": ADMINISTRATOR, "secret": instance.provider.secret,
        "grant_types": ["client_credentials"], "scope": ["Castellan:*"],
    })
    .to_string()
}

#[expect(clippy::cast_precision_loss, reason = "people here stay far below 2^52")]
const fn as_float(number: u64) -> f64 {
    number as f64
}
