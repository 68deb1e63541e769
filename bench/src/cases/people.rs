//! Cases with passwords that cost what passwords cost.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use async_trait::async_trait;

use super::{Case, Contestant, Plan, Stage, machine, taking_part};
use crate::{
    browser::{Browser, Person},
    fault::Fault,
    load::{self, Done, Measured, Work},
    peers::{
        Format, Ground, Peer, Provider,
        castellan::{House, Wants, guest},
    },
    report::{Report, Single, median},
    wire::Wire,
};

/// Browsers that guess while tokens are measured.
const GUESSERS: usize = 16;
/// Of so many tries one is right.
const ONE_RIGHT_IN: u64 = 4;

/// Wrong passwords, each for a name of its own, so that no limit for one name is in the way. A
/// name that leads to nobody costs the same hash.
///
/// # Errors
/// [`Fault`] if the server does not stand.
pub async fn sign_in(peer: Peer, ground: &Ground) -> Result<Contestant, Fault> {
    let (standing, provider) = machine::provider(peer, 0, ground).await?;
    let guessing = Guessing { provider, tries: Rc::default(), stop: Rc::default(), right: false };
    Ok(Contestant { peer, standing, stage: Box::new(guessing) })
}

/// Tokens with and without a flood of guesses, in turns.
///
/// # Errors
/// [`Fault`] if the server does not stand, or anything is answered wrongly.
pub async fn flood(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    if taking_part(case, plan).next().is_none() {
        return Ok(());
    }
    let house = House::furnish(ground, Wants { guests: GUESSERS, ..Wants::default() })?;
    let server = house.open().await?;
    let mut tokens = machine::issuing(&house.provider, Format::Es256);
    let (mut quiet, mut flooded, mut guesses) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let of = (server.address, &server.tree()?);
        let measured = load::run(&plan.slice, of, |at| tokens.work(at)).await?;
        report.turn((case.name, "castellan, quiet"), round, &measured);
        quiet.push(millis(&measured));
        let mut guessing = Guessing {
            provider: house.provider.clone(),
            tries: Rc::default(),
            stop: Rc::default(),
            right: true,
        };
        let (stop, tries) = (Rc::clone(&guessing.stop), Rc::clone(&guessing.tries));
        let time = plan.slice.warm_up + plan.slice.time;
        let tokens = async {
            let measured = load::run(&plan.slice, of, |at| tokens.work(at)).await;
            stop.set(true);
            measured
        };
        // The flag ends the guesses; the time is for the case that it is never set.
        let from = (server.address, GUESSERS);
        let guessed = load::until_dry(from, time + Duration::from_mins(1), |at| guessing.work(at));
        let (measured, guessed) = tokio::join!(tokens, guessed);
        guessed?;
        let measured = measured?;
        report.turn((case.name, "castellan, flooded"), round, &measured);
        flooded.push(millis(&measured));
        #[expect(clippy::cast_precision_loss, reason = "a flood has far fewer than 2^52 guesses")]
        guesses.push(*tries.borrow() as f64 / time.as_secs_f64());
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

fn millis(measured: &Measured) -> f64 {
    measured.latencies.quantile(0.99).as_secs_f64() * 1_000.0
}

/// Browsers that try passwords.
struct Guessing {
    provider: Provider,
    tries: Rc<RefCell<u64>>,
    stop: Rc<Cell<bool>>,
    /// One in [`ONE_RIGHT_IN`] is right.
    right: bool,
}

struct Guess {
    provider: Provider,
    tries: Rc<RefCell<u64>>,
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
        let (mut browser, page) = match self.open.take() {
            Some(open) => open,
            None => {
                let mut browser = Browser::default();
                let page = browser.open_login((address, &mut *wire)).await?;
                (browser, page)
            }
        };
        let number = self.tries.replace_with(|tries| *tries + 1);
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
