// A page of somebody else's: the sample of the TROMPA document as it stands there, and buttons
// around it. The names of its packages are those of Apollo Client 2; the bundler leads them to today's.

import { ApolloClient } from 'apollo-client';
import { createHttpLink } from 'apollo-link-http';
import { setContext } from 'apollo-link-context';
import { InMemoryCache } from 'apollo-cache-inmemory';
import { gql } from '@apollo/client';

const httpLink = createHttpLink({
  uri: '/graphql',
});

const authLink = setContext((_, { headers }) => {
  // get the authentication token from local storage if it exists
  const token = localStorage.getItem('token');
  // return the headers to the context so httpLink can read them
  return {
    headers: {
      ...headers,
      authorization: token ? `Bearer ${token}` : "",
    }
  }
});

const client = new ApolloClient({
  link: authLink.concat(httpLink),
  cache: new InMemoryCache()
});

const READ = gql`
  query People($name: String) {
    Person(name: $name) {
      identifier
      name
    }
  }
`;
const WRITE = gql`
  mutation Create($name: String) {
    CreatePerson(name: $name) {
      identifier
      name
    }
  }
`;

const say = (text) => (document.querySelector('output').value = text);

/** Runs one of the two with the name in the field, and says what came of it. */
async function act(ask) {
  say('…');
  const name = document.querySelector('input').value;
  try {
    const { data } = await ask({ name });
    say(JSON.stringify(data));
  } catch (error) {
    say(error.message);
  }
}

document.querySelector('#read').onclick = () =>
  act((variables) => client.query({ query: READ, variables, fetchPolicy: 'network-only' }));
document.querySelector('#write').onclick = () =>
  act((variables) => client.mutate({ mutation: WRITE, variables }));
