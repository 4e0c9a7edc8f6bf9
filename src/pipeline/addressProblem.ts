/** A sign that `TRUST_PROXY` does not match the proxies in front of the server, so that many clients get one address. */
export type AddressProblem =
  /** A peer that is not trusted sent a header with a client's address. */
  | "untrusted_peer"
  /** The address that was chosen is private, with a public one to its left in the chain. */
  | "private_client"

export const ADDRESS_PROBLEMS: ReadonlyArray<AddressProblem> = ["untrusted_peer", "private_client"]

/** What was found, and what to do about it. Names no address. */
export const explainAddressProblem = (problem: AddressProblem): { readonly found: string; readonly remedy: string } => {
  switch (problem) {
    case "untrusted_peer":
      return {
        found:
          "requests with a client's address in a header came from a peer that TRUST_PROXY does not include, so their clients have the peer's address",
        remedy:
          "If the peer is your proxy, add its address to TRUST_PROXY, as in `private,203.0.113.7`. Otherwise clients are sending made-up headers, which are ignored."
      }
    case "private_client":
      return {
        found:
          "the client's address was a private one, although a public address stands before it in the proxies' header: it is probably a proxy's",
        remedy: "Add that proxy's network to TRUST_PROXY; `private` includes all private networks."
      }
  }
}
