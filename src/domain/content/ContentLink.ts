import type { SiteId } from "../ids.ts"
import type { Author, ItemId } from "./Item.ts"
import type { ParameterTarget, ParameterType, ParameterValue } from "./Parameter.ts"

/** Kinds of items that can be shared. */
export type SharedKind = "card" | "dashboard"

/** What a parameter was when it was locked: a lock holds only while it is still that. */
export interface LockedTo {
  readonly type: ParameterType
  /** Everything that it was mapped to. */
  readonly targets: ReadonlyArray<ParameterTarget>
}

/** The id of a public link, which is its key: 128 random bits as 32 hexadecimal digits. */
export const PUBLIC_LINK_ID = /^[0-9a-f]{32}$/

/**
 * A way to see one saved question or dashboard without signing in. `public`: anyone who knows its id may. `embed`: the bearer of a
 * token that was signed for it; each item has at most one.
 */
export interface ContentLink {
  /** 128 random bits as 32 hexadecimal digits. */
  readonly id: string
  readonly kind: "public" | "embed"
  readonly item: { readonly id: ItemId; readonly kind: SharedKind; readonly name: string }
  /** The only site that is shown. Null, for embeds only: the token names it. */
  readonly site: SiteId | null
  /** Values of parameters by their slugs. Visitors neither see nor change them. */
  readonly locked: Readonly<Record<string, ParameterValue>>
  /** What was locked, by the same slugs. */
  readonly lockedTo: Readonly<Record<string, LockedTo>>
  /** Slugs of parameters that visitors neither see nor change; their defaults apply. A token may set them. */
  readonly hidden: ReadonlyArray<string>
  /** Whether visitors may download answers as files. */
  readonly exports: boolean
  /** Sources of the directive `frame-ancestors`: the pages that may embed it. */
  readonly frameAncestors: ReadonlyArray<string>
  /** Null: it does not expire. */
  readonly expiresAt: Date | null
  readonly author: Author
  readonly createdAt: Date
}
