// Documents made by chance for a schema. The same seed makes the same document. Most are valid;
// the rest are wrong in the ways in which documents are: conflicts, spreads that cannot match,
// things that are not used.

import { getNamedType, isAbstractType, isLeafType, isObjectType } from 'graphql';

/** The document of `seed`, and values for its variables. */
export function randomDocument(schema, seed) {
  const chance = random(seed);
  const pick = (list) => list[Math.floor(chance() * list.length)];
  const often = (share) => chance() < share;

  const composites = Object.values(schema.getTypeMap()).filter(
    (type) => (isObjectType(type) || isAbstractType(type)) && !type.name.startsWith('__'),
  );
  const fragments = new Map();

  function directive() {
    if (!often(0.15)) return '';
    return ` @${pick(['skip', 'include'])}(if: ${pick(['true', 'false', '$yes', '$no'])})`;
  }

  function argument({ name, type }) {
    const given = {
      Int: '1',
      ID: '"1"',
      String: '"x"',
      Boolean: 'true',
      Kind: 'NOTE',
      Filter: '{ title: "x" }',
    };
    return `${name}: ${given[getNamedType(type).name]}`;
  }

  function field(type, depth) {
    const fields = type.getFields ? Object.values(type.getFields()) : [];
    const usable = fields.filter((one) => depth > 0 || isLeafType(getNamedType(one.type)));
    if (usable.length === 0 || often(0.1)) return '__typename';
    const { name, args, type: of } = pick(usable);
    const alias = often(0.2) ? `${pick(['a', 'b', 'c', name])}: ` : '';
    const given = args.filter((one) => String(one.type).endsWith('!') || often(0.2)).map(argument);
    const list = given.length ? `(${given.join(', ')})` : '';
    const below = isLeafType(getNamedType(of)) ? '' : ` ${selection(getNamedType(of), depth - 1)}`;
    return `${alias}${name}${list}${directive()}${below}`;
  }

  /** Types that an object of `type` may be. */
  function kin(type) {
    if (often(0.03)) return pick(composites);
    if (isAbstractType(type)) return pick([type, ...schema.getPossibleTypes(type)]);
    return pick([type, ...(type.getInterfaces?.() ?? [])]);
  }

  function spread(type, depth) {
    const name = `F${1 + Math.floor(chance() * 4)}`;
    const held = fragments.get(name);
    if (held) return held.on === type ? `...${name}${directive()}` : field(type, depth);
    // Kept before it is made, so that it does not hold itself; now and then it does all the same.
    fragments.set(name, { on: often(0.03) ? type : undefined });
    const on = kin(type);
    fragments.set(name, {
      on: type,
      text: `fragment ${name} on ${on.name} ${selection(on, depth - 1)}`,
    });
    return `...${name}${directive()}`;
  }

  function selection(type, depth) {
    const count = 1 + Math.floor(chance() * 3);
    const parts = Array.from({ length: count }, () => {
      const kind = chance();
      if (depth > 0 && kind < 0.15) {
        const on = often(0.7) ? ` on ${kin(type).name}` : '';
        const inside = on ? schema.getType(on.slice(4)) : type;
        return `...${on}${directive()} ${selection(inside, depth - 1)}`;
      }
      return depth > 0 && kind < 0.3 ? spread(type, depth) : field(type, depth);
    });
    return `{ ${parts.join(pick([' ', '\n', ', ']))} }`;
  }

  const isMutation = often(0.3);
  const root = isMutation ? schema.getMutationType() : schema.getQueryType();
  const body = selection(root, 4);
  const rest = [...fragments.values()].map(({ text }) => text).join('\n');
  const used = ['yes', 'no'].filter((name) => `${body}${rest}`.includes(`$${name}`) || often(0.03));
  const defined = used.length ? ` (${used.map((name) => `$${name}: Boolean!`).join(', ')})` : '';
  const source = `${isMutation ? 'mutation' : 'query'} Q${defined} ${body}\n${rest}`;
  return { source, variables: { yes: true, no: false } };
}

/** Numbers from 0 to 1 (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
