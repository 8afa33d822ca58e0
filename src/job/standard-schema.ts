/**
 * A schema of any library that speaks Standard Schema 1 (https://standardschema.dev): zod, valibot, arktype and others.
 * `Input` is the type that it accepts.
 */
export interface StandardSchema<Input = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult | Promise<SchemaResult>;
    readonly types?: { readonly input: Input; readonly output: unknown } | undefined;
  };
}

/** What a schema says of a value. */
export interface SchemaResult {
  /** Absent when the value fits. */
  readonly issues?: readonly SchemaIssue[] | undefined;
}

/** Where a value does not fit. */
export interface SchemaIssue {
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A schema for each job name. */
export type SchemasOf<Jobs> = { readonly [Name in keyof Jobs]: StandardSchema<Jobs[Name]> };
