// The audits of GraphQL over HTTP that `graphql-http` publishes, against two guards.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { serverAudits } from 'graphql-http';
import { archive, endAll, serve } from './support.mjs';

describe('GraphQL over HTTP', () => {
  let castellan;

  before(async () => {
    const sample = await archive();
    castellan = await serve({
      tables: `
[[guard]]
name = "archive"
path = "/graphql"
dialect = "trompa"
upstream = "${sample.url}/"
`,
    });
  });

  after(endAll);

  for (const [path, what] of [
    ['/api', 'a guard that answers by itself'],
    ['/graphql', 'a guard with an API behind it'],
  ]) {
    describe(`${path}, ${what}`, () => {
      for (const audit of serverAudits({ url: () => castellan.at(path) })) {
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
});
