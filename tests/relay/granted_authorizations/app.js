import { graphql } from 'relay-runtime';

export { environment, looked, mutated, Pages, queried } from '../runtime.js';

export const granted = graphql`
  fragment app_granted on Query
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 2 }
    cursor: { type: "String" }
    owner: { type: "String!" }
  )
  @refetchable(queryName: "appGrantedPageQuery") {
    grantedAuthorizationsByOwner(owner: $owner, first: $count, after: $cursor)
      @connection(key: "app_granted_grantedAuthorizationsByOwner") {
      totalCount
      warnings {
        type
      }
      edges {
        node {
          owner
          authorizedClient {
            id
            name
          }
          authorizedScopes {
            name
            localizedName
          }
          authorizedClaims {
            name
          }
          meta {
            created
            lastModified
          }
        }
      }
    }
  }
`;

export const grantedQuery = graphql`
  query appGrantedQuery($owner: String!) {
    ...app_granted @arguments(owner: $owner)
  }
`;

export const revokeMutation = graphql`
  mutation appRevokeMutation($input: RevokeGrantedAuthorizationByOwnerAndClientInput) {
    revokeGrantedAuthorizationsByOwnerAndClient(input: $input) {
      success
      asynchronous
    }
  }
`;
