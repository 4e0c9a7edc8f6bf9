import { Result } from "effect"
import { type AddressMatcher, parseAddressRanges } from "../lib/ipAddress.ts"

/** Which peers may name the client's address in a header (`TRUST_PROXY`). */
export type ProxyTrust =
  | { readonly _tag: "None" }
  /** Every peer; the client is the first address of the chain. Umami's behavior. */
  | { readonly _tag: "All" }
  /** The last `hops` addresses of the chain, the peer included, are our proxies. */
  | { readonly _tag: "Hops"; readonly hops: number }
  /** Peers in these ranges; the client is the last address of the chain outside of them. */
  | { readonly _tag: "Ranges"; readonly isTrusted: AddressMatcher }

/** Parses a value of `TRUST_PROXY`; fails with the entry that is not valid. */
export const parseProxyTrust = (value: string): Result.Result<ProxyTrust, string> => {
  const trust = value.trim().toLowerCase()
  if (trust === "none" || trust === "0") return Result.succeed({ _tag: "None" })
  if (trust === "all") return Result.succeed({ _tag: "All" })
  if (/^\d{1,2}$/.test(trust)) return Result.succeed({ _tag: "Hops", hops: Number(trust) })
  const entries = trust.split(",").flatMap((part) => part.trim() || [])
  return entries.length === 0
    ? Result.fail(value)
    : Result.map(parseAddressRanges(entries, { names: true }), (isTrusted) => ({ _tag: "Ranges", isTrusted }))
}
