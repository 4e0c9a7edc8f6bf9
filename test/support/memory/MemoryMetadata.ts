import { Effect, Layer, Option } from "effect"
import { type FieldChoices, type FieldScan, Metadata, type TableChoices } from "../../../src/ports/Metadata.ts"
import { FieldScanner } from "../../../src/query/metadata/FieldScanner.ts"

/** What is known about fields, in memory. */
export const layer: Layer.Layer<Metadata> = Layer.sync(Metadata, () => {
  const fields = new Map<number, FieldChoices>()
  const tables = new Map<string, TableChoices>()
  const scans = new Map<string, FieldScan>()
  return Metadata.of({
    fieldChoices: (id) => fields.get(id) ?? {},
    tableChoices: (view) => tables.get(view) ?? {},
    chooseForField: ({ choices, id }) => Effect.sync(() => void fields.set(id, { ...fields.get(id), ...choices })),
    chooseForTable: (view, choices) => Effect.sync(() => void tables.set(view, { ...tables.get(view), ...choices })),
    scans: (sites, fieldId) =>
      Effect.sync(() =>
        [...scans.values()].filter((scan) => sites.includes(scan.siteId) && (fieldId ?? scan.fieldId) === scan.fieldId)
      ),
    saveScan: (scan) => Effect.sync(() => void scans.set(`${scan.fieldId} ${scan.siteId}`, scan)),
    scannedAt: (site) =>
      Effect.sync(
        () =>
          new Map(
            [...scans.values()].flatMap((scan) =>
              scan.siteId === site ? [[scan.fieldId, scan.scannedAt] as const] : []
            )
          )
      ),
    deleteOldScans: Effect.void,
    exclusively: (job) => Effect.map(job, Option.some)
  })
})

/** Reads no values. */
export const noScanner: Layer.Layer<FieldScanner> = Layer.succeed(
  FieldScanner,
  FieldScanner.of({
    scan: () => Effect.succeed(null),
    scanAll: () => Effect.succeed(Option.none()),
    request: Effect.void
  })
)
