//! Whether what is kept stays as much as what is alive, however many flows there were.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde_json::json;
use tokio::time::{sleep, sleep_until};

use super::{
    Case, Plan,
    counts::{self, COLUMNS, Count, float, whole},
    taking_part,
    targets::Target,
};
use crate::{
    browser::Browser,
    fault::Fault,
    load::{self, Done, Work},
    peers::{
        Ground, Peer, Provider,
        castellan::{Instance, REVOKE, Wants, person},
        source::{Engine, Source},
    },
    report::{Report, Single},
    wire::Wire,
};

/// The scope that the app requests. Without `openid` there is no ID token, whose signature would
/// take longer than everything else.
const SCOPE: &str = "profile";
/// Lifetime in seconds of codes, access tokens and unused refresh tokens. A flow that is delayed
/// for longer fails.
const LIFETIME: u64 = 10;
/// One in this many flows ends with a revocation.
const REVOKED_ONE_IN: u64 = 20;
/// Counts come as often as the server's own sweep, and always as long after it: between two sweeps
/// rows pile up.
const PERIOD: Duration = Duration::from_mins(1);
/// When the first one comes.
const FIRST: Duration = Duration::from_secs(170);
/// How long what has expired may stay.
const REST: Duration = Duration::from_mins(4);
/// The interval of checks whether everything has expired.
const LOOK: Duration = Duration::from_secs(10);
/// What is lost when the power fails says nothing about rows.
const SETTINGS: [&str; 1] = ["synchronous_commit=off"];

const SQLITE: &str = "
    SELECT 'records', kind, count(*) FROM records GROUP BY kind
    UNION ALL SELECT 'names', '', count(*) FROM names
    UNION ALL SELECT 'feed', '', count(*) FROM feed
    UNION ALL SELECT 'bytes', '', page_count * page_size
        FROM pragma_page_count(), pragma_page_size()";
const POSTGRES: &str = "
    SELECT 'records', kind, count(*) FROM castellan_records GROUP BY kind
    UNION ALL SELECT 'names', '', count(*) FROM castellan_names
    UNION ALL SELECT 'feed', '', count(*) FROM castellan_feed
    UNION ALL SELECT 'bytes', '', pg_database_size(current_database())";

/// Makes flows on one data source and counts rows.
///
/// # Errors
/// [`Fault`] if a server does not start, a flow fails, or rows grow.
pub async fn run(
    (case, engine): (&'static Case, Engine),
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    if taking_part(case, plan).next().is_none() {
        return Ok(());
    }
    let [Target::AtMost(most)] = *case.targets else {
        return Err(Fault::failed("this case has one target"));
    };
    eprintln!("   {}: up to {} flows", engine.name(), whole(plan.flows));
    match count_rows(engine, plan, ground).await {
        Ok(counted) => {
            let grown = counted.told((case, most), plan, report);
            if grown.is_empty() { Ok(()) } else { Err(Fault::failed(grown.join("; "))) }
        }
        Err(Fault::Missing(why)) => {
            report.not_run(case.name, engine.name(), &why);
            Ok(())
        }
        Err(Fault::Stopped) => Err(Fault::Stopped),
        Err(fault) => Err(Fault::Failed(format!("{}: {fault}", engine.name()))),
    }
}

/// What was counted on one data source.
struct Counted {
    engine: Engine,
    before: Count,
    during: Vec<Count>,
    after: Count,
    /// How long the flows took.
    took: Duration,
}

async fn count_rows(engine: Engine, plan: &Plan, ground: &Ground) -> Result<Counted, Fault> {
    let source = Source::open(engine, ground, &SETTINGS).await?;
    source.can_be_asked()?;
    let people = plan.slice.connections;
    let wants = Wants { people, lifetime: Some(LIFETIME), ..Wants::default() };
    let instance = Instance::furnish_on(source.data.clone(), ground, wants)?;
    let server = instance.open().await?;
    let opened = Instant::now();
    let browsers = sign_in(&instance.provider, people).await?;
    let tally = Rc::new(Tally::of(plan));
    let before = count(&source, &tally).await?;
    let work = |at: usize| -> Box<dyn Work> {
        let (provider, browser) = (instance.provider.clone(), browsers[at].clone());
        Box::new(Flow { provider, browser, tally: Rc::clone(&tally) })
    };
    let flows = load::until_dry((server.address, people), plan.flow_time, work);
    let mut during = Vec::new();
    let done = tokio::select! {
        done = flows => done,
        fault = keep_counting((&source, &tally), opened, &mut during) => Err(fault),
    };
    done.map_err(|fault| Fault::failed(format!("{fault}\n{}", server.last_words())))?;
    let took = tally.began.elapsed();
    let after = at_rest((&source, &tally), &before).await?;
    Ok(Counted { engine, before, during, after, took })
}

async fn sign_in(provider: &Provider, people: usize) -> Result<Vec<Browser>, Fault> {
    let mut wire = Wire::to(provider.address);
    let mut browsers = Vec::new();
    for at in 0..people {
        let mut browser = Browser::default();
        browser.sign_in((provider, &mut wire), (SCOPE, &person(at))).await?;
        browsers.push(browser);
    }
    Ok(browsers)
}

/// Counts until it is dropped; the fault that ends it.
async fn keep_counting(
    (source, tally): (&Source, &Tally),
    opened: Instant,
    counts: &mut Vec<Count>,
) -> Fault {
    let mut next = opened + FIRST;
    loop {
        sleep_until(next.into()).await;
        match count(source, tally).await {
            Ok(count) => {
                eprintln!(
                    "   {} flows after {:.0} s: {} records, {} names, {} notices",
                    whole(count.flows),
                    count.at.as_secs_f64(),
                    whole(count.records()),
                    whole(count.names),
                    whole(count.feed),
                );
                counts.push(count);
            }
            Err(fault) => return fault,
        }
        next += PERIOD;
    }
}

async fn count(source: &Source, tally: &Tally) -> Result<Count, Fault> {
    let (at, flows) = (tally.began.elapsed(), tally.done.get());
    let sql = if source.engine() == Engine::Sqlite { SQLITE } else { POSTGRES };
    let text = source.ask(sql).await?;
    let count = Count::read(&text).ok_or_else(|| Fault::failed(format!("no counts: {text}")))?;
    Ok(Count { at, flows, ..count })
}

/// What is left when everything that was issued has expired, which may take a sweep.
async fn at_rest((source, tally): (&Source, &Tally), before: &Count) -> Result<Count, Fault> {
    let since = Instant::now();
    loop {
        sleep(LOOK).await;
        let count = count(source, tally).await?;
        if count.records() <= before.records() || since.elapsed() >= REST {
            return Ok(count);
        }
    }
}

/// What all connections share.
struct Tally {
    began: Instant,
    /// Flows that are still to be started.
    left: Cell<u64>,
    begun: Cell<u64>,
    done: Cell<u64>,
    /// Flows per second, if they are not to be made as fast as they go.
    rate: Option<u32>,
    /// The maximum time for starting flows.
    time: Duration,
}

impl Tally {
    fn of(plan: &Plan) -> Self {
        Self {
            began: Instant::now(),
            left: Cell::new(plan.flows),
            begun: Cell::new(0),
            done: Cell::new(0),
            rate: plan.slice.rate,
            time: plan.flow_time,
        }
    }

    /// The number of the next flow, when it is due.
    async fn next(&self) -> Option<u64> {
        self.left.set(self.left.get().checked_sub(1)?);
        let number = self.begun.replace(self.begun.get() + 1);
        if let Some(rate) = self.rate {
            let due = Duration::from_secs_f64(float(number) / f64::from(rate));
            if due >= self.time {
                return None;
            }
            sleep_until((self.began + due).into()).await;
        }
        Some(number)
    }
}

/// Code flows of a person who is signed in and has consented, each followed by one refresh, and
/// sometimes by a revocation.
struct Flow {
    provider: Provider,
    browser: Browser,
    tally: Rc<Tally>,
}

#[async_trait(?Send)]
impl Work for Flow {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        let Some(number) = self.tally.next().await else { return Ok(Done::Dry) };
        let answer = self.browser.pass((&self.provider, &mut *wire), SCOPE).await?;
        let token = answer.member("refresh_token").ok_or_else(|| answer.wrong("a code"))?;
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let request = self.provider.token_request("app", &form);
        let answer = wire.ask(&request).await?.expect("a refresh", 200, b"\"access_token\":\"")?;
        if number % REVOKED_ONE_IN == REVOKED_ONE_IN - 1 {
            let token = answer.member("refresh_token").ok_or_else(|| answer.wrong("a refresh"))?;
            let request = self.provider.client_request((REVOKE, "app"), &[("token", token)]);
            wire.ask(&request).await?.expect("a revocation", 200, b"")?;
        }
        self.tally.done.set(self.tally.done.get() + 1);
        Ok(Done::Once)
    }
}

