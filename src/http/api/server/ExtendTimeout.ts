import { Context } from "effect"

/** Lifts the connection's idle timeout until this request has been answered. */
export const ExtendTimeout = Context.Reference<() => void>("footfall/http/api/ExtendTimeout", {
  defaultValue: () => () => {}
})
