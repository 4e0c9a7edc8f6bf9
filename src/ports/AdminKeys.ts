import { Context, type Effect, Schema } from "effect"
import { Role } from "../domain/Principal.ts"

/** An API key as listed. The key itself is shown once, when it is created, and stored as a SHA-256 hash. */
export class AdminKey extends Schema.Class<AdminKey>("AdminKey")({
  id: Schema.String,
  name: Schema.String,
  role: Role,
  /** The first characters of the key, which identify it in a list. */
  prefix: Schema.String,
  createdAt: Schema.Date
}) {}

export class AdminKeysError extends Schema.TaggedError<AdminKeysError>()("AdminKeysError", {
  reason: Schema.Literals(["NotFound", "Unavailable"]),
  message: Schema.String
}) {}

export class AdminKeys extends Context.Service<
  AdminKeys,
  {
    /** The key's record, or null for an unknown or revoked key. */
    readonly verify: (key: string) => Effect.Effect<AdminKey | null, AdminKeysError>
    /** The result is the only place where the plain key appears. */
    readonly create: (
      name: string,
      role: Role
    ) => Effect.Effect<{ readonly key: string; readonly record: AdminKey }, AdminKeysError>
    /**
     * Creates the instance's first admin key, or returns null if there ever was a key. Processes that start at the same time create
     * one key between them.
     */
    readonly createFirst: Effect.Effect<string | null, AdminKeysError>
    readonly list: Effect.Effect<ReadonlyArray<AdminKey>, AdminKeysError>
    readonly revoke: (id: string) => Effect.Effect<void, AdminKeysError>
  }
>()("footfall/ports/AdminKeys") {}
