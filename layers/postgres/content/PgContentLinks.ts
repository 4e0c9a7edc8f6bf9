import { Effect, Layer, Redacted } from "effect"
import type { SqlError } from "effect/sql"
import {
  type ContentLink,
  type LockedTo,
  PUBLIC_LINK_ID,
  type SharedKind
} from "../../../src/domain/content/ContentLink.ts"
import { ItemId } from "../../../src/domain/content/Item.ts"
import type { ParameterValue } from "../../../src/domain/content/Parameter.ts"
import { SiteId } from "../../../src/domain/ids.ts"
import type { AuditEvent } from "../../../src/ports/AuditLog.ts"
import { ContentLinks, ContentLinksError } from "../../../src/ports/ContentLinks.ts"
import { textArray } from "../client/arrays.ts"
import { AppDatabase } from "../client/Database.ts"
import { runChange } from "../client/runStatement.ts"
import { writeAudit } from "../control/audit.ts"
import { newToken } from "../control/secretTokens.ts"
import { type AuthorColumns, authorOf } from "./itemRows.ts"
import { contentTransaction } from "./transaction.ts"

/** Links of an instance. Somebody who needs thousands should sign embeds. */
const MAX_LINKS = 1_000
/** 128 bits cannot be guessed. */
const ID_BYTES = 16
/** The secret's row in `product_analytics_secret`. */
const SECRET = "embed-secret"

interface Row extends AuthorColumns {
  readonly id: string
  readonly kind: ContentLink["kind"]
  readonly item_id: string
  readonly item_kind: SharedKind
  readonly item_name: string
  readonly site_id: string | null
  readonly locked: Readonly<Record<string, ParameterValue>>
  readonly locked_to: Readonly<Record<string, LockedTo>>
  readonly hidden: ReadonlyArray<string>
  readonly exports: boolean
  readonly frame_ancestors: ReadonlyArray<string>
  readonly expires_ms: number | null
  readonly created_ms: number
}

const SELECT = `SELECT link.id, link.kind, item.id::text AS item_id, item.kind AS item_kind, item.name AS item_name,
    link.site_id::text AS site_id, link.locked, link.locked_to, link.hidden, link.exports, link.frame_ancestors,
    link.author_kind, link.author_id, link.author_name,
    floor(extract(epoch FROM link.expires_at) * 1000)::float8 AS expires_ms,
    floor(extract(epoch FROM link.created_at) * 1000)::float8 AS created_ms
  FROM product_analytics_content_link AS link JOIN product_analytics_content AS item ON item.id = link.content_id`
const LIST = `${SELECT} WHERE link.kind = $1 ORDER BY link.created_at DESC, link.id`
const GET = `${SELECT} WHERE link.id = $1`
const IS_LIVE = "item.archived_at IS NULL AND (link.expires_at IS NULL OR link.expires_at > now())"
const FIND_PUBLIC = `${SELECT} WHERE link.id = $1 AND link.kind = 'public' AND ${IS_LIVE}`
const FIND_EMBED = `${SELECT} WHERE link.content_id = $1::uuid AND link.kind = 'embed' AND ${IS_LIVE}`
const COUNT = "SELECT count(*)::int AS count FROM product_analytics_content_link"
// Nothing is inserted without the item and the site.
const INSERT = `INSERT INTO product_analytics_content_link
    (id, kind, content_id, site_id, locked, locked_to, hidden, exports, frame_ancestors, expires_at, author_kind, author_id, author_name)
  SELECT $1, $2, item.id, site.id, $5::json, $6::json, $7::text[], $8, $9::text[], $10::timestamptz, $11, $12, $13
    FROM product_analytics_content AS item LEFT JOIN product_analytics_site AS site ON site.id = $4::uuid
    WHERE item.id = $3::uuid AND item.kind IN ('card', 'dashboard') AND item.archived_at IS NULL
      AND ($4::uuid IS NULL OR site.id IS NOT NULL)
  RETURNING id`
/** How each kind of link is deleted: by its own id, or by its item's. */
const DELETE = {
  public: {
    find: `${SELECT} WHERE link.id = $1 AND link.kind = 'public'`,
    remove: "DELETE FROM product_analytics_content_link WHERE id = $1 AND kind = 'public' RETURNING id"
  },
  embed: {
    find: `${SELECT} WHERE link.content_id = $1::uuid AND link.kind = 'embed'`,
    remove: "DELETE FROM product_analytics_content_link WHERE content_id = $1::uuid AND kind = 'embed' RETURNING id"
  }
} as const
const READ_SECRET = "SELECT value FROM product_analytics_secret WHERE name = $1"
const WRITE_SECRET = `INSERT INTO product_analytics_secret (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, created_at = now()`

type Writing<A> = Effect.Effect<A, ContentLinksError | SqlError.SqlError>

const failed = (reason: ContentLinksError["reason"], message: string) => new ContentLinksError({ reason, message })
const unavailable = (message: string) => failed("Unavailable", message)

