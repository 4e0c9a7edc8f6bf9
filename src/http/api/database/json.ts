import { Schema } from "effect"
import { ShownValue } from "../../../domain/FieldStats.ts"
import { PROPERTY_TYPES, type PropertyType } from "../../../domain/propertyType.ts"
import { ValueSource, Visibility } from "../../../ports/Metadata.ts"
import type { TableRecord } from "../../../query/metadata/Catalog.ts"
import { DATABASE_ID } from "../../../query/metadata/fieldIds.ts"
import type { FieldRecord } from "../../../query/metadata/fieldRecord.ts"
import { type BaseType, SEMANTIC_TYPES } from "../../../query/metadata/views.ts"
import { EXAMPLE } from "../../shared/json/fields.ts"

/*
 * The virtual database in Metabase's vocabulary, so that its users and tools feel at home.
 */

const BASE_TYPES: Readonly<Record<BaseType | PropertyType, readonly [metabase: string, postgres: string]>> = {
  text: ["type/Text", "text"],
  uuid: ["type/UUID", "uuid"],
  integer: ["type/Integer", "int8"],
  decimal: ["type/Decimal", "numeric"],
  number: ["type/Decimal", "numeric"],
  boolean: ["type/Boolean", "bool"],
  instant: ["type/DateTimeWithLocalTZ", "timestamptz"],
  date: ["type/DateTimeWithLocalTZ", "timestamptz"]
}

const HOURLY = "0 0 * * * ? *"

export const fieldId = Schema.Int.annotate({ examples: [5_139_522_012_436_782] })

const FingerprintJson = Schema.Struct({
  global: Schema.Struct({
    "distinct-count": Schema.Int,
    "nil%": Schema.NullOr(Schema.Finite),
    approx: Schema.optionalKey(
      Schema.Literal(true).annotate({
        description: "There are more rows than the newest 10,000 of each site, so there may be more values"
      })
    )
  }),
  type: Schema.optionalKey(
    Schema.Record(
      Schema.String,
      Schema.Record(Schema.String, Schema.NullOr(Schema.Union([Schema.Finite, Schema.String])))
    )
  ),
  top: Schema.Array(Schema.Struct({ value: ShownValue, count: Schema.Finite })).annotate({
    description: "The most frequent values"
  })
}).annotate({
  identifier: "Fingerprint",
  description: "What the newest values of a field are like, on the sites that the caller may see.",
  examples: [
    {
      global: { "distinct-count": 2, "nil%": 0.25 },
      type: {
        "type/Text": {
          "percent-json": 0,
          "percent-url": 0,
          "percent-email": 0,
          "percent-state": 0,
          "average-length": 3.4
        }
      },
      top: [
        { value: "pro", count: 60 },
        { value: "free", count: 40 }
      ]
    }
  ]
})

const Labels = Schema.Array(Schema.Tuple([ShownValue, Schema.String]))

const RemappingJson = Schema.Union([
  Schema.Struct({ type: Schema.Literal("internal"), values: Labels }),
  Schema.Struct({ type: Schema.Literal("external"), field_id: fieldId })
]).annotate({
  identifier: "Remapping",
  description:
    "What is shown in the place of values: labels (`internal`), or a field of the row that they refer to (`external`)."
})

const Dimension = Schema.Struct({
  type: Schema.Literals(["internal", "external"]),
  name: Schema.String,
  human_readable_field_id: Schema.NullOr(fieldId)
})

export const FieldJson = Schema.Struct({
  id: fieldId,
  table_id: fieldId,
  name: Schema.String.annotate({ examples: ["plan"] }),
  display_name: Schema.String.annotate({ examples: ["Plan"] }),
  description: Schema.NullOr(Schema.String),
  base_type: Schema.String.annotate({ examples: ["type/Text"] }),
  effective_type: Schema.String.annotate({ examples: ["type/Text"] }),
  database_type: Schema.String.annotate({ examples: ["text"] }),
  semantic_type: Schema.NullOr(Schema.String).annotate({ examples: ["type/Category"] }),
  fk_target_field_id: Schema.NullOr(fieldId).annotate({ description: "The field that a foreign key refers to" }),
  visibility_type: Visibility,
  has_field_values: ValueSource.annotate({
    description: "Whether values are chosen from a list of at most 100, found by searching, or neither"
  }),
  fingerprint: Schema.NullOr(FingerprintJson).annotate({ description: "Null until the field was scanned" }),
  remapping: Schema.NullOr(RemappingJson),
  dimensions: Schema.Array(Dimension).annotate({ description: "The remapping in Metabase's form" }),
  position: Schema.Int,
  active: Schema.Literal(true),
  unit: Schema.NullOr(Schema.String).annotate({ description: "`ms` or `s`" }),
  source: Schema.Literals(["column", "property", "attribute"]).annotate({
    description: "A column of the view, a property of its events, or an attribute of its visitors"
  }),
  group: Schema.String.annotate({
    description: "The heading to list it under",
    examples: ["Signup properties"]
  }),
  field_ref: Schema.Unknown.annotate({
    description: "The clause of a question that names the field",
    examples: [["prop", "plan", { type: "text", event: "signup" }]]
  }),
  property: Schema.NullOr(
    Schema.Struct({
      site_id: Schema.String.annotate({ examples: [EXAMPLE.siteId] }),
      event: Schema.NullOr(Schema.String).annotate({
        description: "The event's name, `*` for all events, or empty for pageviews; null for an attribute",
        examples: ["signup"]
      }),
      key: Schema.String.annotate({ examples: ["plan"] }),
      type: Schema.Literals(PROPERTY_TYPES),
      declared_type: Schema.NullOr(Schema.Literals(PROPERTY_TYPES)),
      n: Schema.Finite.annotate({ description: "How many values there were", examples: [100] }),
      n_by_type: Schema.Record(Schema.String, Schema.Finite).annotate({
        description: "`numeric` are strings that look like numbers",
        examples: [{ string: 100, numeric: 0, number: 0, boolean: 0, date: 0, array: 0 }]
      }),
      first_seen: Schema.String.annotate({ examples: [EXAMPLE.instant] }),
      last_seen: Schema.String.annotate({ examples: [EXAMPLE.instant] })
    })
  ).annotate({ description: "What the registry knows of a property or attribute; null for a column" })
}).annotate({
  identifier: "Field",
  description: "A column of a view, a property of events or an attribute of visitors."
})

