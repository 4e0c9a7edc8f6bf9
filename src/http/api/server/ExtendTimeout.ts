import { Context, Effect } from "effect"

/** Lifts the connection's idle timeout until this request has been answered. */
export const ExtendTimeout = Context.Reference<() => void>("footfall/http/api/ExtendTimeout", {
  defaultValue: () => () => {}
})

/** Work that may take longer than an idle connection is kept. */
export const withExtendedTimeout = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(ExtendTimeout, (extend) => Effect.andThen(Effect.sync(extend), work))
