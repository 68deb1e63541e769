// Two implementations read one corpus: the gate, and graphql-js. What the gate lets through, refuses
// and answers is held against graphql-js running the same document under the same rules.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import {
  buildSchema,
  execute,
  getOperationAST,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  parse,
  validate,
  visit,
} from 'graphql';
import { randomDocument } from './random-document.mjs';
import { endAll, listen, serve } from './support.mjs';

const SDL = readFileSync(new URL('differential.sdl', import.meta.url), 'utf8');
const CORPUS = new URL('corpus/', import.meta.url);
const schema = buildSchema(SDL);

/** Documents made by chance; each seed is one. */
const SEEDS = Number(process.env.CASTELLAN_SEEDS ?? 300);

/** What anybody may ask for at the guards that let something through. */
const OPEN = {
  'Query.book': 'Query:Book:Get',
  'Query.books': 'Query:Book:List',
  'Query.query': 'Query:Query:Get',
  'Query.search': 'Query:Found:List',
  'Mutation.createBook': 'Mutation:Book:Create',
  'Mutation.deleteBook': 'Mutation:Book:Delete',
};

const guards = {
  nothing: { allowed: [], onDeny: 'null' },
  some: { allowed: Object.keys(OPEN), onDeny: 'null' },
  strict: { allowed: Object.keys(OPEN), onDeny: 'reject' },
  all: { allowed: undefined, onDeny: 'reject' },
};

/** Runs a document; every value tells where it stands, and every field that ran is told. */
async function run(document, { variables, operation }, mayRun = () => true) {
  const [ran, denied] = [new Set(), []];
  const answer = await execute({
    schema,
    document,
    operationName: operation,
    variableValues: variables,
    fieldResolver(_, args, __, info) {
      const path = keys(info.path);
      const field = `${info.parentType.name}.${info.fieldName}`;
      const here = { path: path.join('.'), nullable: !isNonNullType(info.returnType) };
      if (!mayRun(field, here)) {
        denied.push(here);
        throw new Error('denied');
      }
      ran.add(`${field} as ${path.join('.')}`);
      return value(info.returnType, args, path);
    },
    typeResolver: (source) => source.type,
  });
  return { answer, ran, denied };
}

function keys(path) {
  return path ? [...keys(path.prev), path.key] : [];
}

function value(type, args, path) {
  if (isNonNullType(type)) return value(type.ofType, args, path);
  if (isListType(type)) return [0, 1].map((at) => value(type.ofType, args, [...path, at]));
  if (type.name === 'Int') return path.join('.').length;
  if (isLeafType(type)) return `${path.join('.')} ${JSON.stringify(args)}`;
  if (!isAbstractType(type)) return {};
  const wantsNote = args.kind === 'NOTE' || path.at(-1) === 1;
  return { type: wantsNote ? 'Note' : 'Book' };
}

/** What graphql-js says of a document, without a gate. */
async function reference(source, how, { allowed, onDeny }) {
  let document;
  try {
    document = parse(source);
  } catch (error) {
    return { refused: error.message };
  }
  const [wrong] = validate(schema, document);
  if (wrong) return { refused: wrong.message };
  const operation = getOperationAST(document, how.operation);
  if (!operation) return { refused: 'no operation' };
  if (operation.operation === 'subscription') return { refused: 'no subscriptions' };
  const isRoot = (field) => /^(Query|Mutation)\./.test(field);
  const mayRun = (field) => !allowed || !isRoot(field) || allowed.includes(field);
  const { answer, ran, denied } = await run(document, how, mayRun);
  if (!('data' in answer)) return { refused: answer.errors[0].message };
  // What would be denied if nothing were skipped, and if nothing above it were denied.
  const touched = [];
  const unskipped = visit(document, {
    Directive: (node) => (['skip', 'include'].includes(node.name.value) ? null : undefined),
  });
  await run(unskipped, how, (field, one) => mayRun(field) || (touched.push(one), true));
  const topmost = denied.map((one) => one.path);
  const within = ({ path }) => topmost.some((other) => path.startsWith(`${other}.`));
  const stops =
    (denied.length > 0 && answer.data === null) ||
    (denied.length > 0 && operation.operation === 'mutation' && onDeny === 'reject');
  return {
    stops,
    mayStop: touched.some((one) => !one.nullable),
    data: answer.data,
    ran,
    denied: topmost,
    below: touched.some((one) => one.path.includes('.') && !within(one)),
  };
}

/** Paths that lie in no other of `paths`. */
function outermost(paths) {
  const inner = (path) => paths.some((other) => path.startsWith(`${other}.`));
  return [...new Set(paths.filter((path) => !inner(path)))].sort();
}

