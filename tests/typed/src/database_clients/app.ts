import { type Api, execute } from '../execute.js';
import { graphql } from './gen/index.js';
import {
  type DatabaseClientCreateFields,
  type DatabaseClientStatus,
  type SearchQuery,
  type SearchQueryVariables,
} from './gen/graphql.js';

export { DatabaseClientStatus } from './gen/graphql.js';

const CREATE = graphql(`
  mutation Create($fields: DatabaseClientCreateFields!) {
    createDatabaseClient(input: { fields: $fields }) {
      client {
        ...Whole
      }
    }
  }
`);

export const WHOLE = graphql(`
  fragment Whole on DatabaseClient {
    client_id
    name
    owner
    status
    scopes
    properties
    access_token_ttl
    client_authentication {
      primary {
        __typename
        ... on Secret {
          secret
        }
        ... on Jwks {
          jwks
        }
      }
    }
    capabilities {
      client_credentials {
        type
      }
      code {
        type
        proof_key {
          require_proof_key
        }
      }
    }
    meta {
      created
      warnings
    }
  }
`);

const SEARCH = graphql(`
  query Search($searchTerms: String, $first: Int, $after: String) {
    searchDatabaseClients(searchTerms: $searchTerms, first: $first, after: $after) {
      totalCount
      edges {
        node {
          client_id
        }
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
`);

const SET_STATUS = graphql(`
  mutation SetStatus($id: ID!, $status: DatabaseClientStatus!) {
    setDatabaseClientStatusById(input: { client_id: $id, status: $status }) {
      client {
        status
      }
    }
  }
`);

export async function create(api: Api, fields: DatabaseClientCreateFields) {
  const { createDatabaseClient } = await execute(api, CREATE, { fields });
  const client = createDatabaseClient?.client;
  if (!client) throw new Error('nothing was created');
  const primary = client.client_authentication?.primary;
  const shown: string | null = primary?.__typename === 'Secret' ? primary.secret : null;
  return { ...client, shown };
}

/** The ids of the clients that are found by `searchTerms`. */
export async function search(api: Api, searchTerms: string, first: number): Promise<string[]> {
  const ids: string[] = [];
  let variables: SearchQueryVariables = { searchTerms, first };
  for (;;) {
    const answer: SearchQuery = await execute(api, SEARCH, variables);
    for (const edge of answer.searchDatabaseClients.edges ?? []) {
      if (edge?.node) ids.push(edge.node.client_id);
    }
    const { hasNextPage, endCursor } = answer.searchDatabaseClients.pageInfo;
    if (!hasNextPage) return ids;
    variables = { ...variables, after: endCursor };
  }
}

/** The status that the client has by now; null if there is none with this id. */
export async function setStatus(api: Api, id: string, status: DatabaseClientStatus) {
  const { setDatabaseClientStatusById } = await execute(api, SET_STATUS, { id, status });
  return setDatabaseClientStatusById?.client.status ?? null;
}
