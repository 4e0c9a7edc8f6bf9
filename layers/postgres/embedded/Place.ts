import type { Account } from "./account.ts"
import type { Binaries } from "./binaries.ts"

/** A server's cluster, socket, log and programs, and the account to run it as. */
export interface Place {
  /** Absolute, with symbolic links resolved. */
  readonly cluster: string
  readonly socketFolder: string
  readonly log: string
  readonly binaries: Binaries
  /** Undefined: the account of this process. */
  readonly account: Account | undefined
}
