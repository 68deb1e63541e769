import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';

/** An API, and whose token is sent to it. */
export interface Api {
  url: string;
  token: string;
}

interface GraphQLError {
  message: string;
  path?: (string | number)[];
  extensions?: { classification?: string; field?: string; [more: string]: unknown };
}

/** An answer with errors. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly errors: GraphQLError[],
    readonly data: unknown,
  ) {
    super(errors.map(({ message }) => message).join('; '));
  }

  get classification(): string | undefined {
    return this.errors[0]?.extensions?.classification;
  }

  get field(): string | undefined {
    return this.errors[0]?.extensions?.field;
  }
}

type Document<Result, Variables> = DocumentTypeDecoration<Result, Variables> & {
  toString(): string;
};

/** What `document` answers. */
export async function execute<Result, Variables>(
  { url, token }: Api,
  document: Document<Result, Variables>,
  ...[variables]: Variables extends Record<string, never> ? [] : [Variables]
): Promise<Result> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json',
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ query: document.toString(), variables }),
  });
  const body = (await answer.json()) as { data?: Result; errors?: GraphQLError[] };
  if (body.errors || !body.data) throw new ApiError(answer.status, body.errors ?? [], body.data);
  return body.data;
}
