import { Effect, Layer } from "effect"
import { Collections, CollectionsError } from "../../../src/ports/Collections.ts"
import { Content, ContentError } from "../../../src/ports/Content.ts"
import { ContentLinks, ContentLinksError } from "../../../src/ports/ContentLinks.ts"
import { TimelineEvents, TimelineEventsError } from "../../../src/ports/TimelineEvents.ts"

const AWAY = { reason: "Unavailable", message: "The app database can't be reached." } as const

const content = () => Effect.fail(new ContentError(AWAY))
const collections = () => Effect.fail(new CollectionsError(AWAY))
const links = () => Effect.fail(new ContentLinksError(AWAY))
const events = () => Effect.fail(new TimelineEventsError(AWAY))

/** What people save, in an app database that can't be reached. */
export const noContent: Layer.Layer<Content | Collections | ContentLinks | TimelineEvents> = Layer.mergeAll(
  Layer.succeed(
    Content,
    Content.of({
      get: content,
      cards: content,
      find: content,
      create: content,
      update: content,
      remove: content,
      revisions: content,
      revert: content,
      ship: content
    })
  ),
  Layer.succeed(
    Collections,
    Collections.of({ list: collections(), get: collections, create: collections, update: collections })
  ),
  Layer.succeed(
    ContentLinks,
    ContentLinks.of({
      list: links,
      createPublic: links,
      findPublic: links,
      revoke: links,
      setEmbed: links,
      findEmbed: links,
      removeEmbed: links,
      embedSecret: links(),
      rotateEmbedSecret: links()
    })
  ),
  Layer.succeed(
    TimelineEvents,
    TimelineEvents.of({ list: events, get: events, create: events, update: events, remove: events })
  )
)