export const TableJson = Schema.Struct({
  id: fieldId,
  db_id: Schema.Literal(DATABASE_ID),
  name: Schema.String.annotate({ examples: ["v_pa_events"] }),
  display_name: Schema.String.annotate({ examples: ["Events"] }),
  description: Schema.NullOr(Schema.String),
  entity_type: Schema.String.annotate({ examples: ["entity/EventTable"] }),
  schema: Schema.Literal("public"),
  active: Schema.Literal(true),
  visibility_type: Schema.Null,
  field_order: Schema.Literal("database"),
  initial_sync_status: Schema.Literal("complete"),
  fields: Schema.Array(FieldJson)
}).annotate({ identifier: "Table", description: "A view that questions read." })

const database = {
  id: Schema.Literal(DATABASE_ID),
  name: Schema.String.annotate({ examples: ["Product Analytics Database"] }),
  description: Schema.String,
  engine: Schema.Literal("postgres").annotate({ description: "The app database's, whichever engine answers" }),
  is_product_analytics: Schema.Literal(true),
  is_sample: Schema.Literal(false),
  is_full_sync: Schema.Literal(true),
  is_on_demand: Schema.Literal(false),
  auto_run_queries: Schema.Literal(true),
  native_permissions: Schema.Literal("none").annotate({ description: "SQL is not allowed" }),
  features: Schema.Array(Schema.String),
  details: Schema.Struct({}),
  timezone: Schema.String,
  initial_sync_status: Schema.Literal("complete"),
  metadata_sync_schedule: Schema.String,
  cache_field_values_schedule: Schema.String
}

export const DatabaseJson = Schema.Struct(database).annotate({
  identifier: "Database",
  description: "The virtual database that holds the views of product analytics."
})

export const DatabaseMetadataJson = Schema.Struct({ ...database, tables: Schema.Array(TableJson) }).annotate({
  identifier: "DatabaseMetadata",
  description: "The virtual database with its tables and their fields."
})

export const databaseJson: typeof DatabaseJson.Type = {
  id: DATABASE_ID,
  name: "Product Analytics Database",
  description: "Events, visits, visitors and sites. Its permissions are those of the collection Product Analytics.",
  engine: "postgres",
  is_product_analytics: true,
  is_sample: false,
  is_full_sync: true,
  is_on_demand: false,
  auto_run_queries: true,
  native_permissions: "none",
  features: [
    "basic-aggregations",
    "standard-deviation-aggregations",
    "percentile-aggregations",
    "advanced-math-expressions",
    "binning",
    "case-sensitivity-string-filter-options",
    "expression-aggregations",
    "expressions",
    "foreign-keys",
    "inner-join",
    "left-join",
    "nested-queries",
    "regex",
    "set-timezone",
    "temporal-extract"
  ],
  details: {},
  timezone: "UTC",
  initial_sync_status: "complete",
  metadata_sync_schedule: HOURLY,
  cache_field_values_schedule: HOURLY
}

const metabaseType = (type: string | null): string | null => (type === null ? null : `type/${type}`)

const remappingJson = ({ remapping }: FieldRecord): typeof RemappingJson.Type | null => {
  if (remapping === null) return null
  return remapping.type === "internal"
    ? { type: "internal", values: remapping.labels.map(([value, label]) => [value, label] as const) }
    : { type: "external", field_id: remapping.fieldId }
}

