// A REST API in the dialect `ibexa`, in a real browser: who signs in there is not made to act by pages
// of others (docs/contracts/ibexa.md §2.6).

import { after, before, beforeEach, it } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { launch } from './chromium.mjs';
import { endAll, listen, serve } from './support.mjs';

const BASE = '/api/ibexa/v2';
const SESSION = 'application/vnd.ibexa.api.Session+json';
const INPUT = 'application/vnd.ibexa.api.SessionInput+json';

const PEOPLE = `
resourceType: User
id: ann
userName: ann
password: a long enough password
groups: [{value: editors}]
---
resourceType: Role
id: editing
groups: [editors]
scope: ["Mutation:Content:*"]
`;

let browser;
let castellan;
/** What has reached the API. */
let seen;

before(async () => {
  const upstream = await listen(
    createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.setHeader('content-type', 'application/json');
      response.end('{}');
    }),
  );
  castellan = await serve({
    tables: `
[[guard]]
name = "ibexa"
path = "${BASE}"
protocol = "http"
dialect = "ibexa"
upstream = "${upstream}/"
authenticate = "session"
require = ["person"]
[guard.operations]
"POST /content/objects" = "Mutation:Content:Create"
"DELETE /content/objects/{id}" = "Mutation:Content:Delete"
`,
    documents: PEOPLE,
  });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await endAll();
});

beforeEach(() => {
  seen = [];
});

/** A page of the site itself that does nothing. */
async function ownPage(context) {
  const page = await context.newPage();
  await page.goto(castellan.at('/healthz'));
  return page;
}

/** What a script of `page` gets from the API. */
function ask(page, method, path, { token, type, body, accept = SESSION } = {}) {
  const headers = {
    accept,
    ...(token && { 'x-csrf-token': token }),
    ...(type && { 'content-type': type }),
  };
  return page.evaluate(
    async ([url, options]) => {
      const answer = await fetch(url, options);
      return { status: answer.status, text: await answer.text() };
    },
    [`${BASE}${path}`, { method, headers, body }],
  );
}

async function signIn(page) {
  const body = JSON.stringify({
    SessionInput: { login: 'ann', password: 'a long enough password' },
  });
  const { status, text } = await ask(page, 'POST', '/user/sessions', { type: INPUT, body });
  assert.equal(status, 201, text);
  return JSON.parse(text).Session;
}

/** Another site's page, on the same machine or on another one. */
async function pageOfOthers(context, host, html) {
  const origin = await listen(
    createServer((_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(html);
    }),
  );
  const page = await context.newPage();
  await page.goto(origin.replace('127.0.0.1', host));
  return page;
}

it('signs ann in, acts as her, and signs her out', async () => {
  const context = await browser.newContext();
  const page = await ownPage(context);
  const session = await signIn(page);
  // Scripts do not see the cookie.
  assert.equal(await page.evaluate(() => document.cookie), '');
  const [cookie] = await context.cookies();
  assert.equal(cookie.name, session.name);
  assert.equal(cookie.value, session.identifier);
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, 'Lax']);

  const { csrfToken: token, identifier } = session;
  assert.equal((await ask(page, 'DELETE', '/content/objects/1')).status, 401);
  assert.deepEqual(seen, []);
  assert.equal((await ask(page, 'DELETE', '/content/objects/1', { token })).status, 200);
  assert.deepEqual(seen, ['DELETE /content/objects/1']);

  assert.equal((await ask(page, 'DELETE', `/user/sessions/${identifier}`, { token })).status, 204);
  assert.deepEqual(await context.cookies(), []);
  assert.equal((await ask(page, 'GET', '/user/sessions/current')).status, 404);
  await context.close();
});

for (const [what, host] of [
  // Cookies know no ports: they go along from there.
  ['another origin of the same site', 'localhost'],
  ['another site', '127.0.0.1'],
]) {
  it(`is not made to act by a page of ${what}`, async () => {
    const context = await browser.newContext();
    const own = await ownPage(context);
    const session = await signIn(own);
    const action = castellan.at(`${BASE}/content/objects`);
    for (const type of ['text/plain', 'multipart/form-data', 'application/x-www-form-urlencoded']) {
      const form = `<form method="post" enctype="${type}" action="${action}"><input name="a" value="b"></form>`;
      const page = await pageOfOthers(context, host, form);
      const [answer] = await Promise.all([
        page.waitForResponse((response) => response.url() === action),
        page.evaluate(() => document.forms[0].submit()),
      ]);
      assert.equal(answer.status(), 401, type);
      await page.close();
    }
    const page = await pageOfOthers(context, host, '<h1>Free cake</h1>');
    const attempts = await page.evaluate(
      async ([base, id]) => {
        const attempt = (path, options) =>
          fetch(`${base}${path}`, { credentials: 'include', ...options }).then(
            (answer) => (answer.type === 'opaque' ? 'not readable' : answer.status),
            () => 'refused by the browser',
          );
        return [
          await attempt('/content/objects', { method: 'POST', mode: 'no-cors', body: 'x' }),
          await attempt('/content/objects/1', { method: 'DELETE' }),
          await attempt('/user/sessions/current', {}),
          await attempt(`/user/sessions/${id}`, { method: 'DELETE' }),
        ];
      },
      [castellan.at(BASE), session.identifier],
    );
    const refused = 'refused by the browser';
    assert.deepEqual(attempts, ['not readable', refused, refused, refused]);
    assert.deepEqual(seen, []);
    // Nor was she signed out.
    assert.equal((await ask(own, 'GET', '/user/sessions/current')).status, 200);
    await context.close();
  });
}
