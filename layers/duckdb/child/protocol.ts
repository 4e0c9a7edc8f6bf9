import type { Query, QueryError, QueryResult } from "../../../src/ports/QueryEngine.ts"

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

export interface RunRequest {
  readonly query: Query
  /** The query's tables with their current metadata files, `s3://…` or a path. */
  readonly locations: ReadonlyArray<readonly [table: string, metadata: string]>
  /** Null if the lake is in a local folder. */
  readonly s3: S3Keys | null
  readonly maxRows: number
}

/** `open` comes first, once. Each `run` gets one answer, also after a `cancel`. */
export type ToChild =
  | { readonly type: "open"; readonly options: OpenOptions }
  | ({ readonly type: "run"; readonly id: number } & RunRequest)
  | { readonly type: "cancel"; readonly id: number }

/** `opened` or `refused` answers `open`. After `refused`, the process ends. */
export type FromChild =
  | { readonly type: "opened" }
  | { readonly type: "refused"; readonly message: string }
  | { readonly type: "answered"; readonly id: number; readonly result: QueryResult }
  | {
      readonly type: "failed"
      readonly id: number
      readonly reason: QueryError["reason"]
      readonly message: string
    }
