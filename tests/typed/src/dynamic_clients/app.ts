import { type Api, execute } from '../execute.js';
import { graphql } from './gen/index.js';
import {
  type DynamicallyRegisteredClientStatus,
  type RegisteredQuery,
  type RegisteredQueryVariables,
} from './gen/graphql.js';

const REGISTERED = graphql(`
  query Registered($active: Boolean, $first: Int, $after: String) {
    dynamicallyRegisteredClients(activeClientsOnly: $active, first: $first, after: $after) {
      totalCount
      edges {
        node {
          client_id
          client_name
          status
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
  mutation SetStatus($input: SetDynamicallyRegisteredClientStatusByIdInput!) {
    setDynamicallyRegisteredClientStatusById(input: $input) {
      client {
        status
      }
    }
  }
`);

/** The names and statuses of the clients that registered themselves, by their ids. */
export async function registered(api: Api, active: boolean, first: number) {
  const clients: Record<string, [string, DynamicallyRegisteredClientStatus]> = {};
  let variables: RegisteredQueryVariables = { active, first };
  for (;;) {
    const answer: RegisteredQuery = await execute(api, REGISTERED, variables);
    const { edges, pageInfo } = answer.dynamicallyRegisteredClients;
    for (const edge of edges ?? []) {
      if (!edge?.node) continue;
      clients[edge.node.client_id] = [edge.node.client_name ?? '', edge.node.status];
    }
    if (!pageInfo.hasNextPage) return clients;
    variables = { ...variables, after: pageInfo.endCursor };
  }
}

export async function setStatus(
  api: Api,
  client_id: string,
  status: DynamicallyRegisteredClientStatus,
) {
  const answer = await execute(api, SET_STATUS, { input: { client_id, status } });
  return answer.setDynamicallyRegisteredClientStatusById?.client?.status;
}
