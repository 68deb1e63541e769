import { type Api, execute } from '../execute.js';
import { graphql } from './gen/index.js';
import {
  type AccountCreateFields,
  type AccountUpdateFields,
  type AccountsQuery,
  type AccountsQueryVariables,
  type Filtering,
  FilterAttribute,
  FilterType,
  SortAttribute,
  SortOrder,
} from './gen/graphql.js';

const PAGE = graphql(`
  query Accounts($first: Int, $after: String, $sorting: Sorting, $filtering: Filtering) {
    accounts(first: $first, after: $after, sorting: $sorting, filtering: $filtering) {
      totalCount
      edges {
        node {
          id
          userName
          active
        }
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
`);

const CREATE = graphql(`
  mutation Create($fields: AccountCreateFields!) {
    createAccount(input: { fields: $fields }) {
      account {
        id
        userName
        emails {
          value
          primary
        }
        meta {
          created
        }
      }
    }
  }
`);

const UPDATE = graphql(`
  mutation Update($accountId: String!, $fields: AccountUpdateFields!) {
    updateAccountById(input: { accountId: $accountId, fields: $fields }) {
      account {
        displayName
        title
      }
    }
  }
`);

const DEVICES = graphql(`
  query Devices($accountId: String!) {
    accountById(accountId: $accountId) {
      devices {
        deviceId
        expiresAt
        details {
          __typename
          ... on TotpDeviceDetails {
            canUseWithTotpAuthenticator
          }
        }
      }
    }
  }
`);

const RULES = graphql(`
  query Rules {
    credentialPolicy {
      credentialUpdateRules {
        __typename
        message
        ... on MinimumLengthPasswordRule {
          minimum
        }
      }
    }
  }
`);

const DELETE = graphql(`
  mutation Delete($accountId: String!) {
    deleteAccountById(input: { accountId: $accountId }) {
      deleted
    }
  }
`);

/** The user names of all accounts, in order. */
export async function everybody(api: Api, first: number): Promise<string[]> {
  const names: string[] = [];
  const sorting = { sortBy: SortAttribute.Name, sortOrder: SortOrder.Ascending };
  let variables: AccountsQueryVariables = { first, sorting };
  for (;;) {
    const { accounts }: AccountsQuery = await execute(api, PAGE, variables);
    for (const edge of accounts.edges ?? []) {
      if (edge?.node) names.push(edge.node.userName);
    }
    const { hasNextPage, endCursor } = accounts.pageInfo;
    if (!hasNextPage) return names;
    variables = { ...variables, after: endCursor };
  }
}

/** How many accounts have a user name that begins with `start`. */
export async function count(api: Api, start: string): Promise<number> {
  const filtering: Filtering = {
    filterBy: FilterAttribute.UserName,
    filterType: FilterType.StartsWith,
    filter: start,
  };
  const { accounts } = await execute(api, PAGE, { first: 1, filtering });
  return accounts.totalCount;
}

export async function create(api: Api, fields: AccountCreateFields) {
  const { createAccount } = await execute(api, CREATE, { fields });
  const account = createAccount?.account;
  if (!account) throw new Error('nothing was created');
  const created: number | undefined = account.meta?.created;
  return { ...account, created };
}

export async function update(api: Api, accountId: string, fields: AccountUpdateFields) {
  const { updateAccountById } = await execute(api, UPDATE, { accountId, fields });
  return updateAccountById?.account;
}

export async function devices(api: Api, accountId: string) {
  const { accountById } = await execute(api, DEVICES, { accountId });
  return (accountById?.devices ?? []).map((device) => {
    switch (device?.details?.__typename) {
      case 'TotpDeviceDetails':
        return device.details.canUseWithTotpAuthenticator;
      case 'WebAuthnDeviceDetails':
        // @ts-expect-error: this type of the union does not have it
        return device.details.canUseWithTotpAuthenticator;
      case undefined:
        return null;
    }
  });
}

export async function minimumLength(api: Api): Promise<number | null | undefined> {
  const { credentialPolicy } = await execute(api, RULES);
  for (const rule of credentialPolicy?.credentialUpdateRules ?? []) {
    if (rule.__typename === 'MinimumLengthPasswordRule') return rule.minimum;
  }
  return undefined;
}

export async function remove(api: Api, accountId: string): Promise<boolean | undefined> {
  const { deleteAccountById } = await execute(api, DELETE, { accountId });
  return deleteAccountById?.deleted;
}

/** A program that does not fit the schema is not compiled. */
export const wrong = {
  // @ts-expect-error: the user name is required
  create: (api: Api) => execute(api, CREATE, { fields: { displayName: 'Ann' } }),
  // @ts-expect-error: there are no such variables
  remove: (api: Api) => execute(api, DELETE, { id: 'ann' }),
  // @ts-expect-error: there is no password to read
  read: async (api: Api) => (await execute(api, UPDATE, { accountId: '', fields: {} })).password,
};
