import type { Query, QueryChunk, QueryError } from "../../../src/ports/QueryEngine.ts"

/** How the lake's DuckDB is opened. */
export interface OpenOptions {
  /** A folder with `<name>.duckdb_extension` for each extension. If null, DuckDB downloads them once. */
  readonly extensionFolder: string | null
  /** In DuckDB's notation, such as `1GB`. */
  readonly memoryLimit: string
}

/** How to read the lake's files in S3. */
export interface S3Keys {
  /** Null for AWS. */
  readonly endpoint: string | null
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | null
}

/** A query, however the engine finds its tables. */
export interface QueryRequest {
  readonly query: Query
  readonly maxRows: number
}

/** A query of the lake. */
export interface RunRequest extends QueryRequest {
  /** The query's tables with their current metadata files, `s3://…` or a path. */
  readonly locations: ReadonlyArray<readonly [table: string, metadata: string]>
  /** Null if the lake is in a local folder. */
  readonly s3: S3Keys | null
}

/**
 * `open` comes first, once. Each `run`, `stream` and `call` gets one answer, also after a `cancel`. A stream sends its chunks before its
 * answer, one for each credit; `more` gives it more credits.
 */
export type ToChild<Options, Request> =
  | { readonly type: "open"; readonly options: Options }
  | { readonly type: "run"; readonly id: number; readonly request: Request }
  | { readonly type: "stream"; readonly id: number; readonly request: Request; readonly credits: number }
  | { readonly type: "more"; readonly id: number; readonly credits: number }
  | { readonly type: "call"; readonly id: number; readonly name: string; readonly argument: unknown }
  | { readonly type: "cancel"; readonly id: number }

/** `opened` or `refused` answers `open`. After `refused`, the process ends. A `notice` comes at any time. */
export type FromChild =
  | { readonly type: "opened" }
  | { readonly type: "refused"; readonly message: string }
  | { readonly type: "answered"; readonly id: number; readonly result: unknown }
  | { readonly type: "chunk"; readonly id: number; readonly chunk: QueryChunk }
  | {
      readonly type: "failed"
      readonly id: number
      readonly reason: QueryError["reason"]
      readonly message: string
    }
  | { readonly type: "notice"; readonly notice: unknown }
