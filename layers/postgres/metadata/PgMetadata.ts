import { Effect, Layer, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { FieldStats } from "../../../src/domain/FieldStats.ts"
import type { SiteId } from "../../../src/domain/ids.ts"
import { type StartError, startLater } from "../../../src/domain/StartError.ts"
import type { AuditEvent } from "../../../src/ports/AuditLog.ts"
import {
  type ChosenField,
  FieldChoices,
  FieldScan,
  isHiding,
  Metadata,
  MetadataError,
  TableChoices
} from "../../../src/ports/Metadata.ts"
import { FIELD_SCAN_LOCK } from "../client/advisoryLocks.ts"
import { uuidArray } from "../client/arrays.ts"
import { AppDatabase } from "../client/Database.ts"
import { withJobLock } from "../client/jobLock.ts"
import { runStatement } from "../client/runStatement.ts"
import { sqlMessage } from "../client/sqlErrors.ts"
import { audited } from "../control/audit.ts"
import { Changes } from "../control/Changes.ts"

/** A scan that has not been repeated for so long is of a field or site that is not used any more. */
const SCANS_KEPT = "90 days"

const READ_FIELDS = "SELECT field_id::float8 AS id, choices FROM product_analytics_field"
const READ_TABLES = "SELECT name, choices FROM product_analytics_table"
const CHOOSE_FIELD = `INSERT INTO product_analytics_field AS stored (field_id, name, choices)
  VALUES ($1::text::bigint, $2, $3::text::jsonb)
  ON CONFLICT (field_id) DO UPDATE SET choices = stored.choices || EXCLUDED.choices, updated_at = now()`
const CHOOSE_TABLE = `INSERT INTO product_analytics_table AS stored (name, choices) VALUES ($1, $2::text::jsonb)
  ON CONFLICT (name) DO UPDATE SET choices = stored.choices || EXCLUDED.choices, updated_at = now()`
const CHOOSE_PROPERTY = `UPDATE product_analytics_property
  SET declared_type = CASE WHEN $5::bool THEN $6::text ELSE declared_type END, hidden = coalesce($7::bool, hidden),
    changed_at = clock_timestamp()
  WHERE site_id = $1::uuid AND owner = $2 AND event_name = $3 AND key = $4`
const READ_SCANS = `SELECT field_id::float8 AS "fieldId", site_id AS "siteId",
    floor(extract(epoch FROM scanned_at) * 1000)::float8 AS "scannedAt", fingerprint AS stats, value_list AS values
  FROM product_analytics_field_scan
  WHERE site_id = ANY($1) AND ($2::text IS NULL OR field_id = $2::text::bigint)
  ORDER BY field_id, site_id`
const SAVE_SCAN = `INSERT INTO product_analytics_field_scan (field_id, site_id, scanned_at, rows, fingerprint, value_list)
  VALUES ($1::text::bigint, $2::uuid, to_timestamp($3::float8 / 1000), $4::int, $5::text::jsonb, $6::text::jsonb)
  ON CONFLICT (field_id, site_id) DO UPDATE SET scanned_at = EXCLUDED.scanned_at, rows = EXCLUDED.rows,
    fingerprint = EXCLUDED.fingerprint, value_list = EXCLUDED.value_list`
const SAVE_SEMANTIC_TYPE = `UPDATE product_analytics_property SET semantic_type = $5
  WHERE site_id = $1::uuid AND owner = $2 AND event_name = $3 AND key = $4 AND semantic_type IS DISTINCT FROM $5`
const READ_SCANNED_AT = `SELECT field_id::float8 AS id, floor(extract(epoch FROM scanned_at) * 1000)::float8 AS at
  FROM product_analytics_field_scan WHERE site_id = $1::uuid`
const DELETE_OLD = `DELETE FROM product_analytics_field_scan
  WHERE scanned_at < now() - interval '${SCANS_KEPT}'
    OR NOT EXISTS (SELECT FROM product_analytics_site WHERE id = site_id)`

const unavailable = (message: string) => new MetadataError({ message })

interface Snapshot {
  readonly fields: ReadonlyMap<number, FieldChoices>
  readonly tables: ReadonlyMap<string, TableChoices>
}

/** What a newer version stored and this one cannot read counts as not chosen. */
const decodeFieldChoices = Schema.decodeUnknownOption(FieldChoices)
const decodeTableChoices = Schema.decodeUnknownOption(TableChoices)
const decodeScan = Schema.decodeUnknownOption(FieldScan)

const NO_FIELD_CHOICES: FieldChoices = {}
const NO_TABLE_CHOICES: TableChoices = {}

const present = <A>(
  option: { readonly _tag: "None" } | { readonly _tag: "Some"; readonly value: A }
): ReadonlyArray<A> => (option._tag === "Some" ? [option.value] : [])

const read = (sql: SqlClient.SqlClient): Effect.Effect<Snapshot, SqlError.SqlError> =>
  Effect.zipWith(
    sql.unsafe<{ id: number; choices: unknown }>(READ_FIELDS),
    sql.unsafe<{ name: string; choices: unknown }>(READ_TABLES),
    (fields, tables) => ({
      fields: new Map(
        fields.flatMap(({ choices, id }) => present(decodeFieldChoices(choices)).map((one) => [id, one]))
      ),
      tables: new Map(
        tables.flatMap(({ choices, name }) => present(decodeTableChoices(choices)).map((one) => [name, one]))
      )
    })
  )

const chooseForField = (sql: SqlClient.SqlClient, { choices, declaredType, id, name, property }: ChosenField) =>
  Effect.gen(function* () {
    // Collectors, too, lock a property before the revision of all metadata, which each change updates.
    if (property !== null) {
      yield* sql.unsafe(CHOOSE_PROPERTY, [
        property.siteId,
        property.owner,
        property.event,
        property.key,
        declaredType !== undefined,
        declaredType ?? null,
        choices.visibility === undefined ? null : isHiding(choices.visibility)
      ])
    }
    if (Object.keys(choices).length > 0) yield* sql.unsafe(CHOOSE_FIELD, [String(id), name, JSON.stringify(choices)])
  })

const updateEvent = (targetKind: string, id: string, name: string, details: object): AuditEvent => ({
  action: `${targetKind}.update`,
  targetKind,
  targetId: id,
  targetName: name,
  details: { ...details }
})

/** What is known about fields, in the app database. */
export const layer: Layer.Layer<Metadata, StartError, AppDatabase | Changes> = Layer.effect(
  Metadata,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const changes = yield* Changes
    let snapshot: Snapshot = { fields: new Map(), tables: new Map() }
    const run = <A>(statement: Effect.Effect<A, SqlError.SqlError>) => runStatement(statement, unavailable)
    const refresh = Effect.map(run(read(sql)), (current) => {
      snapshot = current
      return current
    })
    yield* Effect.mapError(refresh, ({ message }) => startLater(`Can't read what was chosen for fields: ${message}`))
    yield* changes.follow("metadata", Effect.asVoid(refresh))
    /** This process applies its own change at once. */
    const applied = <A>(change: Effect.Effect<A, MetadataError>) =>
      Effect.asVoid(Effect.andThen(change, Effect.ignore(refresh)))

    return Metadata.of({
      fieldChoices: (id) => snapshot.fields.get(id) ?? NO_FIELD_CHOICES,
      tableChoices: (view) => snapshot.tables.get(view) ?? NO_TABLE_CHOICES,
      chooseForField: (field) => {
        const { choices, declaredType, id, name, property } = field
        const details = { ...choices, ...(declaredType !== undefined && { declaredType }) }
        return applied(
          run(
            audited(sql, chooseForField(sql, field), () =>
              updateEvent("field", String(id), property?.key ?? name, details)
            )
          )
        )
      },
      chooseForTable: (view, choices) =>
        applied(
          run(
            audited(sql, sql.unsafe(CHOOSE_TABLE, [view, JSON.stringify(choices)]), () =>
              updateEvent("table", view, view, choices)
            )
          )
        ),
      scans: (sites, fieldId) =>
        Effect.map(run(sql.unsafe(READ_SCANS, [uuidArray(sites), fieldId === null ? null : String(fieldId)])), (rows) =>
          rows.flatMap((row) => present(decodeScan(row)))
        ),
      saveScan: (scan, property) =>
        run(
          Effect.gen(function* () {
            const { fieldId, scannedAt, siteId, stats, values } = scan
            yield* sql.unsafe(SAVE_SCAN, [
              String(fieldId),
              siteId,
              scannedAt,
              stats.rows,
              JSON.stringify(Schema.encodeSync(FieldStats)(stats)),
              values === null ? null : JSON.stringify(values)
            ])
            if (property === null) return
            const { event, key, owner } = property.property
            yield* sql.unsafe(SAVE_SEMANTIC_TYPE, [siteId, owner, event, key, property.semanticType])
          })
        ),
      scannedAt: (site: SiteId) =>
        Effect.map(
          run(sql.unsafe<{ id: number; at: number }>(READ_SCANNED_AT, [site])),
          (rows) => new Map(rows.map(({ at, id }) => [id, at]))
        ),
      deleteOldScans: Effect.asVoid(run(sql.unsafe(DELETE_OLD))),
      exclusively: (job) =>
        Effect.catchIf(
          withJobLock(sql, FIELD_SCAN_LOCK, job),
          (error): error is SqlError.SqlError => (error as { readonly _tag?: string })._tag === "SqlError",
          (error) => Effect.fail(unavailable(sqlMessage(error)))
        )
    })
  })
)
