import { graphql } from 'relay-runtime';

export { environment, looked, mutated, Pages, queried } from '../runtime.js';

export const registered = graphql`
  fragment app_registered on Query
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 2 }
    cursor: { type: "String" }
    active: { type: "Boolean" }
  )
  @refetchable(queryName: "appRegisteredPageQuery") {
    dynamicallyRegisteredClients(first: $count, after: $cursor, activeClientsOnly: $active)
      @connection(
        key: "app_registered_dynamicallyRegisteredClients"
        filters: ["activeClientsOnly"]
      ) {
      totalCount
      edges {
        node {
          client_id
          client_name
          redirect_uris
          status
        }
      }
    }
  }
`;

export const registeredQuery = graphql`
  query appRegisteredQuery($active: Boolean) {
    ...app_registered @arguments(active: $active)
  }
`;

export const statusMutation = graphql`
  mutation appStatusMutation($input: SetDynamicallyRegisteredClientStatusByIdInput!) {
    setDynamicallyRegisteredClientStatusById(input: $input) {
      client {
        client_id
        status
      }
    }
  }
`;
