// What every app has: an environment, and the calls below the hooks of `react-relay`.

import {
  Environment,
  Network,
  RecordSource,
  Store,
  commitMutation,
  createOperationDescriptor,
  fetchQuery,
  getPaginationMetadata,
  getPaginationVariables,
  getRequest,
  getSelector,
  getSingularSelector,
  getValueAtPath,
} from 'relay-runtime';

/** An environment whose network is the API at `url`; `sent` gets what is sent. */
export function environment(url, token, sent = [], options = {}) {
  const network = Network.create(async ({ text }, variables) => {
    sent.push(text);
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: text, variables }),
    });
    if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
    return answer.json();
  });
  return new Environment({ network, store: new Store(new RecordSource()), ...options });
}

/** What the query answers. */
export function queried(env, query, variables = {}) {
  return fetchQuery(env, query, variables).toPromise();
}

/** What the mutation answers; fails with the first of its errors. */
export function mutated(env, mutation, variables, more = {}) {
  return new Promise((resolve, reject) => {
    commitMutation(env, {
      mutation,
      variables,
      onCompleted: (answer, errors) => {
        if (errors?.length) reject(Object.assign(new Error(errors[0].message), { errors }));
        else resolve(answer);
      },
      onError: reject,
      ...more,
    });
  });
}

/** What is in the store of what `query` once answered. */
export function looked(env, query, variables = {}) {
  return env.lookup(createOperationDescriptor(getRequest(query), variables).fragment).data;
}

/** A fragment with a connection, page by page: the way of `usePaginationFragment`. */
export class Pages {
  constructor(env, fragment, query, variables) {
    Object.assign(this, { env, fragment, query, variables });
  }

  /** Fetches the first page. */
  async begin() {
    const operation = createOperationDescriptor(getRequest(this.query), this.variables);
    // What is read stays in the store.
    this.env.retain(operation);
    await queried(this.env, this.query, this.variables);
    this.reference = this.env.lookup(operation.fragment).data;
    return this;
  }

  /** What the store has of the fragment by now. */
  get data() {
    return this.env.lookup(getSingularSelector(this.fragment, this.reference)).data;
  }

  get connection() {
    const { connectionPathInFragmentData } = getPaginationMetadata(this.fragment, 'Pages');
    return getValueAtPath(this.data, connectionPathInFragmentData);
  }

  get nodes() {
    return this.connection.edges.map(({ node }) => node);
  }

  get hasNext() {
    return this.connection.pageInfo.hasNextPage;
  }

  /** Fetches `count` more. */
  async next(count) {
    const { paginationRequest, paginationMetadata } = getPaginationMetadata(this.fragment, 'Pages');
    const { owner, variables } = getSelector(this.fragment, this.reference);
    const asked = getPaginationVariables(
      'forward',
      count,
      this.connection.pageInfo.endCursor,
      { ...owner.variables, ...variables },
      {},
      paginationMetadata,
    );
    await queried(this.env, paginationRequest, asked);
    return this;
  }
}
