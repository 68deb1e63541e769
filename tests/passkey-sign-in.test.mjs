// A person makes a passkey on the account page and signs in by it, with Chromium's own authenticator.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { authenticator, launch } from './chromium.mjs';
import { endAll, serve } from './support.mjs';

const ADA = 'resourceType: User\nid: ada\nuserName: ada\npassword: pw-ada-at-home\n';

let browser;
let castellan;
let context;
let page;
let protocol;
let authenticatorId;

before(async () => {
  castellan = await serve({ tables: '\n[passkeys]\n', documents: ADA });
  browser = await launch();
  context = await browser.newContext();
  context.setDefaultTimeout(15_000);
  page = await context.newPage();
  // Nobody touches it until somebody wants to: a page that offers passkeys asks from the beginning.
  ({ protocol, authenticatorId } = await authenticator(page, { answersByItself: false }));
});

after(async () => {
  await browser?.close();
  await endAll();
});

const touch = (enabled) =>
  protocol.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
const heading = () => page.locator('h1').innerText();

async function signOut() {
  await page.goto(castellan.at('/account'));
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
}

describe('a passkey', () => {
  it('is made on the account page', async () => {
    await page.goto(castellan.at('/account'));
    await page.getByLabel('Username or e-mail').fill('ada');
    await page.getByLabel('Password', { exact: true }).fill('pw-ada-at-home');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByLabel('Name of the passkey').fill('My laptop');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    assert.equal(await heading(), 'Create a passkey');
    await touch(true);
    await page.getByRole('button', { name: 'Create passkey' }).click();
    await page.waitForURL(castellan.at('/account'));
    await touch(false);
    assert.match(await page.locator('main').innerText(), /My laptop/);
    const { credentials } = await protocol.send('WebAuthn.getCredentials', { authenticatorId });
    assert.equal(credentials.length, 1);
    await signOut();
  });

  it('signs in from what the browser offers for the name', async () => {
    await touch(true);
    // Chromium's own authenticator takes the one that it would offer (conditional mediation).
    await page.goto(castellan.at('/account'));
    await page.waitForURL(castellan.at('/account'));
    await touch(false);
    assert.equal(await heading(), 'Your account');
    await signOut();
  });

  it('signs in by a button', async () => {
    // From here on, in a browser that offers nothing for the name: its authenticator is asked once.
    await page.addInitScript(() => {
      PublicKeyCredential.isConditionalMediationAvailable = async () => false;
    });
    await page.goto(castellan.at('/account'));
    const name = page.getByLabel('Username or e-mail');
    assert.equal(await name.getAttribute('autocomplete'), 'username webauthn');
    await touch(true);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.waitForURL(castellan.at('/account'));
    await touch(false);
    assert.match(await page.locator('.person').innerText(), /ada/);
  });

  it('signs nobody in once it is taken away', async () => {
    await page.getByRole('button', { name: /^Remove My laptop/ }).click();
    await page.getByText('My laptop').first().waitFor({ state: 'detached' });
    await signOut();
    await page.goto(castellan.at('/account'));
    await touch(true);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByRole('alert').filter({ hasText: 'This passkey was not accepted' }).first().waitFor();
    await touch(false);
  });

  it('is not offered where no script runs', async () => {
    const plain = await browser.newContext({ javaScriptEnabled: false });
    const other = await plain.newPage();
    await other.goto(castellan.at('/account'));
    assert.equal(await other.locator('form.passkey').isVisible(), false);
    assert.equal(await other.getByRole('button', { name: 'Sign in', exact: true }).isVisible(), true);
    await plain.close();
  });
});
