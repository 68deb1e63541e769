import { type Api, execute } from '../execute.js';
import { graphql } from './gen/index.js';
import { type GrantedQuery, type GrantedQueryVariables } from './gen/graphql.js';

const GRANTED = graphql(`
  query Granted($owner: String!, $first: Int, $after: String) {
    grantedAuthorizationsByOwner(owner: $owner, first: $first, after: $after) {
      totalCount
      warnings {
        type
      }
      edges {
        node {
          authorizedClient {
            id
          }
          authorizedScopes {
            localizedName
          }
          meta {
            lastModified
          }
        }
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
`);

const REVOKE = graphql(`
  mutation Revoke($input: RevokeGrantedAuthorizationsByOwnerInput) {
    revokeGrantedAuthorizationsByOwner(input: $input) {
      success
    }
  }
`);

/** The apps that `owner` lets in, each with the names of its scopes. */
export async function apps(api: Api, owner: string, first: number) {
  const apps: Record<string, string[]> = {};
  let variables: GrantedQueryVariables = { owner, first };
  for (;;) {
    const answer: GrantedQuery = await execute(api, GRANTED, variables);
    const { edges, pageInfo } = answer.grantedAuthorizationsByOwner;
    for (const { node } of edges) {
      apps[node.authorizedClient.id] = node.authorizedScopes.map((scope) => scope.localizedName);
    }
    if (!pageInfo.hasNextPage) return apps;
    variables = { ...variables, after: pageInfo.endCursor };
  }
}

export async function revoke(api: Api, owner: string): Promise<boolean | undefined> {
  const answer = await execute(api, REVOKE, { input: { owner } });
  return answer.revokeGrantedAuthorizationsByOwner?.success;
}
