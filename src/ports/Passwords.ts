import { Context, type Effect, type Redacted } from "effect"
import type { PeopleError } from "./PeopleError.ts"

/** Hashes of passwords. Fails with `Busy` if too many wait already, since each takes a tenth of a second of CPU. */
export class Passwords extends Context.Service<
  Passwords,
  {
    readonly hash: (password: Redacted.Redacted<string>) => Effect.Effect<string, PeopleError>
    /** Whether the password has this hash. Without a hash, takes as long and is false. */
    readonly verify: (password: Redacted.Redacted<string>, hash: string | null) => Effect.Effect<boolean, PeopleError>
  }
>()("footfall/ports/Passwords") {}