describe('the gate and graphql-js', () => {
  let castellan;
  let ranUpstream;

  before(async () => {
    const upstream = await listen(
      createServer(async (request, response) => {
        const chunks = await all(request);
        const { query, variables, operationName } = JSON.parse(Buffer.concat(chunks));
        const how = { variables, operation: operationName };
        const { answer, ran } = await run(parse(query), how);
        ran.forEach((one) => ranUpstream.add(one));
        response.setHeader('content-type', 'application/graphql-response+json');
        response.end(JSON.stringify(answer));
      }),
    );
    const table = ([name, { allowed, onDeny }]) => `
[[guard]]
name = "${name}"
path = "/${name}"
upstream = "${upstream}/"
schema = "differential.sdl"
on_deny = "${onDeny}"
public = ${JSON.stringify(allowed ? allowed.map((field) => OPEN[field]) : ['*'])}
limits = { aliases = 1000, root_fields = 1000 }
`;
    castellan = await serve({
      tables: Object.entries(guards).map(table).join(''),
      files: { 'differential.sdl': SDL },
    });
  });

  after(endAll);

  async function compare(source, how) {
    for (const [name, guard] of Object.entries(guards)) {
      ranUpstream = new Set();
      const expected = await reference(source, how, guard);
      const answer = await fetch(castellan.at(`/${name}`), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/graphql-response+json',
        },
        body: JSON.stringify({
          query: source,
          variables: how.variables,
          operationName: how.operation,
        }),
      });
      const got = await answer.json();
      const said = `guard ${name}\n${source}\nreference: ${JSON.stringify(expected, show)}\ngate: ${JSON.stringify(got)}`;
      agree({ status: answer.status, ...got }, expected, said);
    }
  }

  function agree(got, expected, said) {
    const refused = !('data' in got);
    assert.equal(refused, 'refused' in expected, `one refuses, the other does not: ${said}`);
    if (refused) {
      assert.equal(got.status, 400, said);
      return assert.equal(ranUpstream.size, 0, said);
    }
    assert.equal(got.status, 200, said);
    const paths = (got.errors ?? []).map((error) => error.path.join('.'));
    // The null of a denied field goes up to what may be null; where all of it is gone, nothing runs.
    if (expected.stops || (expected.mayStop && got.data === null)) {
      assert.equal(got.data, null, said);
      assert.equal(ranUpstream.size, 0, said);
      assert.ok(paths.length > 0, said);
      return;
    }
    if (expected.mayStop) {
      // What ran beside a denied field that must not be null is lost with it.
      for (const path of expected.denied.filter((path) => !path.includes('.'))) {
        assert.ok(paths.includes(path), `nothing is told of ${path}: ${said}`);
      }
      for (const key of Object.keys(expected.data ?? {})) {
        assert.ok(key in got.data, `${key} is missing: ${said}`);
        if (expected.data[key] === null) assert.equal(got.data[key], null, `${key}: ${said}`);
      }
      return;
    }
    for (const one of ranUpstream) {
      assert.ok(expected.ran.has(one), `${one} ran: ${said}`);
      assert.ok(at(got.data, one.split(' as ')[1]), `${one} ran and is not answered: ${said}`);
    }
    if (expected.below) {
      // A field of which nothing is left is gone itself, so only the outer bounds can be compared.
      for (const path of expected.denied) {
        const told = paths.some((other) => path === other || path.startsWith(`${other}.`));
        assert.ok(told, `nothing is told of ${path}: ${said}`);
      }
      return;
    }
    assert.deepEqual(outermost(paths), outermost(expected.denied), said);
    assert.deepEqual([...ranUpstream].sort(), [...expected.ran].sort(), said);
    // As text: the order of members counts, too.
    assert.equal(JSON.stringify(got.data), JSON.stringify(expected.data), said);
  }

  for (const file of readdirSync(CORPUS).sort()) {
    it(`agree on ${file}`, async () => {
      const source = readFileSync(new URL(file, CORPUS), 'utf8');
      const told = (name) => source.match(new RegExp(`^# ${name}: (.*)$`, 'm'))?.[1];
      const variables = JSON.parse(told('variables') ?? '{}');
      await compare(source, { variables, operation: told('operation') });
    });
  }

  it(`agree on ${SEEDS} documents made by chance`, async (t) => {
    let valid = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { source, variables } = randomDocument(schema, seed);
      try {
        await compare(source, { variables });
      } catch (error) {
        error.message = `seed ${seed}: ${error.message}`;
        throw error;
      }
      if (validate(schema, parse(source)).length === 0) valid += 1;
    }
    t.diagnostic(`${valid} of them are valid`);
    assert.ok(valid > SEEDS / 4, 'chance makes too few valid documents');
  });
});

/** What stands at `path`, written with dots, or nothing. */
function at(data, path) {
  return path.split('.').reduce((held, key) => held?.[key], data);
}

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

function show(_, held) {
  return held instanceof Set ? [...held] : held;
}
