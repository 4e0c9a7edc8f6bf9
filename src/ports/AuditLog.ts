import { Context, type Effect } from "effect"
import type { PeopleError } from "./PeopleError.ts"

/** Something that was changed, with who did it. */
export interface AuditEntry {
  readonly id: number
  readonly at: Date
  readonly actorKind: string
  readonly actorId: string | null
  readonly actorName: string
  /** Such as `user.create`. */
  readonly action: string
  readonly targetKind: string
  readonly targetId: string | null
  readonly targetName: string | null
  readonly details: Readonly<Record<string, unknown>>
}

export interface AuditListOptions {
  readonly limit: number
  /** Entries older than the one with this id. */
  readonly before?: number
  readonly action?: string
  readonly actorId?: string
  readonly targetKind?: string
  readonly targetId?: string
}

/** What happened in addition to changes, which record themselves. */
export interface AuditEvent {
  readonly action: string
  readonly targetKind: string
  readonly targetId: string | null
  readonly targetName: string | null
  readonly details?: Readonly<Record<string, unknown>>
}

/** Who did what, on what. It has neither secrets nor IP addresses, and keeps entries for `AUDIT_RETENTION_DAYS`. */
export class AuditLog extends Context.Service<
  AuditLog,
  {
    /** The latest first. */
    readonly list: (options: AuditListOptions) => Effect.Effect<ReadonlyArray<AuditEntry>, PeopleError>
    /** Records something that is not a change, such as a failed sign-in, under the current principal's name. */
    readonly record: (event: AuditEvent) => Effect.Effect<void, PeopleError>
  }
>()("footfall/ports/AuditLog") {}
