import type { CodegenConfig } from '@graphql-codegen/cli';

const names = ['accounts', 'database_clients', 'dynamic_clients', 'granted_authorizations'];

const config: CodegenConfig = {
  generates: Object.fromEntries(
    names.map((name) => [
      `src/${name}/gen/`,
      {
        schema: `${name}.graphql`,
        documents: `src/${name}/*.ts`,
        preset: 'client',
        presetConfig: { fragmentMasking: false },
        config: {
          documentMode: 'string',
          emitLegacyCommonJSImports: false,
          useTypeImports: true,
          strictScalars: true,
          scalars: { Long: 'number', Object: 'Record<string, unknown>' },
        },
      },
    ]),
  ),
};

export default config;
