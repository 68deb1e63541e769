// An app that leaves everything to `oidc-client-ts`, as it comes: a page of another origin, in a
// real browser, with nothing told but the issuer's address.

import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { build } from 'esbuild';
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { launch } from './chromium.mjs';
import { ScriptedBrowser } from './scripted-browser.mjs';
import { endAll, listen, serve } from './support.mjs';

const PASSWORD = 'pw-ada-12 & co';
const SCOPE = 'openid profile email offline_access';
/** What the page gives the library to keep. */
const KEPT = { state: { draft: 'Ode & "é"' }, url_state: 'notes/7?a=1&b=é;c' };
const BUTTONS = [
  'discover',
  'sign-in',
  'sign-in-popup',
  'renew',
  'revoke',
  'sign-out',
  'sign-out-popup',
];
const HTML = `<!doctype html><title>Notes</title><link rel="icon" href="data:,">
  ${BUTTONS.map((id) => `<button id="${id}">${id}</button>`).join('')}<output></output>
  <script src="/page.js"></script>`;

let castellan;
/** What the issuer says of itself, as somebody reads it who is no browser. */
let discovered;
/** The origin of the app, and one that the app does not name. */
let app;
let stranger;
let script;
let browser;
let context;
let page;
/** What the browser complained about, and which complaints a test means to get. */
let complaints;
let expected;

/** The app's page on an origin of its own. */
function site() {
  return listen(
    createServer((request, response) => {
      const isScript = request.url === '/page.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? script : HTML);
    }),
  );
}

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: ['oidc-client-ts-page.js'],
    absWorkingDir: import.meta.dirname,
    bundle: true,
    format: 'iife',
    write: false,
    define: { ISSUER: JSON.stringify(castellan.url) },
  });
  return outputFiles[0].text;
}

const documents = () => `
resourceType: User
id: ada
userName: ada
password: ${JSON.stringify(PASSWORD)}
name: {givenName: Ada, familyName: Lovelace}
emails: [{value: ada@example.org, primary: true}]
---
resourceType: Client
id: notes
name: Notes
grant_types: [authorization_code, refresh_token]
scope: [${SCOPE.replaceAll(' ', ', ')}]
redirect_uris: ["${app}/callback", "${stranger}/callback"]
post_logout_redirect_uris: ["${app}/bye"]
allowed_origins: ["${app}"]
`;

before(async () => {
  app = await site();
  stranger = await site();
  const tables = '[tokens]\nrefresh_grace_off = true\n';
  castellan = await serve({ documents: documents(), tables });
  discovered = await (await fetch(castellan.at('/.well-known/openid-configuration'))).json();
  script = await bundle();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await endAll();
});

beforeEach(async () => {
  complaints = [];
  expected = [];
  context = await browser.newContext();
  context.setDefaultTimeout(15_000);
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  context.on('weberror', (error) => complaints.push(String(error.error())));
  page = await context.newPage();
});

afterEach(async () => {
  await context?.close();
  const unexpected = complaints.filter((text) => !expected.some((one) => text.includes(one)));
  assert.deepEqual(unexpected, [], 'the browser complained');
});

/** The test means to get an answer of `status`, about which the browser will complain. */
function expectStatus(status) {
  expected.push(`the server responded with a status of ${status}`);
}

/** What the app says, once it says something. */
async function said() {
  return JSON.parse(await page.locator('output:not(:empty)').textContent());
}

async function press(button) {
  await page.locator(`#${button}`).click();
  return said();
}

/** Opens the app; gives whom it has signed in. */
async function open(origin = app) {
  await page.goto(`${origin}/`);
  return said();
}

const asks = (name) => page.getByRole('heading', { name }).waitFor();
const CONSENT = /^Notes would like access/;

/** Signs in on the issuer's pages and answers the question there. */
async function answer(on, button) {
  await on.getByLabel('Username or e-mail').fill('ada');
  await on.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await on.getByRole('button', { name: 'Sign in' }).click();
  await on.getByRole('button', { name: button }).click();
}

/** Has the app send the browser to the issuer; gives what it asked there. */
async function begin() {
  const isAsked = (request) => request.url().startsWith(discovered.authorization_endpoint);
  const [request] = await Promise.all([
    page.waitForRequest(isAsked),
    page.locator('#sign-in').click(),
  ]);
  await asks('Sign in');
  return new URL(request.url());
}

/** The whole of it; gives what the app asked and the user that it got. */
async function signIn() {
  assert.equal(await open(), null);
  const asked = await begin();
  await answer(page, 'Allow');
  return { asked, user: await said() };
}

/** Where the issuer leads a browser that opens `url`, in which ada signs in and agrees. */
async function answerTo(url) {
  const elsewhere = new ScriptedBrowser(castellan.url);
  return (await elsewhere.signInAndAllow(url, 'ada', PASSWORD)).callback;
}

