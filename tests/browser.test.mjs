// The pages, in a real browser: Chromium without a screen.

import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { launch } from './chromium.mjs';
import { demo, endAll, graphql, listen, serve, serveFromNothing } from './support.mjs';

/** A folder for pictures of the pages; nothing is tested by them. */
const PICTURES = process.env.CASTELLAN_PICTURES;
const WIDTHS = [390, 1280];

let browser;
let context;
let page;
/** What the browser complained about. */
let complaints;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await endAll();
});

beforeEach(async () => {
  complaints = [];
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
  assert.deepEqual(complaints, [], 'the browser complained');
});

/** Takes a complaint about an answer's status off the list: the test meant to get it. */
function expectStatus(status) {
  const of = (text) => text.includes(`the server responded with a status of ${status}`);
  complaints = complaints.filter((text) => !of(text));
}

async function picture(name) {
  if (!PICTURES) return;
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    await page.screenshot({ path: join(PICTURES, `${name}-${width}.png`), fullPage: true });
  }
}

const heading = () => page.locator('h1').innerText();
const path = () => new URL(page.url()).pathname;

async function signIn(name, password) {
  await page.getByLabel('Username or e-mail').fill(name);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Nothing on the page is wider than the screen. */
async function fits() {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${page.url()} is ${wide} pixels wide on a screen of ${width}`);
  }
}

describe('the demo', () => {
  let castellan;

  before(async () => {
    castellan = await demo();
  });

  const open = () => page.goto(castellan.app);
  const signInAsAda = () => signIn('ada', castellan.password);

  it('signs ada in, asks her, and gives the sample app a token that writes', async () => {
    await open();
    assert.equal(await heading(), 'Sign in');
    assert.match(await page.locator('.lede').innerText(), /The sample app/);
    await fits();
    await picture('login');
    await signInAsAda();
    assert.match(await heading(), /The sample app would like access to your account/);
    const asked = await page.locator('main').innerText();
    assert.match(asked, /Ada Lovelace/);
    assert.doesNotMatch(asked, /Mutation:Person:\*/);
    await page.getByText('Scopes, for developers').click();
    assert.match(await page.locator('main').innerText(), /Mutation:Person:\*/);
    await fits();
    await picture('consent');
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(`${castellan.app}callback?**`);
    const shown = await page.locator('pre').innerText();
    assert.match(shown, /^curl /);
    const token = shown.match(/Bearer ([\w.~+/-]+=*)/)[1];
    const [, url] = shown.match(/^curl -s (\S+)/);
    const { query } = JSON.parse(shown.match(/-d '(.*)'/s)[1]);
    const { body } = await graphql(url, query, { token });
    assert.equal(body.errors, undefined);
    assert.equal(body.data.CreatePerson.name, 'Ada Lovelace');
    const { body: denied } = await graphql(url, query);
    assert.equal(denied.data.CreatePerson, null);
  });

  it('says the same for a wrong password and a wrong name, and goes on with the right ones', async () => {
    await open();
    const said = [];
    for (const [name, password] of [
      ['ada', 'wrong'],
      ['nobody', 'wrong'],
    ]) {
      await signIn(name, password);
      await page.getByRole('alert').waitFor();
      said.push(await page.getByRole('alert').innerText());
      expectStatus(401);
    }
    assert.equal(said[0], said[1]);
    assert.match(said[0], /incorrect/i);
    assert.equal(path(), '/auth/login');
    await signInAsAda();
    assert.match(await heading(), /would like access/);
    expectStatus(401);
  });

  it('tells the app when ada denies', async () => {
    await open();
    await signInAsAda();
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.waitForURL(`${castellan.app}callback?**`);
    assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied');
    assert.equal(new URL(page.url()).searchParams.get('code'), null);
    assert.match(await page.locator('body').innerText(), /access_denied/);
  });

  it('shows a password to whoever asks for it, and hides it again', async () => {
    await open();
    const field = page.getByLabel('Password', { exact: true });
    const button = page.getByRole('button', { name: 'Show password' });
    await field.fill(castellan.password);
    assert.equal(await field.getAttribute('type'), 'password');
    await button.click();
    assert.equal(await field.getAttribute('type'), 'text');
    assert.equal(await button.getAttribute('aria-pressed'), 'true');
    await button.click();
    assert.equal(await field.getAttribute('type'), 'password');
    await button.click();
    await signInAsAda();
    assert.match(await heading(), /would like access/);
  });

  it('shows no such button where no script runs', async () => {
    const plain = await browser.newContext({ javaScriptEnabled: false });
    const other = await plain.newPage();
    await other.goto(castellan.app);
    assert.equal(await other.getByLabel('Password', { exact: true }).isVisible(), true);
    assert.equal(await other.locator('button.show').isVisible(), false);
    await plain.close();
  });

  it('is used by keyboard alone', async () => {
    await open();
    const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
    // The first empty field has the focus already.
    await page.keyboard.type('ada');
    await page.keyboard.press('Tab');
    await page.keyboard.type(castellan.password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /would like access/ }).waitFor();
    for (let steps = 0; steps < 20 && (await focused()) !== 'Allow'; steps += 1) {
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.waitForURL(`${castellan.app}callback?**`);
  });

  it('bears a reload of the login page', async () => {
    await open();
    const before = page.url();
    await page.reload();
    assert.equal(page.url(), before);
    await signInAsAda();
    assert.match(await heading(), /would like access/);
  });

  it('bears a reload after a wrong password', async () => {
    await open();
    await signIn('ada', 'wrong');
    await page.getByRole('alert').waitFor();
    await page.reload();
    expectStatus(401);
    await signInAsAda();
    assert.match(await heading(), /would like access/);
    expectStatus(401);
  });

  it('says what to do when somebody goes back to a login page that is done', async () => {
    await open();
    await signInAsAda();
    assert.match(await heading(), /would like access/);
    await page.goBack();
    assert.equal(path(), '/auth/login');
    const status = (await page.reload()).status();
    assert.equal(status, 400);
    assert.equal(await heading(), 'This sign-in has expired');
    expectStatus(400);
    await page.goForward();
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(`${castellan.app}callback?**`);
    assert.match(await page.locator('pre').innerText(), /^curl /);
    expectStatus(400);
  });

  it('goes on with a request that was interrupted', async () => {
    await open();
    const login = page.url();
    await page.close();
    page = await context.newPage();
    await page.goto(login);
    await signInAsAda();
    const consent = page.url();
    assert.match(await heading(), /would like access/);
    await page.goto('about:blank');
    await page.goto(consent);
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(`${castellan.app}callback?**`);
    assert.match(await page.locator('pre').innerText(), /^curl /);
  });

  it('goes on with no request of another browser', async () => {
    await open();
    const login = page.url();
    const other = await browser.newContext();
    const stranger = await other.newPage();
    const answer = await stranger.goto(login);
    assert.equal(answer.status(), 400);
    assert.equal(await stranger.locator('h1').innerText(), 'This sign-in has expired');
    await other.close();
  });

  it('asks for no password twice', async () => {
    await page.goto(castellan.at('/account'));
    await signInAsAda();
    await page.waitForURL(castellan.at('/account'));
    await open();
    assert.match(await heading(), /would like access/);
  });

  it('lets somebody else sign in instead', async () => {
    await open();
    await signInAsAda();
    await page.getByRole('button', { name: 'Not you?' }).click();
    assert.equal(await heading(), 'Sign in');
    await signIn('clara', castellan.password);
    assert.match(await page.locator('main').innerText(), /Clara Schumann/);
  });

  it('shows ada the app, and takes it back', async () => {
    await open();
    await signInAsAda();
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(`${castellan.app}callback?**`);
    const token = (await page.locator('pre').innerText()).match(/Bearer (\S+)'/)[1];
    await page.goto(castellan.at('/account'));
    assert.match(await page.locator('main').innerText(), /The sample app/);
    await fits();
    await page.getByRole('button', { name: /^Revoke access/ }).click();
    await page.getByText('No app has access').waitFor();
    const write = 'mutation { CreatePerson(name: "Ada") { name } }';
    const { body } = await graphql(castellan.at('/graphql'), write, { token });
    assert.equal(body.data.CreatePerson, null);
  });

  it('signs ada out', async () => {
    await page.goto(castellan.at('/account'));
    await signInAsAda();
    await page.waitForURL(castellan.at('/account'));
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    await page.goto(castellan.at('/account'));
    assert.equal(path(), '/auth/login');
    assert.equal(await heading(), 'Sign in');
    const cookies = await context.cookies();
    assert.ok(cookies.every((cookie) => cookie.name !== 'ASID' && cookie.httpOnly));
  });

  it('takes no form from another site', async () => {
    await page.goto(castellan.at('/account'));
    await signInAsAda();
    await page.waitForURL(castellan.at('/account'));
    const target = castellan.at('/auth/logout');
    const form = `<form method="post" action="${target}"><input name="csrf" value="x"><button>go</button></form>`;
    const foreign = await listen(
      createServer((_, response) => response.setHeader('content-type', 'text/html').end(form)),
    );
    await page.goto(foreign);
    await page.getByRole('button', { name: 'go' }).click();
    await page.waitForURL(target);
    expectStatus(403);
    await page.goto(castellan.at('/account'));
    assert.equal(await heading(), 'Your account');
    expectStatus(403);
  });
});

describe('apps that hear of a sign-out by frames', () => {
  let castellan;
  const at = {};
  /** What was loaded of the app's sign-out page. */
  const loaded = [];

  before(async () => {
    const html = (response, text) =>
      response.setHeader('content-type', 'text/html').end(`<!doctype html><h1>${text}</h1>`);
    const app = (out) => (request, response) =>
      request.url.startsWith('/out') ? out(request, response) : html(response, request.url);
    const hears = (request, response) => {
      loaded.push(new URL(request.url, at.shop));
      html(response, 'out');
    };
    at.shop = await listen(createServer(app(hears)));
    at.mute = await listen(createServer(app(() => {})));
    const client = (id) => `
---
resourceType: Client
id: ${id}
first_party: true
grant_types: [authorization_code]
scope: [openid]
redirect_uris: ["${at[id]}/cb"]
post_logout_redirect_uris: ["${at[id]}/bye"]
frontchannel_logout_uri: "${at[id]}/out?kept=1"
`;
    const ada = 'resourceType: User\nid: ada\nuserName: ada\npassword: pw-ada-at-home\n';
    castellan = await serve({ documents: ada + client('shop') + client('mute') });
  });

  beforeEach(() => {
    loaded.length = 0;
  });

  /** Signs in to each of `apps`, and out again at the wish of the last one. */
  async function visit(...apps) {
    for (const id of apps) {
      const ask = new URLSearchParams({
        response_type: 'code',
        client_id: id,
        redirect_uri: `${at[id]}/cb`,
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
      });
      await page.goto(castellan.at(`/auth/authorize?${ask}`));
      if (path() === '/auth/login') await signIn('ada', 'pw-ada-at-home');
      await page.waitForURL(`${at[id]}/cb?**`);
    }
    const id = apps.at(-1);
    const back = { client_id: id, post_logout_redirect_uri: `${at[id]}/bye`, state: 's' };
    await page.goto(castellan.at(`/auth/logout?${new URLSearchParams(back)}`));
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  }

  it('tells them and goes on by itself', async () => {
    await visit('shop');
    await page.waitForURL(`${at.shop}/bye?state=s`);
    assert.equal(loaded.length, 1);
    assert.equal(loaded[0].searchParams.get('kept'), '1');
    assert.equal(loaded[0].searchParams.get('iss'), castellan.url);
    assert.match(loaded[0].searchParams.get('sid'), /^[\w-]{22}$/);
  });

  it('goes on without one that does not answer', async () => {
    await visit('mute', 'shop');
    await page.waitForURL(`${at.shop}/bye?state=s`);
    assert.equal(loaded.length, 1);
  });

  it('has a link where no script runs', async () => {
    await context.close();
    context = await browser.newContext({ javaScriptEnabled: false });
    page = await context.newPage();
    await visit('shop');
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    await picture('farewell');
    await page.getByRole('link', { name: 'Continue to 127.0.0.1' }).click();
    await page.waitForURL(`${at.shop}/bye?state=s`);
    assert.equal(loaded.length, 1);
  });
});

describe('a server that is new', () => {
  it('makes the administrator by its link, once', async () => {
    const castellan = await serveFromNothing();
    const link = castellan.output.match(/http:\S+\/auth\/setup\?token=\S+/)?.[0];
    assert.ok(link, `no link in:\n${castellan.output}`);
    await page.goto(link);
    assert.equal(await heading(), 'Create the first administrator');
    await fits();
    await picture('setup');
    const fill = async (password, again) => {
      await page.getByLabel('Username').fill('root');
      await page.getByLabel('Password', { exact: true }).fill(password);
      await page.getByLabel('Repeat password').fill(again);
      await page.getByRole('button', { name: 'Create administrator' }).click();
    };
    await fill('a few words in a row', 'and a few others');
    await page.getByRole('alert').waitFor();
    expectStatus(422);
    await fill('a few words in a row', 'a few words in a row');
    await page.waitForURL(castellan.at('/account/welcome'));
    expectStatus(422);
    assert.match(await page.locator('main').innerText(), /castellan apply -f app.yaml/);
    await fits();
    await picture('welcome');
    await page.getByRole('link', { name: 'Go to your account' }).click();
    assert.match(await page.locator('.person').innerText(), /root/);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    await page.goto(castellan.at('/account'));
    await signIn('root', 'a few words in a row');
    await page.waitForURL(castellan.at('/account'));
    await page.goto(link);
    await fill('another few words in a row', 'another few words in a row');
    await page.getByRole('alert').waitFor();
    expectStatus(410);
  });
});

describe('an API on the origin of the login', () => {
  const EVIL = '<!doctype html><title>owned</title><script>document.title = "run"</script>';
  let castellan;

  before(async () => {
    const upstream = await listen(
      createServer((_, response) => {
        response.setHeader('content-type', 'text/html');
        response.setHeader('set-cookie', 'ASID=planted');
        response.end(EVIL);
      }),
    );
    const honest = await listen(
      createServer((_, response) => {
        response.setHeader('content-type', 'application/json');
        response.setHeader('set-cookie', 'ASID=planted');
        response.setHeader('content-security-policy', "default-src * 'unsafe-inline'");
        response.end(JSON.stringify({ data: { hello: EVIL } }));
      }),
    );
    const guard = (name, url) => `
[[guard]]
name = "${name}"
path = "/${name}"
upstream = "${url}/"
schema = "hello.graphql"
public = ["Query:*"]
`;
    castellan = await serve({
      tables: guard('evil', upstream) + guard('honest', honest),
      files: { 'hello.graphql': 'type Query { hello: String }' },
    });
  });

  const asked = '?query={hello}';

  it('cannot send the browser a page', async () => {
    const answer = await page.goto(castellan.at(`/evil${asked}`));
    assert.equal(answer.status(), 502);
    assert.match(answer.headers()['content-type'], /^application\/json/);
    assert.ok(!(await page.content()).includes('owned'));
    assert.equal(await page.title(), '');
    assert.deepEqual(await context.cookies(), []);
    expectStatus(502);
  });

  for (const [of, where] of [
    ['what it answers', `/honest${asked}`],
    ['a refusal', `/evil${asked}`],
    ['what is not its schema', '/honest?query={nothing}'],
    ['an answer of our own', '/api?query={__typename}'],
  ]) {
    it(`has ${of} shown as text and in a sandbox`, async () => {
      const answer = await page.goto(castellan.at(where));
      const headers = answer.headers();
      assert.match(headers['content-type'], /^application\/json/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['content-security-policy'], 'sandbox');
      assert.equal(headers['set-cookie'], undefined);
      assert.notEqual(await page.title(), 'run');
      assert.deepEqual(await context.cookies(), []);
      for (const status of [400, 502]) expectStatus(status);
    });
  }

  it('cannot be run as a script by another site', async () => {
    const address = castellan.at(`/honest${asked}`);
    const html = `<script src="${address}" onload="document.title = 'loaded'" onerror="document.title = 'refused'"></script>`;
    const foreign = await listen(
      createServer((_, response) => response.setHeader('content-type', 'text/html').end(html)),
    );
    await page.goto(foreign);
    await page.waitForFunction(() => document.title !== '');
    assert.equal(await page.title(), 'refused');
    complaints = complaints.filter((text) => !/MIME type|ERR_BLOCKED_BY_ORB/.test(text));
  });
});
