import type { Redacted } from "effect"

export interface TrinoOptions {
  /** `http(s)://host:port`. A password requires https. */
  readonly url: string
  readonly user: string
  /** The user's password, or `token:…` for a bearer token. */
  readonly password: Redacted.Redacted<string> | null
  readonly catalog: string
  /** The namespace of the lake's tables. */
  readonly schema: string
  readonly deadlineMs: number
  /** Of a stream, including the time that its reader takes. */
  readonly exportDeadlineMs: number
  readonly maxRows?: number
}
