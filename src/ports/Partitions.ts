import { Context, type Effect, Schema } from "effect"

export class PartitionsError extends Schema.TaggedError<PartitionsError>()("PartitionsError", {
  message: Schema.String
}) {}

/** A month whose rows were moved, or would be. */
export interface MergedMonth {
  /** Such as `2004-03`. */
  readonly month: string
  readonly events: number
}

/** The monthly partitions of events in Postgres. */
export class Partitions extends Context.Service<
  Partitions,
  {
    /**
     * Moves the rows of months with fewer than `maxEvents` events to the default partition, and drops their tables. The current month, the
     * one before and the coming ones keep theirs. With `dryRun`, only lists them.
     */
    readonly merge: (options: {
      readonly maxEvents: number
      readonly dryRun: boolean
    }) => Effect.Effect<ReadonlyArray<MergedMonth>, PartitionsError>
  }
>()("footfall/ports/Partitions") {}
