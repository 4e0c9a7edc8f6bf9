import { Context } from "effect"

/** The address at the other end of the request's connection; null when the server does not tell. */
export const Peer = Context.Reference<string | null>("footfall/http/api/Peer", { defaultValue: () => null })
