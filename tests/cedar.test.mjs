// Policies of the engine `cedar` made by chance: what Castellan refuses, decides and names as the
// reason, against Cedar's own WebAssembly. What a request is in Cedar's terms is said here once
// more, from docs/cedar.md.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { endAll, serve } from './support.mjs';

const cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs');

const SEEDS = Number(process.env.CASTELLAN_SEEDS ?? 120);
const SECRET = 'a secret of more than twelve characters';
const LARGEST = '9223372036854775807';

let castellan, token, schema;

before(async () => {
  const checker = {
    resourceType: 'Client',
    id: 'checker',
    secret: SECRET,
    grant_types: ['client_credentials'],
    scope: ['Castellan:AccessPolicy:Test'],
  };
  castellan = await serve({ documents: JSON.stringify(checker) });
  const answer = await fetch(castellan.at('/auth/token'), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: 'checker',
      client_secret: SECRET,
    }),
  });
  token = (await answer.json()).access_token;
  schema = castellan.said('config', 'cedar-schema');
});
after(endAll);

/** Mulberry32: the same seed gives the same numbers. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const ACTIONS = ['Query:User:Get', 'Query:User:List', 'Mutation:Order:Update', 'Mutation:Order:Cancel'];
const GROUPS = ['Query', 'Mutation', 'Query:User', 'Mutation:Order', 'Query:Order'];
const DECLARED = { id: 'String', n: 'Long', 'flag?': 'Bool', 'input?': { owner: 'String', 'tags?': ['String'] } };

/** Policies made by chance, and requests about which they are asked. */
function made(seed) {
  const chance = random(seed);
  const pick = (list) => list[Math.floor(chance() * list.length)];
  const often = (share) => chance() < share;
  const name = () => pick(['ann', 'bob', 'x', 'a*']);
  const action = () => `Action::"${pick([...ACTIONS, ...GROUPS])}"`;

  const leaves = [
    () => `principal in ${pick(['Group::"staff"', 'Group::"editors"', 'Role::"writer"', '[Group::"x", Role::"writer"]'])}`,
    () => `principal == ${pick(['User::"ann"', 'User::"bob"', 'Client::"app"', 'Anonymous::""'])}`,
    () => `principal is ${pick(['User', 'Client', 'Anonymous', 'User in Group::"staff"'])}`,
    () => `(principal is User && principal.${pick(['active', 'id == "ann"', 'groups.contains("staff")', 'roles.isEmpty()', 'groups == ["staff", "editors"]'])})`,
    () => `(principal is User && principal has email && principal.email like "*@${pick(['a', 'b'])}.test")`,
    () => `(principal is Client && principal.${pick(['first_party', 'confidential', 'id == "app"'])})`,
    () => `action in ${pick([action(), `[${action()}, ${action()}]`])}`,
    () => `action == Action::"${pick(ACTIONS)}"`,
    () => `resource ${pick(['is Guard', 'is Resource', 'in Site::"main"', 'in Site::"other"', '== Guard::"api"', '== Resource::"User/ann"', '== Resource::"User"'])}`,
    () => `(resource is Resource && resource has id && resource.id == "${name()}")`,
    () => `(context has method && context.method == "${pick(['get', 'post'])}")`,
    () => `(context has uri && context.uri like "${pick(['/*', '*/ann', '*\\*'])}")`,
    () => `(context has query && context has scheme && context.scheme != context.query)`,
    () => `(context has remote_addr && context.remote_addr.${pick(['isLoopback()', 'isIpv4()', 'isInRange(ip("10.0.0.0/8"))', 'isInRange(ip("2001:db8::/32"))'])})`,
    () => `(context has client && context.client.${pick(['first_party', 'id == "app"'])})`,
    () => `context.scopes.${pick(['contains("a")', 'containsAll(["a", "b"])', 'containsAny(["b", "c"])', 'isEmpty()'])}`,
    () => `(context.${pick(['params', 'headers'])}.hasTag("${pick(['a', 'b'])}") && ${often(0.5)})`,
    () => `(context.params.hasTag("a") && context.params.getTag("a").${pick(['contains("1")', 'containsAny(["2", "3"])', 'isEmpty()'])})`,
    () => `(context has fields && context.fields.${pick(['contains("User.email")', 'containsAll(["User.id"])'])})`,
    () => `context.arguments.id ${pick(['==', '!=', 'like'])} "${name()}"`,
    () => `context.arguments.n ${pick(['<', '<=', '>', '==', '+ 1 >', '* 2 =='])} ${pick(['0', '1', '7', '-3'])}`,
    // It overflows for what is positive.
    () => `context.arguments.n * 3 < ${LARGEST} - context.arguments.n * -1`,
    () => `context.arguments.n + ${LARGEST} ${pick(['>', '<'])} 0`,
    () => `(context.arguments has flag && context.arguments.flag)`,
    () => `(context.arguments has input && principal is User && context.arguments.input.owner == principal.id)`,
    () => `(context.arguments has input.tags && context.arguments.input.tags.contains("t"))`,
    () => pick(['true', 'false']),
  ];
  const invalid = [
    () => 'context.method == "get"',
    () => 'principal.email == "x"',
    () => 'context.scopes == 1',
    () => 'context.arguments.other == "x"',
    () => 'context.arguments.flag',
    () => '1 < "a"',
    () => 'principal in User::"ann"',
    () => 'principal.groups.contains(1)',
    () => 'ip(context.uri).isLoopback()',
    () => 'context.nothing',
    () => 'principal in Gruop::"x"',
  ];

  function condition(depth) {
    if (often(0.02)) return pick(invalid)();
    if (depth === 0 || often(0.35)) return pick(leaves)();
    const one = condition(depth - 1);
    switch (pick(['and', 'or', 'not', 'if'])) {
      case 'and':
        return `(${one} && ${condition(depth - 1)})`;
      case 'or':
        return `(${one} || ${condition(depth - 1)})`;
      case 'not':
        return `!(${one})`;
      default:
        return `(if ${one} then ${condition(depth - 1)} else ${condition(depth - 1)})`;
    }
  }

  const policies = Array.from({ length: 1 + Math.floor(chance() * 4) }, (_, at) => {
    const principal = pick(['principal', 'principal', 'principal', 'principal', 'principal is User', 'principal == User::"ann"', 'principal in Group::"staff"', 'principal is User in Role::"writer"']);
    const of = pick(['action', 'action', 'action', 'action', `action in ${action()}`, `action == Action::"${pick(ACTIONS)}"`, `action in [${action()}, ${action()}]`]);
    const resource = pick(['resource', 'resource', 'resource', 'resource', 'resource is Guard', 'resource in Site::"main"', 'resource == Guard::"api"', 'resource is Resource']);
    const scope = `@id("p${at}") ${often(0.65) ? 'permit' : 'forbid'} (${principal}, ${of}, ${resource})`;
    // What cannot be evaluated for arguments that are positive.
    const overflows = ` when { context.arguments.n + ${LARGEST} > 0 }`;
    const body = [
      often(0.12) ? overflows : '',
      often(0.8) ? ` when { ${condition(3)} }` : '',
      often(0.2) ? ` unless { ${condition(2)} }` : '',
    ].join('');
    return { id: `p${at}`, scope, body };
  });

  function request() {
    const document = { operation: { id: pick([...ACTIONS, 'Query:Order:Get', 'Mutation:Other:Do']) } };
    if (often(0.9)) document.site = { id: pick(['main', 'other']) };
    if (often(0.7)) {
      document.user = { id: pick(['ann', 'bob']), userName: 'ann' };
      document.user.groups = ['staff', 'editors', 'x'].filter(() => often(0.4)).map((value) => ({ value }));
      if (often(0.6)) document.user.emails = [{ value: `u@${pick(['a', 'b'])}.test`, primary: often(0.8) }];
      if (often(0.1)) document.user.inactive = true;
      document.role = ['writer', 'reader'].filter(() => often(0.5));
    }
    if (often(0.8)) {
      document.client = { id: pick(['app', 'tool']), type: pick(['public', 'confidential']) };
      if (often(0.5)) document.client.first_party = true;
      if (often(0.5)) document.client.name = 'App';
    }
    if (often(0.6)) document['request-method'] = pick(['get', 'post']);
    if (often(0.6)) document.uri = pick(['/User/ann', '/graphql', '/a*']);
    if (often(0.4)) document.scheme = 'https';
    if (often(0.4)) document['query-string'] = 'a=1';
    if (often(0.7)) document['remote-addr'] = pick(['127.0.0.1', '10.1.2.3', '2001:db8::1', '::ffff:10.0.0.1']);
    if (often(0.7)) document.session = { scope: ['a', 'b', 'c'].filter(() => often(0.5)).join(' ') };
    document.params = {};
    if (often(0.5)) document.params.a = pick(['1', ['1', '2'], ['3']]);
    if (often(0.5)) document.headers = { b: 'x' };
    if (often(0.5)) document.guard = { name: pick(['api', 'shop']) };
    else if (often(0.9)) {
      document.params['resource/type'] = 'User';
      if (often(0.7)) document.params['resource/id'] = pick(['ann', 'bob']);
    }
    if (often(0.5)) document.fields = ['User.email', 'User.id'].filter(() => often(0.5));
    if (often(0.85)) {
      document.arguments = { id: pick(['ann', 'x']), n: pick([0, 1, 7, -3]), more: [{}] };
      if (often(0.5)) document.arguments.flag = pick([true, false, null]);
      if (often(0.5)) document.arguments.input = { owner: pick(['ann', 'bob']) };
      if (document.arguments.input && often(0.5)) document.arguments.input.tags = pick([['t'], ['u', 't', 't'], []]);
      // Now and then one that is not as declared.
      if (often(0.15)) document.arguments[pick(['id', 'n', 'flag', 'input'])] = pick([1.5, [], 'x', { owner: 1 }]);
    }
    return document;
  }

  return { policies, requests: Array.from({ length: 6 }, request) };
}

