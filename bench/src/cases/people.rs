//! Cases with passwords that cost what passwords cost.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use async_trait::async_trait;

use super::{Case, Contestant, Plan, Stage, machine, taking_part};
use crate::{
    browser::{Browser, Person},
    fault::Fault,
    load::{self, Done, Measured, Work},
    peers::{
        Format, Ground, Peer, Provider,
        castellan::{Instance, Wants, guest},
    },
    report::{Report, Single, median},
    wire::Wire,
};

/// Browsers that guess while tokens are measured.
const GUESSERS: usize = 16;
/// One in this many attempts is right.
const ONE_RIGHT_IN: u32 = 4;
/// How long a flood lasts at most.
const LONGEST: Duration = Duration::from_mins(15);

/// Wrong passwords, each for another name, so that no limit per name takes effect. A name without
/// an account costs the same hash.
///
/// # Errors
/// [`Fault`] if the server does not start.
pub async fn sign_in(peer: Peer, ground: &Ground) -> Result<Contestant, Fault> {
    let (standing, provider) = machine::provider(peer, 0, ground).await?;
    let guessing = Guessing { provider, tries: Rc::default(), stop: Rc::default(), right: false };
    Ok(Contestant { peer, standing, stage: Box::new(guessing) })
}

/// Tokens with and without a flood of guesses, in turns.
///
/// # Errors
/// [`Fault`] if the server does not start, or a response is wrong.
pub async fn flood(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    if taking_part(case, plan).next().is_none() {
        return Ok(());
    }
    let instance = Instance::furnish(ground, Wants { guests: GUESSERS, ..Wants::default() })?;
    let server = instance.open().await?;
    let mut issuing = machine::issuing(&instance.provider, Format::Es256);
    let (mut quiet, mut flooded, mut guesses) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let of = (server.address, &server.tree()?);
        let measured = load::run(&plan.slice, of, |at| issuing.work(at)).await?;
        report.turn((case.name, "castellan, quiet"), round, &measured);
        quiet.push(millis(&measured));
        let (measured, per_second) =
            while_guessing(&instance.provider, load::run(&plan.slice, of, |at| issuing.work(at)))
                .await?;
        report.turn((case.name, "castellan, flooded"), round, &measured);
        flooded.push(millis(&measured));
        guesses.push(per_second);
    }
    let ratios = quiet.iter().zip(&flooded).map(|(quiet, flooded)| flooded / quiet).collect();
    report.single(Single {
        case: case.name,
        peer: Peer::Castellan,
        what: format!(
            "token p99 {:.2} ms without, {:.2} ms with {:.0} passwords tried per second",
            median(quiet),
            median(flooded),
            median(guesses)
        ),
        value: median(ratios),
        unit: "×",
        target: case.targets.first().copied(),
    });
    Ok(())
}

/// Measures `load` while passwords are tried; how many were tried per second.
async fn while_guessing(
    provider: &Provider,
    load: impl Future<Output = Result<Measured, Fault>>,
) -> Result<(Measured, f64), Fault> {
    let mut guessing = Guessing {
        provider: provider.clone(),
        tries: Rc::default(),
        stop: Rc::default(),
        right: true,
    };
    let (stop, tries) = (Rc::clone(&guessing.stop), Rc::clone(&guessing.tries));
    let began = Instant::now();
    let load = async {
        let measured = load.await;
        stop.set(true);
        measured
    };
    // The flag ends them; the time is there should it never be set.
    let flood = load::until_dry((provider.address, GUESSERS), LONGEST, |at| guessing.work(at));
    let (measured, flood) = tokio::join!(load, flood);
    flood?;
    Ok((measured?, f64::from(tries.get()) / began.elapsed().as_secs_f64()))
}

fn millis(measured: &Measured) -> f64 {
    measured.latencies.quantile(0.99).as_secs_f64() * 1_000.0
}

/// Browsers that try passwords.
struct Guessing {
    provider: Provider,
    tries: Rc<Cell<u32>>,
    stop: Rc<Cell<bool>>,
    /// One in [`ONE_RIGHT_IN`] is right.
    right: bool,
}

struct Guess {
    provider: Provider,
    tries: Rc<Cell<u32>>,
    stop: Rc<Cell<bool>>,
    guest: Option<Person>,
    /// A sign-in page that is open.
    open: Option<(Browser, String)>,
}

impl Stage for Guessing {
    fn work(&mut self, at: usize) -> Box<dyn Work> {
        Box::new(Guess {
            provider: self.provider.clone(),
            tries: Rc::clone(&self.tries),
            stop: Rc::clone(&self.stop),
            guest: self.right.then(|| guest(at)),
            open: None,
        })
    }
}

#[async_trait(?Send)]
impl Work for Guess {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        if self.stop.get() {
            return Ok(Done::Dry);
        }
        let address = self.provider.address;
        // A wrong password leaves the page open, a right one closes it.
        let (mut browser, page) = if let Some(open) = self.open.take() {
            open
        } else {
            let mut browser = Browser::default();
            let page = browser.open_login((address, &mut *wire)).await?;
            (browser, page)
        };
        let number = self.tries.replace(self.tries.get() + 1);
        let guest = self.guest.as_ref().filter(|_| number.is_multiple_of(ONE_RIGHT_IN));
        if let Some(guest) = guest {
            browser.try_password((address, wire), (&page, guest, 303)).await?;
        } else {
            let nobody = Person { name: format!("nobody-{number}"), password: "not a password" };
            browser.try_password((address, wire), (&page, &nobody, 401)).await?;
            self.open = Some((browser, page));
        }
        Ok(Done::Once)
    }
}
