import { Context, type Effect, type Redacted, Schema } from "effect"
import type { ContentLink } from "../domain/content/ContentLink.ts"
import type { Author, ItemId } from "../domain/content/Item.ts"

type Chosen = "site" | "locked" | "lockedTo" | "hidden" | "exports"

/** A new public link. */
export interface NewPublicLink extends Pick<ContentLink, Chosen | "expiresAt"> {
  readonly item: ItemId
  readonly author: Author
}

/** How a card or dashboard may be embedded. */
export interface EmbedValues extends Pick<ContentLink, Chosen | "frameAncestors"> {
  readonly item: ItemId
  readonly author: Author
}

/**
 * - `NotFound`: there is no such link, item or site.
 * - `Full`: there are as many links as there may be.
 * - `Unavailable`: the app database can't be reached.
 */
export class ContentLinksError extends Schema.TaggedError<ContentLinksError>()("ContentLinksError", {
  reason: Schema.Literals(["NotFound", "Full", "Unavailable"]),
  message: Schema.String
}) {}

/** Public links and signed embeds. Changes are recorded in the audit log. */
export class ContentLinks extends Context.Service<
  ContentLinks,
  {
    /** All of this kind, expired ones included, newest first. There are at most 1,000. */
    readonly list: (kind: ContentLink["kind"]) => Effect.Effect<ReadonlyArray<ContentLink>, ContentLinksError>
    readonly createPublic: (values: NewPublicLink) => Effect.Effect<ContentLink, ContentLinksError>
    /** The public link with this id; null if there is none, it has expired, or its item is in the trash. */
    readonly findPublic: (id: string) => Effect.Effect<ContentLink | null, ContentLinksError>
    readonly revoke: (id: string) => Effect.Effect<void, ContentLinksError>
    /** Allows an item to be embedded, in place of how it was before. */
    readonly setEmbed: (values: EmbedValues) => Effect.Effect<ContentLink, ContentLinksError>
    /** How the item may be embedded; null if it may not, or is in the trash. */
    readonly findEmbed: (item: ItemId) => Effect.Effect<ContentLink | null, ContentLinksError>
    readonly removeEmbed: (item: ItemId) => Effect.Effect<void, ContentLinksError>
    /** The secret that tokens of embeds are signed with; null before the first. */
    readonly embedSecret: Effect.Effect<Redacted.Redacted<string> | null, ContentLinksError>
    /** Makes a new secret, which invalidates every token that was signed with the old one. */
    readonly rotateEmbedSecret: Effect.Effect<Redacted.Redacted<string>, ContentLinksError>
  }
>()("footfall/ports/ContentLinks") {}