const typeText = (type) => {
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) return `Set<${typeText(type[0])}>`;
  const members = Object.entries(type).map(([key, of]) => {
    const name = key.replace('?', '');
    return `"${name}"${key === name ? '' : '?'}: ${typeText(of)}`;
  });
  return `{ ${members.join(', ')} }`;
};

/** Whether arguments are as declared, and what of them Cedar sees. */
function fit(type, value) {
  if (type === 'String') return typeof value === 'string' ? [value] : undefined;
  if (type === 'Long') return Number.isSafeInteger(value) ? [value] : undefined;
  if (type === 'Bool') return typeof value === 'boolean' ? [value] : undefined;
  if (Array.isArray(type)) {
    const items = Array.isArray(value) ? value.map((item) => fit(type[0], item)) : [undefined];
    return items.includes(undefined) ? undefined : [items.map(([item]) => item)];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const record = {};
  for (const [key, of] of Object.entries(type)) {
    const name = key.replace('?', '');
    const given = value[name] ?? undefined;
    if (given === undefined && key !== name) continue;
    const inside = fit(of, given);
    if (!inside) return undefined;
    [record[name]] = inside;
  }
  return [record];
}

/** The schema with all actions that the policies can name, and one beside them in each group. */
function wholeSchema() {
  const leaves = [...ACTIONS, 'other', ...GROUPS.map((group) => `${group}:other`)];
  const parent = (name) => {
    const of = name.split(':').slice(0, -1).join(':');
    return of ? ` in ["${of}"]` : '';
  };
  const declared = [
    ...GROUPS.map((name) => `action "${name}"${parent(name)};`),
    ...leaves.map(
      (name) =>
        `action "${name}"${parent(name)} appliesTo { principal: [User, Client, Anonymous], ` +
        'resource: [Guard, Resource, Site], context: RequestContext };',
    ),
  ];
  return `${schema}\ntype Arguments = ${typeText(DECLARED)};\n${declared.join('\n')}`;
}

const entity = (type, id) => ({ type, id });

/** A request in Cedar's terms; nothing if it has no resource. */
function inCedar(document, args) {
  const entities = [];
  const add = (uid, attrs = {}, parents = [], tags = {}) => {
    entities.push({ uid, attrs, parents, tags });
    return uid;
  };
  const [one, two] = document.operation.id.split(':');
  add(entity('Action', `${one}:${two}`), {}, [entity('Action', one)]);
  const action = add(entity('Action', document.operation.id), {}, [entity('Action', `${one}:${two}`)]);

  const { user, client, site, params } = document;
  const roles = document.role ?? [];
  let app, principal;
  if (client) {
    app = add(entity('Client', client.id), {
      id: client.id,
      first_party: client.first_party ?? false,
      confidential: client.type === 'confidential',
      ...(client.name && { name: client.name }),
    });
  }
  if (user) {
    const groups = user.groups.map(({ value }) => value);
    const email = user.emails?.find(({ primary }) => primary)?.value;
    principal = add(
      entity('User', user.id),
      { id: user.id, user_name: user.userName, active: !user.inactive, groups, roles, ...(email && { email }) },
      [...groups.map((id) => entity('Group', id)), ...roles.map((id) => entity('Role', id))],
    );
  } else principal = app ?? add(entity('Anonymous', ''));

  const within = site ? [add(entity('Site', site.id))] : [];
  let resource = within[0];
  if (document.guard) resource = add(entity('Guard', document.guard.name), {}, within);
  else if (params['resource/type']) {
    const kind = params['resource/type'];
    const id = params['resource/id'];
    resource = add(entity('Resource', id ? `${kind}/${id}` : kind), { kind, ...(id && { id }) }, within);
  }
  if (!resource) return undefined;

  const texts = (name) => {
    const given = Object.entries(document[name] ?? {}).filter(([key]) => !key.startsWith('resource/'));
    const tags = Object.fromEntries(given.map(([key, value]) => [key, [value].flat()]));
    return { __entity: add(entity('Texts', name), {}, [], tags) };
  };
  const address = document['remote-addr']?.replace('::ffff:', '');
  const context = {
    params: texts('params'),
    headers: texts('headers'),
    scopes: (document.session?.scope ?? '').split(' ').filter(Boolean),
    ...(document['request-method'] && { method: document['request-method'] }),
    ...(document.uri && { uri: document.uri }),
    ...(document.scheme && { scheme: document.scheme }),
    ...(document['query-string'] && { query: document['query-string'] }),
    ...(address && { remote_addr: { __extn: { fn: 'ip', arg: address } } }),
    ...(app && { client: { __entity: app } }),
    ...(document.fields && { fields: document.fields }),
    ...(args && { arguments: args }),
  };
  return { principal, action, resource, context, entities };
}

/** What is decided, by Cedar's own build of itself. */
function oracle(policies, document) {
  const reads = (policy) => policy.body.includes('context.arguments');
  const [args] = fit(DECLARED, document.arguments ?? {}) ?? [];
  const asked = policies
    .map((policy) => (args || !reads(policy) ? policy : { ...policy, body: '' }))
    .filter((policy, at) => args || !reads(policies[at]) || policy.scope.includes(' forbid '));
  const call = inCedar(document, args);
  const mayForbid = policies.some(({ scope }) => scope.includes(' forbid '));
  if (!call) return { decision: mayForbid ? 'forbid' : 'none', policies: [] };
  const staticPolicies = Object.fromEntries(asked.map(({ id, scope, body }) => [id, `${scope}${body};`]));
  const answer = cedar.isAuthorized({ ...call, policies: { staticPolicies } });
  assert.equal(answer.type, 'success', JSON.stringify(answer));
  const { decision, diagnostics } = answer.response;
  const reasons = [...diagnostics.reason].sort();
  const broken = diagnostics.errors.map(({ policyId }) => policyId);
  const forbids = asked.filter(({ id, scope }) => broken.includes(id) && scope.includes(' forbid '));
  if (forbids.length) return { decision: 'forbid', policies: forbids.map(({ id }) => id), isBroken: true };
  if (decision === 'allow') return { decision: 'permit', policies: reasons };
  return { decision: reasons.length ? 'forbid' : 'none', policies: reasons };
}

async function test(policies, request) {
  const text = policies.map(({ scope, body }) => `${scope}${body};`).join('\n');
  const policy = { engine: 'cedar', cedar: text };
  if (text.includes('context.arguments')) policy.arguments = DECLARED;
  // It is asked at these guards alone, or else at resources alone.
  if (request.guard) policy.link = [{ reference: 'Guard/api' }, { reference: 'Guard/shop' }];
  const answer = await fetch(castellan.at('/auth/test-policy'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ policy, request }),
  });
  return { status: answer.status, body: await answer.json(), text };
}

