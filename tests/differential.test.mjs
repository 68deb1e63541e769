// Two implementations read one corpus: the gate, and graphql-js. What the gate lets through, refuses
// and answers is held against graphql-js running the same document under the same rules.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import {
  TypeInfo,
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
  visitWithTypeInfo,
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
  const ran = new Set();
  const answer = await execute({
    schema,
    document,
    operationName: operation,
    variableValues: variables,
    fieldResolver(_, args, __, info) {
      const path = keys(info.path);
      const here = `${info.parentType.name}.${info.fieldName} as ${path.join('.')}`;
      if (!mayRun(here)) throw new Error('denied');
      ran.add(here);
      return value(info.returnType, args, path);
    },
    typeResolver: (source) => source.type,
  });
  // As JSON has it, without what else objects of graphql-js are.
  return { ran, ...JSON.parse(JSON.stringify(answer)) };
}

/** Calls `see` with each field of a root type that stands anywhere in a document. */
function withRootFields(document, see) {
  const info = new TypeInfo(schema);
  const Field = ({ name }) => {
    const field = `${info.getParentType()?.name}.${name.value}`;
    return /^(Query|Mutation)\.(?!__)/.test(field) ? see(field) : undefined;
  };
  return visit(document, visitWithTypeInfo(info, { Field }));
}

/** A document without the fields that are not `allowed`, and without what selects nothing then. */
function prune(document, allowed) {
  let left = withRootFields(document, (field) => (allowed.includes(field) ? undefined : null));
  const gone = new Set();
  const unlessEmpty = (node) => (node.selectionSet?.selections.length === 0 ? null : undefined);
  for (;;) {
    const less = visit(left, {
      Field: { leave: unlessEmpty },
      InlineFragment: { leave: unlessEmpty },
      FragmentDefinition: {
        leave(node) {
          if (unlessEmpty(node) === null) gone.add(node.name.value);
          return unlessEmpty(node);
        },
      },
      FragmentSpread: ({ name }) => (gone.has(name.value) ? null : undefined),
    });
    if (less === left) return left;
    left = less;
  }
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
  const all = await run(document, how);
  if (!('data' in all)) return { refused: all.errors[0].message };
  const left = await run(allowed ? prune(document, allowed) : document, how);
  const gone = outermost([...all.ran].filter((one) => !left.ran.has(one)).map(pathOf));
  // Where the null of what is gone ends up is graphql-js's to say.
  const { data } = await run(document, how, (one) => left.ran.has(one));
  const isRejected = operation.operation === 'mutation' && onDeny === 'reject';
  return { stops: gone.length > 0 && (data === null || isRejected), data, left, gone };
}

/** The path in `Query.book as path.to.it`. */
function pathOf(one) {
  return one.split(' as ')[1];
}

/** Paths that lie in no other of `paths`. */
function outermost(paths) {
  const inner = (path) => paths.some((other) => path.startsWith(`${other}.`));
  return [...new Set(paths.filter((path) => !inner(path)))].sort();
}

describe('the gate and graphql-js', () => {
  let castellan;
  let ranUpstream;
  let askedUpstream;

  before(async () => {
    const upstream = await listen(
      createServer(async (request, response) => {
        const chunks = await all(request);
        const { query, variables, operationName } = JSON.parse(Buffer.concat(chunks));
        const how = { variables, operation: operationName };
        const document = parse(query);
        withRootFields(document, (field) => void askedUpstream.add(field));
        const { ran, ...answer } = await run(document, how);
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
      askedUpstream = new Set();
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
      const said = `guard ${name}\n${source}\nreference: ${JSON.stringify(expected, show)}\ngate: ${JSON.stringify(got)}\nupstream: ${JSON.stringify(ranUpstream, show)}`;
      // Whatever became of it, and whether it would have run or not.
      const leaked = [...askedUpstream].filter((field) => guard.allowed?.includes(field) === false);
      assert.deepEqual(leaked, [], said);
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
    if (expected.stops) {
      assert.equal(got.data, null, said);
      assert.equal(ranUpstream.size, 0, said);
      assert.ok(paths.length > 0, said);
      return;
    }
    assert.deepEqual(outermost(paths), expected.gone, said);
    assert.deepEqual(got.data, expected.data, said);
    const { ran, data } = expected.left;
    for (const one of ranUpstream) assert.ok(ran.has(one), `${one} ran: ${said}`);
    // Beside a field whose null goes up nobody sees what ran.
    for (const one of ran) {
      const isSeen = at(got.data, pathOf(one)) !== undefined;
      assert.ok(!isSeen || ranUpstream.has(one), `${one} did not run: ${said}`);
    }
    // The order of members counts, too: below the root that of what is left.
    assert.deepEqual(Object.keys(got.data), Object.keys(expected.data), said);
    for (const [key, value] of Object.entries(data)) {
      if (expected.gone.some((path) => path === key || path.startsWith(`${key}.`))) continue;
      assert.equal(JSON.stringify(got.data[key]), JSON.stringify(value), said);
    }
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