const toLink = (row: Row): ContentLink => ({
  id: row.id,
  kind: row.kind,
  item: { id: ItemId.make(row.item_id), kind: row.item_kind, name: row.item_name },
  site: row.site_id === null ? null : SiteId.make(row.site_id),
  locked: row.locked,
  lockedTo: row.locked_to,
  hidden: row.hidden,
  exports: row.exports,
  frameAncestors: row.frame_ancestors,
  expiresAt: row.expires_ms === null ? null : new Date(row.expires_ms),
  author: authorOf(row),
  createdAt: new Date(row.created_ms)
})

const newId = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(ID_BYTES))).toString("hex")

type NewLink = Pick<ContentLink, "kind" | "site" | "locked" | "lockedTo" | "hidden" | "exports" | "author"> & {
  readonly item: ItemId
  readonly frameAncestors: ReadonlyArray<string>
  readonly expiresAt: Date | null
}

/** What the audit log says: never the id of a public link, which is its key. */
const eventOf = (action: string, { item, site }: Pick<ContentLink, "item" | "site">): AuditEvent => ({
  action,
  targetKind: item.kind,
  targetId: item.id,
  targetName: item.name,
  details: { site }
})

const NO_SUCH_LINK = "There is no such link."

/** Links in the app database. */
export const layer: Layer.Layer<ContentLinks, never, AppDatabase> = Layer.effect(
  ContentLinks,
  Effect.map(AppDatabase, (sql) => {
    const write = <A>(statements: Writing<A>) => contentTransaction(sql, statements, unavailable)
    const find = (statement: string, id: string) =>
      Effect.map(runChange(sql.unsafe<Row>(statement, [id]), unavailable), ([row]) =>
        row === undefined ? null : toLink(row)
      )

    const insert = Effect.fnUntraced(function* (
      link: NewLink
    ): Effect.fn.Return<ContentLink, ContentLinksError | SqlError.SqlError> {
      const { author, expiresAt, exports, frameAncestors, hidden, item, kind, locked, lockedTo, site } = link
      const [count] = yield* sql.unsafe<{ count: number }>(COUNT)
      if (count!.count >= MAX_LINKS) {
        return yield* failed("Full", `There may be ${MAX_LINKS} public links and embeds. Revoke some.`)
      }
      const id = newId()
      const inserted = yield* sql.unsafe(INSERT, [
        id,
        kind,
        item,
        site,
        JSON.stringify(locked),
        JSON.stringify(lockedTo),
        textArray(hidden),
        exports,
        textArray(frameAncestors),
        expiresAt?.toISOString() ?? null,
        author.kind,
        author.id,
        author.name
      ])
      if (inserted.length === 0) return yield* failed("NotFound", "There is no such question, dashboard or site.")
      const [row] = yield* sql.unsafe<Row>(GET, [id])
      return toLink(row!)
    })

    /** Deletes a link, and records it. */
    const remove = (kind: ContentLink["kind"], id: string, missing: string) =>
      write(
        Effect.gen(function* () {
          const [row] = yield* sql.unsafe<Row>(DELETE[kind].find, [id])
          if (row === undefined) return yield* failed("NotFound", missing)
          yield* sql.unsafe(DELETE[kind].remove, [id])
          yield* writeAudit(sql, eventOf(kind === "public" ? "public-link.revoke" : "embed.forbid", toLink(row)))
        })
      )

    return ContentLinks.of({
      list: (kind) => Effect.map(runChange(sql.unsafe<Row>(LIST, [kind]), unavailable), (rows) => rows.map(toLink)),
      createPublic: (values) =>
        write(
          Effect.tap(insert({ ...values, kind: "public", frameAncestors: [] }), (link) =>
            writeAudit(sql, eventOf("public-link.create", link))
          )
        ),
      findPublic: (id) => find(FIND_PUBLIC, id),
      revoke: (id) =>
        PUBLIC_LINK_ID.test(id) ? remove("public", id, NO_SUCH_LINK) : Effect.fail(failed("NotFound", NO_SUCH_LINK)),
      setEmbed: (values) =>
        write(
          Effect.gen(function* () {
            yield* sql.unsafe(DELETE.embed.remove, [values.item])
            const link = yield* insert({ ...values, kind: "embed", expiresAt: null })
            yield* writeAudit(sql, eventOf("embed.allow", link))
            return link
          })
        ),
      findEmbed: (item) => find(FIND_EMBED, item),
      removeEmbed: (item) => remove("embed", item, "It is not allowed to be embedded."),
      embedSecret: Effect.map(runChange(sql.unsafe<{ value: string }>(READ_SECRET, [SECRET]), unavailable), ([row]) =>
        row === undefined ? null : Redacted.make(row.value)
      ),
      rotateEmbedSecret: write(
        Effect.gen(function* () {
          const secret = newToken()
          yield* sql.unsafe(WRITE_SECRET, [SECRET, secret])
          yield* writeAudit(sql, {
            action: "embed-secret.rotate",
            targetKind: "embed-secret",
            targetId: null,
            targetName: null
          })
          return Redacted.make(secret)
        })
      )
    })
  })
)