/** Opens an answer as the issuer would; gives what the app makes of it. */
async function arrive(url) {
  await page.goto(url.href);
  return said();
}

/** What a script of the app gets from userinfo. */
function userinfo(token) {
  const ask = async ([url, token]) => {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    return { status: answer.status, challenge: answer.headers.get('www-authenticate') };
  };
  return page.evaluate(ask, [discovered.userinfo_endpoint, token]);
}

async function assertOver(token) {
  expectStatus(401);
  const { status, challenge } = await userinfo(token);
  assert.equal(status, 401);
  assert.match(challenge, /error="invalid_token"/);
}

/** Gives the library what it had before, as a tab has that was left open. */
function putBack(user) {
  const entry = [`oidc.user:${castellan.url}:notes`, JSON.stringify(user)];
  return page.evaluate((entry) => sessionStorage.setItem(...entry), entry);
}

function assertThrown({ thrown }, error) {
  assert.equal(thrown?.name, 'ErrorResponse', JSON.stringify(thrown));
  assert.equal(thrown.error, error);
}

describe('an app', () => {
  it('finds all that it needs at the address of the issuer', async () => {
    await open();
    const { metadata, keys } = await press('discover');
    assert.deepEqual(metadata, discovered);
    assert.equal(metadata.issuer, castellan.url);
    assert.deepEqual(keys, (await (await fetch(discovered.jwks_uri)).json()).keys);
  });

  it('signs a person in and learns who they are', async () => {
    const { asked, user } = await signIn();
    const of = Object.fromEntries(asked.searchParams);
    assert.equal(of.response_type, 'code');
    assert.equal(of.code_challenge_method, 'S256');
    assert.equal(of.scope, SCOPE);

    const landed = new URL(page.url());
    assert.equal(landed.origin + landed.pathname, `${app}/callback`);
    assert.equal(landed.searchParams.get('state'), of.state);
    assert.equal(landed.searchParams.get('iss'), castellan.url);

    // The library reads ID tokens and does not check their signatures.
    const { keys } = await press('discover');
    const { payload } = await jwtVerify(user.id_token, createLocalJWKSet({ keys }), {
      issuer: castellan.url,
      audience: 'notes',
    });
    assert.equal(payload.sub, 'ada');
    assert.equal(payload.nonce, of.nonce);
    assert.ok(of.nonce);

    // The name is not in the ID token: it came from userinfo.
    assert.equal(payload.name, undefined);
    assert.equal(user.profile.sub, 'ada');
    assert.equal(user.profile.name, 'Ada Lovelace');
    assert.equal(user.profile.email, 'ada@example.org');
    assert.equal(user.token_type, 'Bearer');
    assert.equal(user.scope, SCOPE);
    assert.ok(user.expires_at > Date.now() / 1000);
    assert.deepEqual({ state: user.state, url_state: user.url_state }, KEPT);
  });

  it('has its person again when its page is opened anew', async () => {
    const { user } = await signIn();
    const { access_token, profile } = await open();
    assert.equal(access_token, user.access_token);
    assert.deepEqual(profile, user.profile);
  });

  it('is told when the person does not agree', async () => {
    await open();
    await begin();
    await answer(page, 'Deny');
    const denied = await said();
    assertThrown(denied, 'access_denied');
    assert.deepEqual(denied.thrown.state, KEPT.state);
    assert.equal(await open(), null);
  });

  it('takes no answer to what it did not ask', async () => {
    await open();
    const callback = await answerTo(await begin());
    const changed = (change) => {
      const url = new URL(callback);
      change(url.searchParams);
      return url;
    };
    const other = await arrive(changed((of) => of.set('state', 'other')));
    assert.equal(other.thrown?.message, 'No matching state found in storage');
    const none = await arrive(changed((of) => of.delete('state')));
    assert.equal(none.thrown?.message, 'No state in response');
    assert.equal(await open(), null);
    // It did not spend the code on either.
    const user = await arrive(callback);
    assert.equal(user.profile?.sub, 'ada');
  });

  it('cannot be given the code of another request', async () => {
    await open();
    const stolen = await answerTo(await begin());
    await open();
    const callback = await answerTo(await begin());
    callback.searchParams.set('code', stolen.searchParams.get('code'));
    expectStatus(400);
    assertThrown(await arrive(callback), 'invalid_grant');
    assert.equal(await open(), null);
  });

  it('takes no ID token with the nonce of another request', async () => {
    await open();
    const asked = await begin();
    asked.searchParams.set('nonce', 'other');
    const { thrown } = await arrive(await answerTo(asked));
    assert.equal(thrown?.message, 'nonce in id_token does not match nonce in client storage');
    assert.equal(await open(), null);
  });

  it('renews its tokens without a page', async () => {
    const { user } = await signIn();
    const renewed = await press('renew');
    assert.notEqual(renewed.access_token, user.access_token);
    assert.notEqual(renewed.refresh_token, user.refresh_token);
    assert.notEqual(renewed.id_token, user.id_token);
    assert.equal(decodeJwt(renewed.id_token).auth_time, decodeJwt(user.id_token).auth_time);
    assert.equal(renewed.profile.name, 'Ada Lovelace');
    assert.equal((await userinfo(renewed.access_token)).status, 200);
    const again = await press('renew');
    assert.notEqual(again.refresh_token, renewed.refresh_token);
  });

  it('loses its tokens when a refresh token is used twice', async () => {
    const { user } = await signIn();
    const renewed = await press('renew');
    await putBack(user);
    expectStatus(400);
    assertThrown(await press('renew'), 'invalid_grant');
    await assertOver(renewed.access_token);
    await putBack(renewed);
    assertThrown(await press('renew'), 'invalid_grant');
  });

  it('gives its tokens back', async () => {
    const { user } = await signIn();
    assert.equal((await userinfo(user.access_token)).status, 200);
    const left = await press('revoke');
    assert.equal(left.thrown, undefined);
    assert.equal(left.refresh_token, null);
    await assertOver(user.access_token);
    await putBack(user);
    expectStatus(400);
    assertThrown(await press('renew'), 'invalid_grant');
  });

  it('learns nothing in a hidden frame of who is signed in', async () => {
    await signIn();
    await page.evaluate(() => sessionStorage.clear());
    const framed = page.waitForRequest((request) => request.url().includes('prompt=none'));
    const [request, silent] = await Promise.all([framed, press('renew')]);
    assert.notEqual(request.frame(), page.mainFrame());
    assertThrown(silent, 'login_required');
  });
});

