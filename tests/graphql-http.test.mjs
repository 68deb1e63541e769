// The audits of GraphQL over HTTP that `graphql-http` publishes, against two guards and the management
// APIs.

import { after, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { serverAudits } from 'graphql-http';
import { archive, endAll, serve } from './support.mjs';

const MANAGERS = `
[management.scopes]
read = ["manage"]

[registration]
by = ["token"]
`;

const MACHINE = `
resourceType: Client
id: machine
secret: s3cr3t-of-the-machine
grant_types: [client_credentials]
scope: [manage]
`;

after(endAll);

const sample = await archive();
const castellan = await serve({
  tables: `
[[guard]]
name = "archive"
path = "/graphql"
dialect = "trompa"
upstream = "${sample.url}/"
${MANAGERS}`,
  documents: MACHINE,
});
const answer = await fetch(castellan.at('/auth/token'), {
  method: 'POST',
  body: new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: 'machine',
    client_secret: 's3cr3t-of-the-machine',
  }),
});
const { access_token: token } = await answer.json();
assert.ok(token);

const apis = castellan.said('schema').trim().split('\n');
assert.equal(apis.length, 4, apis.join());
const endpoints = [
  ['/api', 'a guard that answers by itself'],
  ['/graphql', 'a guard with an API behind it'],
  ...apis.map((line) => {
    const [name, path] = line.split(/ +/);
    return [path, `the management API ${name}`, token];
  }),
];

for (const [path, what, sent] of endpoints) {
  const fetchFn = (url, options = {}) => {
    const headers = new Headers(options.headers);
    if (sent) headers.set('authorization', `Bearer ${sent}`);
    return fetch(url, { ...options, headers });
  };
  describe(`${path}, ${what}`, () => {
    for (const audit of serverAudits({ url: castellan.at(path), fetchFn })) {
      it(`${audit.name} (${audit.id})`, async (t) => {
        const result = await audit.fn();
        if (result.status === 'ok') return;
        const found = `${result.status}: ${result.reason}`;
        if (!audit.name.startsWith('MAY')) assert.fail(found);
        t.diagnostic(`not required; ${found}`);
      });
    }
  });
}
