import { Context } from "effect"

/** Says that this request's answer may take longer than a connection may be silent. */
export const Patience = Context.Reference<() => void>("footfall/http/admin/Patience", { defaultValue: () => () => {} })