describe('policies by chance', () => {
  it('are refused, decided and explained as by Cedar itself', async () => {
    const whole = wholeSchema();
    const seen = { valid: 0, invalid: 0, permit: 0, forbid: 0, none: 0, broken: 0 };
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { policies, requests } = made(seed);
      const staticPolicies = Object.fromEntries(policies.map(({ id, scope, body }) => [id, `${scope}${body};`]));
      const validated = cedar.validate({ schema: whole, policies: { staticPolicies } });
      assert.equal(validated.type, 'success', JSON.stringify(validated));
      const isValid = validated.validationErrors.length === 0;
      seen[isValid ? 'valid' : 'invalid'] += 1;
      for (const request of isValid ? requests : requests.slice(0, 1)) {
        const { status, body, text } = await test(policies, request);
        const told = () => `seed ${seed}\n${text}\n${JSON.stringify(request)}\n${JSON.stringify(body)}`;
        assert.equal(status, isValid ? 200 : 422, `${told()}\n${JSON.stringify(validated.validationErrors)}`);
        if (!isValid) continue;
        const expected = oracle(policies, request);
        seen[expected.decision] += 1;
        assert.equal(body.cedar.decision, expected.decision, told());
        assert.equal(body['eval-result'], expected.decision === 'permit', told());
        if (expected.isBroken) {
          seen.broken += 1;
          assert.ok(expected.policies.includes(body.cedar.policies[0]), told());
        } else assert.deepEqual(body.cedar.policies, expected.policies, told());
      }
    }
    for (const [what, count] of Object.entries(seen)) {
      assert.ok(count > SEEDS / 40, `only ${count} times ${what}: ${JSON.stringify(seen)}`);
    }
  });
});
