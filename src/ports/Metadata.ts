import { Context, type Effect, type Option, Schema } from "effect"
import { CountedValues, FieldStats, ShownValue } from "../domain/FieldStats.ts"
import type { SiteId } from "../domain/ids.ts"
import type { PropertyType } from "../domain/propertyType.ts"
import type { RegisteredProperty } from "./Properties.ts"

/** Whether a field is offered: always, in details only, never to people who may not see personal data, or never. */
export const Visibility = Schema.Literals(["normal", "details-only", "sensitive", "hidden"])
export type Visibility = typeof Visibility.Type

/** Whether only administrators may see the field and name it in questions. */
export const isHiding = (visibility: Visibility): boolean => visibility === "sensitive" || visibility === "hidden"

/** How values of a field are offered: from a list, by searching, or not at all. */
export const ValueSource = Schema.Literals(["list", "search", "none"])
export type ValueSource = typeof ValueSource.Type

/** What an administrator chose for a field. An absent key was not chosen; null is a choice. */
export const FieldChoices = Schema.Struct({
  displayName: Schema.optionalKey(Schema.String),
  description: Schema.optionalKey(Schema.NullOr(Schema.String)),
  semanticType: Schema.optionalKey(Schema.NullOr(Schema.String)),
  visibility: Schema.optionalKey(Visibility),
  valueSource: Schema.optionalKey(ValueSource),
  /** What is shown in the place of values; null: the values themselves. */
  labels: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Tuple([ShownValue, Schema.String]))))
})
export type FieldChoices = typeof FieldChoices.Type

/** What an administrator chose for a view. */
export const TableChoices = Schema.Struct({
  displayName: Schema.optionalKey(Schema.String),
  description: Schema.optionalKey(Schema.NullOr(Schema.String))
})
export type TableChoices = typeof TableChoices.Type

/** What the newest values of a field are on a site. */
export const FieldScan = Schema.Struct({
  fieldId: Schema.Finite,
  siteId: Schema.String,
  /** Ms since the epoch. */
  scannedAt: Schema.Finite,
  stats: FieldStats,
  /** All values, the most frequent first; null if there are too many to list. */
  values: Schema.NullOr(CountedValues)
})
export type FieldScan = typeof FieldScan.Type

/** A field that an administrator says something about. */
export interface ChosenField {
  readonly id: number
  /** What the id is computed from. */
  readonly name: string
  readonly choices: FieldChoices
  /** The property that it is; null for a column. */
  readonly property: RegisteredProperty | null
  /** What the values of the property are; null: whatever they look like. Absent if it was not chosen. */
  readonly declaredType?: PropertyType | null
}

/** The app database can't be reached. */
export class MetadataError extends Schema.TaggedError<MetadataError>()("MetadataError", { message: Schema.String }) {}

/** What is known about fields beyond what the program defines. Choices are in memory, and follow changes made by any process within seconds. */
export class Metadata extends Context.Service<
  Metadata,
  {
    readonly fieldChoices: (id: number) => FieldChoices
    readonly tableChoices: (view: string) => TableChoices
    /** Adds to what was chosen before; this process applies it at once. */
    readonly chooseForField: (field: ChosenField) => Effect.Effect<void, MetadataError>
    readonly chooseForTable: (view: string, choices: TableChoices) => Effect.Effect<void, MetadataError>
    /** The scans of these sites, of one field or of all. */
    readonly scans: (
      sites: ReadonlyArray<string>,
      fieldId: number | null
    ) => Effect.Effect<ReadonlyArray<FieldScan>, MetadataError>
    /** Replaces the field's scan of the site. For a property, `semanticType` is what its values look like. */
    readonly saveScan: (
      scan: FieldScan,
      property: { readonly property: RegisteredProperty; readonly semanticType: string | null } | null
    ) => Effect.Effect<void, MetadataError>
    /** When each field of the site was scanned last, in ms since the epoch. */
    readonly scannedAt: (site: SiteId) => Effect.Effect<ReadonlyMap<number, number>, MetadataError>
    /** Deletes scans that have not been repeated for months, and those of sites that no longer exist. */
    readonly deleteOldScans: Effect.Effect<void, MetadataError>
    /** Runs a job unless another process is running it. It is interrupted if the app database is lost. */
    readonly exclusively: <A, E, R>(
      job: Effect.Effect<A, E, R>
    ) => Effect.Effect<Option.Option<A>, E | MetadataError, R>
  }
>()("footfall/ports/Metadata") {}
