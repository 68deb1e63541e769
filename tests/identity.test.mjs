// The sample of docs/identity.md in Node.js, as it stands there, behind a guard.

import { after, before, describe, it, mock } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { endAll, graphql, listen, serve } from './support.mjs';

const SDL = 'type Query { people: String } type Mutation { createPerson: String }';

const documents = `
resourceType: Client
id: robot
secret: secret-of-the-robot
grant_types: [client_credentials]
scope: ["Query:*"]
`;

/** What the API got last. */
let seen;
let castellan;
let caller;
let token;

/** The sample, with our own addresses, as a module beside those that it imports. */
async function sample(issuer, audience) {
  const page = readFileSync(new URL('../docs/identity.md', import.meta.url), 'utf8');
  const [, text, another] = page.split(/^```js\n/m);
  assert.equal(another, undefined, 'one sample in Node.js');
  let code = text.split(/^```$/m)[0];
  for (const [here, there] of [
    ['https://id.example.org', issuer],
    ['http://127.0.0.1:4000', audience],
  ]) {
    assert.ok(code.includes(`'${here}'`), here);
    code = code.replaceAll(here, there);
  }
  const folder = fileURLToPath(new URL('node_modules/.cache/castellan', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const file = `${folder}/identity-${process.pid}.mjs`;
  writeFileSync(file, code);
  try {
    return await import(pathToFileURL(file));
  } finally {
    rmSync(file);
  }
}

/** The header that the API gets at a guard. */
async function told(guard, bearer) {
  const answer = await graphql(castellan.at(`/${guard}`), '{ people }', { token: bearer });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return seen['castellan-identity'];
}

const refused = (header) => assert.rejects(caller({ headers: header && { 'castellan-identity': header } }));

before(async () => {
  const api = await listen(
    createServer((request, response) => {
      seen = request.headers;
      response.setHeader('content-type', 'application/json').end('{"data":{"people":"all"}}');
    }),
  );
  const guard = (name, more = '') => `
[[guard]]
name = "${name}"
path = "/${name}"
upstream = "${api}/"
schema = "api.graphql"
public = ["Query:*"]
${more}`;
  const tables = guard('archive') + guard('other') + guard('third', 'upstream_id = "third"');
  castellan = await serve({ tables, documents, files: { 'api.graphql': SDL } });
  ({ caller } = await sample(castellan.url, api));
  const form = { grant_type: 'client_credentials', client_id: 'robot', client_secret: 'secret-of-the-robot' };
  const answer = await fetch(castellan.at('/auth/token'), { method: 'POST', body: new URLSearchParams(form) });
  token = (await answer.json()).access_token;
});

after(endAll);

describe('the sample in Node.js', () => {
  it('says who is calling', async () => {
    const robot = await caller({ headers: { 'castellan-identity': await told('archive', token) } });
    assert.equal(robot.sub, 'robot');
    assert.equal(robot.kind, 'access_token');
    assert.equal(robot.scope, 'Query:*');
  });

  it('says that nobody is', async () => {
    const nobody = await caller({ headers: { 'castellan-identity': await told('archive') } });
    assert.equal(nobody.kind, 'anonymous');
    assert.equal(nobody.client_id, null);
  });

  it('refuses what did not come through its guard', async () => {
    await assert.rejects(caller({ headers: {} }));
    await refused('');
    await refused(token);
    await refused(await told('other', token));
    await refused(await told('third', token));
  });

  it('refuses what was altered', async () => {
    const [header, claims, signature] = (await told('archive', token)).split('.');
    const others = JSON.parse(Buffer.from(claims, 'base64url').toString());
    const forged = Buffer.from(JSON.stringify({ ...others, sub: 'admin' })).toString('base64url');
    await refused(`${header}.${forged}.${signature}`);
    await refused(`${header}.${claims}.${'A'.repeat(86)}`);
    const none = Buffer.from('{"typ":"castellan-identity+jwt","alg":"none"}').toString('base64url');
    await refused(`${none}.${forged}.`);
  });

  it('refuses what is older than a minute', async () => {
    const header = await told('archive', token);
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 });
    try {
      await assert.rejects(caller({ headers: { 'castellan-identity': header } }), { code: 'ERR_JWT_EXPIRED' });
    } finally {
      mock.timers.reset();
    }
  });
});
