import { graphql } from 'relay-runtime';

export { environment, looked, mutated, Pages, queried } from '../runtime.js';

export const clients = graphql`
  fragment app_clients on Query
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 5 }
    cursor: { type: "String" }
    tags: { type: "[String!]" }
  )
  @refetchable(queryName: "appClientsPageQuery") {
    databaseClients(first: $count, after: $cursor, tags: $tags)
      @connection(key: "app_clients_databaseClients", filters: ["tags"]) {
      totalCount
      edges {
        node {
          name
          status
        }
      }
    }
  }
`;

export const clientsQuery = graphql`
  query appClientsQuery($tags: [String!]) {
    ...app_clients @arguments(tags: $tags)
  }
`;

export const clientQuery = graphql`
  query appClientQuery($id: ID!) {
    databaseClientById(id: $id) {
      client_id
      name
      properties
      access_token_ttl
      client_authentication {
        primary {
          __typename
          ... on Secret {
            secret
          }
          ... on MutualTlsVerifier {
            mutual_tls {
              __typename
              ... on NameAndCa {
                trusted_cas
              }
              ... on DnMutualTls {
                client_dn
              }
            }
          }
        }
      }
      capabilities {
        client_credentials {
          type
        }
        code {
          type
        }
      }
    }
  }
`;

export const createMutation = graphql`
  mutation appCreateMutation($input: CreateDatabaseClientInput!) {
    createDatabaseClient(input: $input) {
      client {
        client_id
        name
        status
        meta {
          warnings
        }
      }
    }
  }
`;

export const statusMutation = graphql`
  mutation appStatusMutation($input: SetDatabaseClientStatusByIdInput!) {
    setDatabaseClientStatusById(input: $input) {
      client {
        client_id
        status
      }
    }
  }
`;

export const deleteMutation = graphql`
  mutation appDeleteMutation($input: DeleteDatabaseClientByIdInput!) {
    deleteDatabaseClientById(input: $input) {
      deleted
    }
  }
`;
