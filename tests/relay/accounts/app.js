import { graphql } from 'relay-runtime';

export { environment, looked, mutated, Pages, queried } from '../runtime.js';

export const people = graphql`
  fragment app_people on Query
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 5 }
    cursor: { type: "String" }
    filtering: { type: "Filtering" }
  )
  @refetchable(queryName: "appPeoplePageQuery") {
    accounts(
      first: $count
      after: $cursor
      sorting: { sortBy: name, sortOrder: ASCENDING }
      filtering: $filtering
    ) @connection(key: "app_people_accounts", filters: ["filtering"]) {
      totalCount
      edges {
        node {
          ...app_person @relay(mask: false)
        }
      }
    }
  }
`;

export const person = graphql`
  fragment app_person on Account {
    userName
    displayName
    emails {
      value
      primary
    }
    devices {
      deviceId
      alias
      category {
        name
      }
      details {
        __typename
        ... on TotpDeviceDetails {
          canUseWithTotpAuthenticator
        }
        ... on WebAuthnDeviceDetails {
          webAuthnAuthenticator {
            name
          }
        }
      }
    }
    meta {
      created
    }
  }
`;

export const peopleQuery = graphql`
  query appPeopleQuery($filtering: Filtering) {
    ...app_people @arguments(filtering: $filtering)
  }
`;

export const personQuery = graphql`
  query appPersonQuery($userName: String!) {
    accountByUserName(userName: $userName) {
      ...app_person @relay(mask: false)
    }
  }
`;

export const resourceQuery = graphql`
  query appResourceQuery($accountId: String!) {
    accountById(accountId: $accountId) {
      ... on Resource {
        __typename
        meta {
          resourceType
        }
      }
    }
  }
`;

export const rulesQuery = graphql`
  query appRulesQuery {
    credentialPolicy {
      credentialUpdateRules {
        __typename
        message
        ... on MinimumLengthPasswordRule {
          minimum
        }
        ... on MaximumSequencePasswordRule {
          maximum
        }
      }
    }
  }
`;

export const createMutation = graphql`
  mutation appCreateMutation($input: CreateAccountInput!) {
    createAccount(input: $input) {
      account {
        id
        ...app_person @relay(mask: false)
      }
    }
  }
`;

export const updateMutation = graphql`
  mutation appUpdateMutation($input: UpdateAccountByIdInput!) {
    updateAccountById(input: $input) {
      account {
        displayName
      }
    }
  }
`;

export const addDeviceMutation = graphql`
  mutation appAddDeviceMutation($input: AddDeviceToAccountByAccountIdInput!) {
    addDeviceToAccountByAccountId(input: $input) {
      device {
        deviceId
        expiresAt
      }
    }
  }
`;

export const deleteMutation = graphql`
  mutation appDeleteMutation($input: DeleteAccountByIdInput!) {
    deleteAccountById(input: $input) {
      deleted
      account {
        id @deleteRecord
      }
    }
  }
`;
