import { Schema, SchemaTransformation } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { CHANNELS } from "../../../query/channel/channel.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { GatewayTimeout, NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"
import { bySite } from "../sites/api.ts"

/** Ms since 1970, as in Umami's API. Annotated as a string, because the documentation shows the encoded side. */
const epochMs = (description: string, example: string) =>
  Schema.String.annotate({ description, examples: [example] })
    .check(Schema.isPattern(/^-?\d{1,16}$/, { expected: "whole milliseconds since 1970" }))
    .pipe(Schema.decodeTo(Schema.Int, SchemaTransformation.numberFromString))

const count = (description: string, example: number) => Schema.Int.annotate({ description, examples: [example] })

const OverviewJson = Schema.Struct({
  pageviews: count("Views of pages, links and pixels", 14),
  visitors: count("Distinct sessions of these views", 5),
  visits: count("Distinct visits of these views", 10),
  bounces: count("Visits with a single view", 6),
  totaltime: count("Seconds between first and last view, summed over all visits", 840)
}).annotate({ identifier: "Overview", description: "Umami's overview of a site." })

export class StatsApi extends HttpApiGroup.make("stats")
  .add(
    HttpApiEndpoint.get("overview", "/sites/:id/stats", {
      ...bySite,
      query: {
        startAt: epochMs("Start of the range, in milliseconds since 1970", "1774656000000"),
        endAt: epochMs("End of the range, inclusive, in milliseconds since 1970", "1775001599999"),
        channel: Schema.optionalKey(
          Schema.Literals(CHANNELS).annotate({
            description:
              "Only visits of this channel, with all their views; an empty value for those that no rule knows",
            examples: ["organicSearch"]
          })
        )
      },
      success: OverviewJson,
      error: [NotFound, UnprocessableContent, ServiceUnavailable, GatewayTimeout]
    })
      .annotateMerge(requires("read", "stats", { site: "id" }))
      .annotateMerge(
        endpointDocs(
          "Get a site's overview",
          "Takes the same parameters and returns the same metrics as Umami's `/api/websites/:id/stats`. Also works for archived sites. Closing the connection cancels the query in the warehouse."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Stats",
      description: "Statistics of a site, from the warehouse that `WAREHOUSE` selects."
    })
  ) {}