impl Counted {
    /// Says what was counted, and what has grown.
    fn told(
        &self,
        (case, most): (&'static Case, f64),
        plan: &Plan,
        report: &mut Report,
    ) -> Vec<String> {
        let (name, flows) = (self.engine.name(), self.after.flows);
        let seconds = self.took.as_secs_f64();
        report.note(format!(
            "{}, {name}: {} of {} flows were made, in {seconds:.0} s, {} per second",
            case.name,
            whole(flows),
            whole(plan.flows),
            super::targets::thousands(float(flows) / seconds),
        ));
        let line = |count: &Count| {
            json!({
                "seconds": count.at.as_secs_f64(), "flows": count.flows, "records": count.kinds,
                "names": count.names, "feed": count.feed, "bytes": count.bytes,
            })
        };
        report.table(
            counts::table(name, (&self.before, &self.during, &self.after)),
            &json!({
                "case": case.name, "data": name, "before": line(&self.before),
                "during": self.during.iter().map(line).collect::<Vec<_>>(),
                "after": line(&self.after),
            }),
        );
        let (mut judged, mut unsettled) = (Vec::new(), Vec::new());
        for column in COLUMNS {
            let what = format!("{name}: {} at the end by those at a fifth", column.name);
            let minutes = column.settles.as_secs() / 60;
            match counts::growth(&self.during, column) {
                Some(growth) => judged.push((what, growth, self.during.last())),
                None => unsettled.push(format!("{} ({minutes} min)", column.name)),
            }
        }
        if !unsettled.is_empty() {
            report.note(format!(
                "{}, {name}: the run was too short to say whether these stay flat, which settle \
                 first: {}.",
                case.name,
                unsettled.join(", ")
            ));
        }
        let left = float(self.after.records()) / float(self.before.records()).max(1.0);
        let what = format!("{name}: records once all has expired by those before the first flow");
        judged.push((what, left, Some(&self.after)));
        let mut grown = Vec::new();
        for (what, value, of) in judged {
            if value > most {
                let kinds = of.map(Count::most).unwrap_or_default();
                grown.push(format!("{what}: {value:.2} times as many ({kinds})"));
            }
            let (peer, target) = (Peer::Castellan, Some(Target::AtMost(most)));
            report.single(Single { case: case.name, peer, what, value, unit: "×", target });
        }
        grown
    }
}