const propertyJson = ({ property }: FieldRecord): (typeof FieldJson.Type)["property"] =>
  property === null
    ? null
    : {
        site_id: property.siteId,
        event: property.owner === "event" ? property.event : null,
        key: property.key,
        type: property.type,
        declared_type: property.declaredType,
        n: Object.values(property.counts).reduce((sum, count) => sum + count, 0),
        n_by_type: property.counts,
        first_seen: property.firstSeen.toISOString(),
        last_seen: property.lastSeen.toISOString()
      }

export const fieldJson = (field: FieldRecord): typeof FieldJson.Type => {
  const [baseType, databaseType] = BASE_TYPES[field.type]
  const { remapping } = field
  return {
    id: field.id,
    table_id: field.tableId,
    name: field.name,
    display_name: field.displayName,
    description: field.description,
    base_type: baseType,
    effective_type: baseType,
    database_type: databaseType,
    semantic_type: metabaseType(field.semanticType),
    fk_target_field_id: field.fkTargetFieldId,
    visibility_type: field.visibility,
    has_field_values: field.valueSource,
    fingerprint: field.fingerprint,
    remapping: remappingJson(field),
    dimensions:
      remapping === null
        ? []
        : [
            {
              type: remapping.type,
              name: field.displayName,
              human_readable_field_id: remapping.type === "external" ? remapping.fieldId : null
            }
          ],
    position: field.position,
    active: true,
    unit: field.unit,
    source: field.source,
    group: field.group,
    field_ref: field.clause,
    property: propertyJson(field)
  }
}

export const tableJson = ({ description, displayName, fields, id, view }: TableRecord): typeof TableJson.Type => ({
  id,
  db_id: DATABASE_ID,
  name: view.name,
  display_name: displayName,
  description,
  entity_type: `entity/${view.entity}`,
  schema: "public",
  active: true,
  visibility_type: null,
  field_order: "database",
  initial_sync_status: "complete",
  fields: fields.map(fieldJson)
})

const title = (maximum: number) =>
  Schema.String.check(
    Schema.isPattern(/\S/, { message: "It must not be blank." }),
    Schema.isMaxLength(maximum, { message: `At most ${maximum} characters.` })
  )

/** In characters. */
const MAX_TITLE = 200
const MAX_DESCRIPTION = 2_000
/** As many as a list of values has. */
const MAX_LABELS = 100

const DisplayName = title(MAX_TITLE).annotate({ examples: ["Plan"] })
const Description = Schema.NullOr(Schema.String.check(Schema.isMaxLength(MAX_DESCRIPTION))).annotate({
  description: "Null: none"
})

export const TableUpdateJson = Schema.Struct({
  display_name: Schema.optionalKey(DisplayName),
  description: Schema.optionalKey(Description)
}).annotate({ identifier: "TableUpdate", description: "Absent keys keep their values." })

const NAMES = SEMANTIC_TYPES.flatMap((type) => [`type/${type}` as const, type])

const RemappingUpdate = Schema.NullOr(
  Schema.Struct({
    type: Schema.Literal("internal"),
    values: Schema.Array(Schema.Tuple([ShownValue, title(MAX_TITLE)])).check(
      Schema.isMaxLength(MAX_LABELS),
      Schema.makeFilter((labels) => new Set(labels.map(([value]) => value)).size === labels.length, {
        message: "Each value has one label."
      })
    )
  })
).annotate({
  description: `Labels for at most ${MAX_LABELS} values; null shows the values themselves`,
  examples: [{ type: "internal", values: [["pro", "Professional"]] }]
})

export const FieldUpdateJson = Schema.Struct({
  display_name: Schema.optionalKey(DisplayName),
  description: Schema.optionalKey(Description),
  semantic_type: Schema.optionalKey(
    Schema.NullOr(Schema.Literals(NAMES)).annotate({
      description: "With or without `type/`; null: nothing in particular",
      examples: ["type/Category"]
    })
  ),
  visibility_type: Schema.optionalKey(Visibility),
  has_field_values: Schema.optionalKey(ValueSource),
  remapping: Schema.optionalKey(RemappingUpdate),
  remap: Schema.optionalKey(RemappingUpdate.annotate({ description: "Another name of `remapping`" })),
  declared_type: Schema.optionalKey(
    Schema.NullOr(Schema.Literals(PROPERTY_TYPES)).annotate({
      description: "What the values of a property are, instead of what they look like; null: what they look like",
      examples: ["number"]
    })
  )
}).annotate({
  identifier: "FieldUpdate",
  description: "Absent keys keep their values. What is chosen here is kept by every scan, restart and upgrade."
})

export const FieldValuesJson = Schema.Struct({
  field_id: fieldId,
  values: Schema.Array(Schema.Union([Schema.Tuple([ShownValue]), Schema.Tuple([ShownValue, Schema.String])])).annotate({
    description: "Each is a value, or a value and its label",
    examples: [
      [
        [1, "Pageview"],
        [2, "Custom Event"]
      ]
    ]
  }),
  has_more_values: Schema.Boolean.annotate({ description: "Whether there may be other values" })
}).annotate({ identifier: "FieldValues", description: "The values of a field to choose from." })