describe('an app that signs people out', () => {
  it('gets them back, and the password is asked for again', async () => {
    await signIn();
    // Without signing out, it is not.
    await page.locator('#sign-in').click();
    await asks(CONSENT);
    assert.equal((await open()).profile.sub, 'ada');

    const { userState, url_state } = await press('sign-out');
    assert.equal(new URL(page.url()).pathname, '/bye');
    assert.deepEqual({ state: userState, url_state }, KEPT);
    assert.equal(await open(), null);
    await begin();
  });

  it('has them asked when it cannot show whom it means', async () => {
    await signIn();
    await page.evaluate(() => sessionStorage.clear());
    await page.locator('#sign-out').click();
    await asks('Do you want to sign out?');
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    assert.deepEqual((await said()).userState, KEPT.state);
    assert.equal(new URL(page.url()).pathname, '/bye');
    await open();
    await begin();
  });
});

describe('an app with a popup', () => {
  async function openPopup() {
    await open();
    const [popup] = await Promise.all([
      page.waitForEvent('popup'),
      page.locator('#sign-in-popup').click(),
    ]);
    await popup.getByRole('heading', { name: 'Sign in' }).waitFor();
    return popup;
  }

  it('signs a person in, and its window cannot reach the pages where they do', async () => {
    const popup = await openPopup();
    assert.equal(await popup.evaluate(() => window.opener), null);
    await Promise.all([popup.waitForEvent('close'), answer(popup, 'Allow')]);
    const user = await said();
    assert.equal(user.profile?.name, 'Ada Lovelace', JSON.stringify(user));
    assert.deepEqual(user.state, KEPT.state);
    assert.equal(page.url(), `${app}/`);
  });

  it('is told when the person does not agree', async () => {
    const popup = await openPopup();
    await Promise.all([popup.waitForEvent('close'), answer(popup, 'Deny')]);
    assertThrown(await said(), 'access_denied');
    assert.equal(await open(), null);
  });

  it('signs the person out', async () => {
    await signIn();
    assert.equal(await press('sign-out-popup'), null);
    await begin();
  });
});

describe('a page of an origin that the app does not name', () => {
  it('cannot read what the token endpoint answers', async () => {
    assert.equal(await open(stranger), null);
    await begin();
    const isRefused = (message) => /blocked by CORS policy/.test(message.text());
    expected.push('blocked by CORS policy', 'net::ERR_FAILED');
    const [refused] = await Promise.all([
      page.waitForEvent('console', isRefused),
      answer(page, 'Allow'),
    ]);
    assert.ok(refused.text().includes(discovered.token_endpoint), refused.text());
    const { thrown } = await said();
    assert.deepEqual(thrown, { name: 'TypeError', message: 'Failed to fetch' });
    assert.equal(await open(stranger), null);
  });

  it('cannot read whose a token is', async () => {
    const { user } = await signIn();
    assert.equal((await userinfo(user.access_token)).status, 200);
    await open(stranger);
    expected.push('blocked by CORS policy', 'net::ERR_FAILED');
    await assert.rejects(userinfo(user.access_token), /Failed to fetch/);
  });
});
