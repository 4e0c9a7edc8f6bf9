import { Context, type Effect, Schema } from "effect"

/** `admin` may do everything; `viewer` may read status and rejections, not sites or settings. */
export const KeyRole = Schema.Literals(["admin", "viewer"])
export type KeyRole = typeof KeyRole.Type

/** An API key as listed: the key itself is shown once, when it is made, and kept as a SHA-256 hash. */
export class AdminKey extends Schema.Class<AdminKey>("AdminKey")({
  id: Schema.String,
  name: Schema.String,
  role: KeyRole,
  /** The first characters of the key, to tell keys apart. */
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
    /** The key's record, or null when it is unknown or revoked. */
    readonly verify: (key: string) => Effect.Effect<AdminKey | null, AdminKeysError>
    /** The plain key is in the answer and nowhere else. */
    readonly create: (
      name: string,
      role: KeyRole
    ) => Effect.Effect<{ readonly key: string; readonly record: AdminKey }, AdminKeysError>
    /** Makes the first admin key when there is none at all, safely against other processes; null when there was one. */
    readonly createFirst: Effect.Effect<string | null, AdminKeysError>
    readonly list: Effect.Effect<ReadonlyArray<AdminKey>, AdminKeysError>
    readonly revoke: (id: string) => Effect.Effect<void, AdminKeysError>
  }
>()("footfall/ports/AdminKeys") {}
