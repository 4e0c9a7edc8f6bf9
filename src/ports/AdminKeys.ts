import { Context, type Effect, Schema } from "effect"
import type { KeyScope } from "../domain/keyScope.ts"
import { Role } from "../domain/Principal.ts"
import { GroupId } from "../domain/people.ts"

/** An API key as listed. The key itself is shown once, when it is created, and stored as a SHA-256 hash. */
export class AdminKey extends Schema.Class<AdminKey>("AdminKey")({
  id: Schema.String,
  name: Schema.String,
  /** Null if the key is bound to a group, whose permissions it has. */
  role: Schema.NullOr(Role),
  isReadOnly: Schema.Boolean,
  group: Schema.NullOr(GroupId),
  /** The first characters of the key, which identify it in a list. */
  prefix: Schema.String,
  createdAt: Schema.Date,
  /** Exact to some seconds. */
  lastUsedAt: Schema.NullOr(Schema.Date)
}) {}

/**
 * - `NotFound`: no active key has this id.
 * - `Invalid`: the group does not exist.
 * - `Unavailable`: the app database can't be reached.
 */
export class AdminKeysError extends Schema.TaggedError<AdminKeysError>()("AdminKeysError", {
  reason: Schema.Literals(["NotFound", "Invalid", "Unavailable"]),
  message: Schema.String
}) {}

/** Creating and revoking keys is recorded in the audit log. */
export class AdminKeys extends Context.Service<
  AdminKeys,
  {
    /** The key's record, or null for an unknown or revoked key. Counts as a use of the key. */
    readonly verify: (key: string) => Effect.Effect<AdminKey | null, AdminKeysError>
    /** The result is the only place where the plain key appears. */
    readonly create: (
      name: string,
      scope: KeyScope
    ) => Effect.Effect<{ readonly key: string; readonly record: AdminKey }, AdminKeysError>
    readonly list: Effect.Effect<ReadonlyArray<AdminKey>, AdminKeysError>
    readonly revoke: (id: string) => Effect.Effect<void, AdminKeysError>
  }
>()("footfall/ports/AdminKeys") {}
