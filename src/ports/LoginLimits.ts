import { Context, type Effect } from "effect"

/**
 * How often somebody may try a password: for one account, and from one address. Counted in this process only. Accounts and addresses are
 * kept as keyed hashes whose key is thrown away at the end of the process.
 */
export class LoginLimits extends Context.Service<
  LoginLimits,
  {
    /** Counts an attempt: 0 if it may be made, otherwise the whole seconds until the next may. */
    readonly attempt: (account: string, address: string) => Effect.Effect<number>
    /** The attempt was the right password, so it does not count. */
    readonly succeeded: (account: string, address: string) => Effect.Effect<void>
  }
>()("footfall/ports/LoginLimits") {}
