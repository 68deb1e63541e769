// Which values of variables fit which types: the gate against graphql-js, value by value. What fits
// reaches the API as it was written.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { buildSchema, getOperationAST, getVariableValues, parse } from 'graphql';
import { endAll, listen, serve } from './support.mjs';

const SDL = `
  scalar Any
  enum Kind { BOOK NOTE }
  input Filter { n: Int = 1, f: Float, id: ID!, kinds: [Kind!], any: Any, nested: Filter }
  type Query {
    take(
      int: Int, float: Float, id: ID, text: String, flag: Boolean, kind: Kind, any: Any
      ints: [Int], lists: [[Float!]!], must: ID!, filter: Filter
    ): Int
  }
`;
const schema = buildSchema(SDL);
const TYPES = {
  int: 'Int',
  float: 'Float',
  id: 'ID',
  text: 'String',
  flag: 'Boolean',
  kind: 'Kind',
  any: 'Any',
  ints: '[Int]',
  lists: '[[Float!]!]',
  filter: 'Filter',
};

const NUMBERS = [
  '0', '-0', '1', '-1', '1.0', '1.10', '-0.0', '1e0', '10e-1', '1E2', '0.1e1', '1.5', '1e-3', '1e-400',
  '0.1234567890123456789012345', '1.00000000000000000000001', '2147483647', '2147483648',
  '-2147483648', '-2147483649', '2147483647.0', '4294967296', '9007199254740991', '9007199254740992',
  '9007199254740993', '9007199254740993.5', '9223372036854775808', '18446744073709551615',
  '18446744073709551616', '123456789012345678901234567890', '1e30', '1.7976931348623157e308', '1e309',
  '-1e309', '1e400',
];
const OTHERS = [
  'null', 'true', 'false', '""', '"1"', '"BOOK"', '"\\u0042OOK"', '"\\ud800"', '"\\u0000"', '[]', '{}',
  '[1,2.0,null]', '[[1.5],[2]]', '[[null]]', '["1"]', '{"id":1}', '{"id":1.5}', '{"id":"x","n":2.0}',
  '{"id":"x","n":2.5}', '{"id":1e30,"f":9007199254740993}', '{"id":"x","kinds":"NOTE"}',
  '{"id":"x","kinds":["NOTE",null]}', '{"id":"x","other":1}', '{"\\u0069d":"x"}', '{"n":1}',
  '{"id":"x","nested":{"id":null}}', '{"id":"x","nested":{"id":7,"any":[1e400,{"a":1.10}]}}',
];

describe('a value fits where graphql-js takes it', () => {
  let url;
  let arrived;

  before(async () => {
    const upstream = await listen(
      createServer(async (request, response) => {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        arrived = Buffer.concat(chunks).toString();
        response.setHeader('content-type', 'application/json');
        response.end('{"data":{"take":1}}');
      }),
    );
    const tables = `
[[guard]]
name = "values"
path = "/values"
upstream = "${upstream}/"
schema = "values.graphql"
public = ["*"]
`;
    url = (await serve({ tables, files: { 'values.graphql': SDL } })).at('/values');
  });
  after(endAll);

  for (const [argument, type] of Object.entries(TYPES)) {
    it(`as ${type}`, async () => {
      const query = `query ($v: ${type}) { take(${argument}: $v, must: 1) }`;
      const { variableDefinitions } = getOperationAST(parse(query));
      let fitting = 0;
      for (const text of [...NUMBERS, ...OTHERS]) {
        const { errors } = getVariableValues(schema, variableDefinitions, { v: JSON.parse(text) });
        arrived = undefined;
        const answer = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: `{"query":${JSON.stringify(query)},"variables":{"v":${text}}}`,
        });
        const said = `${text} as ${type}: ${errors?.[0].message ?? 'fits'}; ${await answer.text()}`;
        assert.equal(answer.status, errors ? 400 : 200, said);
        if (errors) {
          assert.equal(arrived, undefined, said);
        } else {
          assert.ok(arrived.endsWith(`"variables":{"v":${text}}}`), `${said}: ${arrived}`);
          fitting += 1;
        }
      }
      assert.ok(fitting > 1, 'next to nothing fits');
    });
  }
});
