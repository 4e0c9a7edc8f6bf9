import { Context, type Effect, type Redacted } from "effect"
import type { User } from "../domain/people.ts"
import type { PeopleError } from "./PeopleError.ts"

export interface SetupValues {
  readonly email: string
  readonly name: string
  readonly password: Redacted.Redacted<string>
  /** What the instance is called; absent: unchanged. */
  readonly instanceName?: string
  /** The time zone of new sites and of users who chose none; absent: unchanged. */
  readonly timezone?: string
}

/** Creates the first administrator of an instance, once. */
export class Setup extends Context.Service<
  Setup,
  {
    /** Whether an administrator can still be created here. Once closed, it stays closed. */
    readonly isOpen: Effect.Effect<boolean, PeopleError>
    /** A new one-time token, in addition to earlier ones; null if setup is closed. */
    readonly createToken: Effect.Effect<string | null, PeopleError>
    readonly isValid: (token: string) => Effect.Effect<boolean, PeopleError>
    /** Of several calls at the same time, one succeeds; the others fail with `Denied`. */
    readonly complete: (token: string, values: SetupValues) => Effect.Effect<User, PeopleError>
  }
>()("footfall/ports/Setup") {}
