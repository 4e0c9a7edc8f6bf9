import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { ShownValue } from "../../../domain/FieldStats.ts"
import { DATABASE_ID } from "../../../query/metadata/fieldIds.ts"
import { EXAMPLE } from "../../shared/json/fields.ts"
import { Access, requires } from "../access.ts"
import { QUESTION_PROBLEMS } from "../dataset/questionProblem.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { Forbidden, NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"
import {
  DatabaseJson,
  DatabaseMetadataJson,
  FieldJson,
  FieldUpdateJson,
  FieldValuesJson,
  TableJson,
  TableUpdateJson
} from "./json.ts"

/** Ids are plain strings, because a malformed id is something that does not exist (404), not a malformed request (400). */
const byId = (what: string, example: number) => ({
  id: Schema.String.annotate({ description: `The ${what}'s id`, examples: [String(example)] })
})
const byDatabase = { params: byId("database", DATABASE_ID) }
const byTable = { params: byId("table", 9_257_274_545_115) }
const byField = { params: byId("field", 5_139_522_012_436_782) }

const site = {
  site: Schema.optionalKey(
    Schema.String.annotate({
      description: "Only this site's properties and values; default: those of all sites that the caller may see",
      examples: [EXAMPLE.siteId]
    })
  )
}

const listing = {
  ...site,
  search: Schema.optionalKey(
    Schema.String.check(Schema.isMaxLength(500)).annotate({
      description: "Only properties and attributes whose key or event contains this, however rare they are",
      examples: ["plan"]
    })
  ),
  include_hidden: Schema.optionalKey(
    Schema.Literals(["true", "false"]).annotate({
      description: "`true` includes hidden and sensitive fields; only for administrators"
    })
  )
}

/** Values in one response. */
const MAX_FOUND = 100
export const DEFAULT_FOUND = 20

/** In characters: no stored value is longer. */
const MAX_TERM = 500

const Done = Schema.Struct({ status: Schema.Literal("ok") })

export class DatabaseApi extends HttpApiGroup.make("database")
  .add(
    HttpApiEndpoint.get("list", "/api/database", {
      success: Schema.Struct({ data: Schema.Array(DatabaseJson), total: Schema.Int.annotate({ examples: [1] }) })
    })
      .annotateMerge(requires("read", "metadata"))
      .annotateMerge(endpointDocs("List databases", "There is one, with the views of product analytics.")),
    HttpApiEndpoint.get("get", "/api/database/:id", { ...byDatabase, success: DatabaseJson, error: NotFound })
      .annotateMerge(requires("read", "metadata"))
      .annotateMerge(endpointDocs("Get a database")),
    HttpApiEndpoint.get("metadata", "/api/database/:id/metadata", {
      ...byDatabase,
      query: listing,
      success: DatabaseMetadataJson,
      error: [Forbidden, NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "metadata"))
      .annotateMerge(
        endpointDocs(
          "Get a database's tables and fields",
          "Event properties are fields of `v_pa_events`, and visitor attributes of `v_pa_sessions`: the 500 most frequent ones of the sites that the caller may see, or of one site."
        )
      ),
    HttpApiEndpoint.post("sync", "/api/database/:id/sync_schema", { ...byDatabase, success: Done, error: NotFound })
      .annotateMerge(requires("update", "metadata"))
      .annotateMerge(
        endpointDocs(
          "Read the schema again",
          "Tables and columns are always up to date. This reads the registry of properties again, and the values of fields in the background."
        )
      ),
    HttpApiEndpoint.post("rescan", "/api/database/:id/rescan_values", { ...byDatabase, success: Done, error: NotFound })
      .annotateMerge(requires("update", "metadata"))
      .annotateMerge(
        endpointDocs(
          "Read the values of fields again",
          "In the background: fingerprints and lists of values of all sites. It also happens every hour, for sites with new events."
        )
      ),
    HttpApiEndpoint.get("tables", "/api/table", {
      query: listing,
      success: Schema.Array(TableJson),
      error: [Forbidden, NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "metadata"))
      .annotateMerge(endpointDocs("List tables", "With their fields.")),
    HttpApiEndpoint.get("tableMetadata", "/api/table/:id/query_metadata", {
      ...byTable,
      query: listing,
      success: TableJson,
      error: [Forbidden, NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "metadata"))
      .annotateMerge(endpointDocs("Get a table and its fields")),
    HttpApiEndpoint.put("updateTable", "/api/table/:id", {
      ...byTable,
      payload: TableUpdateJson,
      success: TableJson,
      error: [NotFound, UnprocessableContent, ServiceUnavailable]
    })
      .annotateMerge(requires("update", "metadata"))
      .annotateMerge(endpointDocs("Update a table", "Its name and description.")),
    HttpApiEndpoint.get("field", "/api/field/:id", {
      ...byField,
      query: site,
      success: FieldJson,
      error: [Forbidden, NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "metadata"))
      .annotateMerge(endpointDocs("Get a field", "A property of a site that the caller may not see does not exist.")),
    HttpApiEndpoint.put("updateField", "/api/field/:id", {
      ...byField,
      payload: FieldUpdateJson,
      success: FieldJson,
      error: [NotFound, UnprocessableContent, ServiceUnavailable]
    })
      .annotateMerge(requires("update", "metadata"))
      .annotateMerge(endpointDocs("Update a field", "No scan, restart or upgrade changes what is chosen here.")),
    HttpApiEndpoint.get("values", "/api/field/:id/values", {
      ...byField,
      query: site,
      success: FieldValuesJson,
      error: [Forbidden, NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "metadata"))
      .annotateMerge(
        endpointDocs(
          "List a field's values",
          "Of the sites that the caller may see: all of them if there are at most 100, otherwise the most frequent ones. Values that have not been read yet are read now, within seconds."
        )
      ),
    HttpApiEndpoint.get("search", "/api/field/:id/search/:term", {
      params: {
        ...byField.params,
        term: Schema.String.check(Schema.isMaxLength(MAX_TERM)).annotate({
          description: "Part of the value, in upper or lower case",
          examples: ["pric"]
        })
      },
      query: {
        ...site,
        limit: Schema.optionalKey(
          Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: MAX_FOUND })).annotate({
            description: `1 to ${MAX_FOUND}; default: ${DEFAULT_FOUND}`,
            examples: [DEFAULT_FOUND]
          })
        )
      },
      success: Schema.Array(
        Schema.Union([Schema.Tuple([ShownValue]), Schema.Tuple([ShownValue, Schema.String])])
      ).annotate({
        description: "The most frequent values that contain the term, each with its label if it has one.",
        examples: [[["/pricing"], ["/blog/new-prices"]]]
      }),
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "metadata"))
      .annotateMerge(
        endpointDocs(
          "Search a field's values",
          "Of text fields, and of fields with labels. Looks at the last 90 days, and further back if there is nothing in them."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Metadata",
      description:
        "What questions can be about: the virtual database, its tables, and their fields with types, fingerprints and values. Requires read access to Product Analytics; changes require an administrator."
    })
  ) {}
