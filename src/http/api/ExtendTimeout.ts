import { Context } from "effect"

/** Says that this request's answer may take longer than a connection may be silent. */
export const ExtendTimeout = Context.Reference<() => void>("footfall/http/api/ExtendTimeout", {
  defaultValue: () => () => {}
})
