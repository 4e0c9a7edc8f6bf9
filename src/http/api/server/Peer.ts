import { Context } from "effect"

/** The address that opened the request's connection; null when the server does not know it. */
export const Peer = Context.Reference<string | null>("footfall/http/api/Peer", { defaultValue: () => null })
