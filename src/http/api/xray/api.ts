import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { EXAMPLE } from "../../shared/json/fields.ts"
import { Access, requires } from "../access.ts"
import { EXAMPLE_ID } from "../content/json.ts"
import { WRITE_PROBLEMS } from "../content/problem.ts"
import { DashboardJson } from "../dashboards/json.ts"
import { QUESTION_PROBLEMS } from "../dataset/questionProblem.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { BadRequest, GatewayTimeout } from "../problems.ts"
import { SaveJson, XrayJson } from "./json.ts"

const ROOT = "/api/automagic-dashboards"

const subject = {
  entity: Schema.Literals(["table", "field", "card", "adhoc"]).annotate({
    description: "What is looked at; `adhoc` is a question that is not saved"
  }),
  id: Schema.String.annotate({
    description: "The id of the table, field or card, or the question as JSON in base64url",
    examples: ["9257274545115"]
  })
}
const cell = {
  cell: Schema.String.annotate({
    description: 'The condition that a clicked point stands for, such as `["=","country","DE"]`, as JSON in base64url',
    examples: ["WyI9IiwiY291bnRyeSIsIkRFIl0"]
  })
}
const comparison = {
  comparison: Schema.Literals(["table", "segment", "cohort", "adhoc"]).annotate({
    description: "What it is compared with: all rows of its table, a saved filter, or another question's rows"
  }),
  other: Schema.String.annotate({
    description: "The id of the table, segment or cohort, or the question as JSON in base64url",
    examples: [EXAMPLE_ID]
  })
}

const query = {
  site: Schema.optionalKey(
    Schema.String.annotate({
      description: "The site; default: the question's, or the first one by name that the caller may see",
      examples: [EXAMPLE.siteId]
    })
  ),
  date: Schema.optionalKey(
    Schema.String.check(Schema.isMaxLength(100)).annotate({
      description: "The dates, as of a dashboard's parameter; default: the last 30 complete days",
      examples: ["past90days"]
    })
  ),
  show: Schema.optionalKey(
    Schema.Literal("all").annotate({ description: "All cards, up to 60, instead of the best 15" })
  )
}

const get = <const Name extends string, const Path extends `/${string}`, Params extends Schema.Struct.Fields>(
  name: Name,
  path: Path,
  params: Params
) =>
  HttpApiEndpoint.get(name, path, { params, query, success: XrayJson, error: QUESTION_PROBLEMS }).annotateMerge(
    requires("read", "questions")
  )

const LIMITS =
  "Each card is answered before the response: what is empty, has one value only or takes longer than 3 s is left out, and `notes` says so; all together take at most 10 s."

export class XrayApi extends HttpApiGroup.make("xray")
  .add(
    get("xray", `${ROOT}/:entity/:id`, subject).annotateMerge(
      endpointDocs(
        "X-ray a table, a field or a question",
        `A dashboard with the questions that what is known about the fields suggests. ${LIMITS}`
      )
    ),
    HttpApiEndpoint.get("rule", `${ROOT}/:entity/:id/rule/:template`, {
      params: {
        ...subject,
        template: Schema.String.annotate({
          description:
            "Of events: `EventTable`, `WebAnalytics`, `FunnelFlows`, `Event`, `Path`; of visitors: `GenericTable`, `VisitorsAndLocations`; of visits: `Visits`, `Campaign`, `Country`",
          examples: ["WebAnalytics"]
        })
      },
      query: {
        ...query,
        value: Schema.optionalKey(
          Schema.String.check(Schema.isMaxLength(500)).annotate({
            description: "The event, path, campaign or country; default: the most frequent one",
            examples: ["signup"]
          })
        )
      },
      success: XrayJson,
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "questions"))
      .annotateMerge(
        endpointDocs("X-ray a table with a template", `One of those that \`related\` leads to. ${LIMITS}`)
      ),
    get("cell", `${ROOT}/:entity/:id/cell/:cell`, { ...subject, ...cell }).annotateMerge(
      endpointDocs(
        "X-ray a clicked point",
        `Its rows next to the rest: the categories whose shares differ most come first, and \`differences\` lists their values. ${LIMITS}`
      )
    ),
    get("compare", `${ROOT}/:entity/:id/compare/:comparison/:other`, { ...subject, ...comparison }).annotateMerge(
      endpointDocs("Compare two sets of rows", `Both on each card; they may overlap. ${LIMITS}`)
    ),
    get("compareCell", `${ROOT}/:entity/:id/cell/:cell/compare/:comparison/:other`, {
      ...subject,
      ...cell,
      ...comparison
    }).annotateMerge(endpointDocs("Compare a clicked point with other rows", `Both on each card. ${LIMITS}`)),
    HttpApiEndpoint.post("save", "/api/dashboard/save", {
      payload: SaveJson,
      success: DashboardJson,
      error: [BadRequest, GatewayTimeout, ...WRITE_PROBLEMS]
    })
      .annotateMerge(requires("create", "dashboards", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Save an x-ray",
          "Stores the dashboard and its questions, all or none, in one collection. Send it as it was received; `name`, `description` and `collection_id` may differ. The questions are checked as if they were asked."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "X-ray",
      description:
        "Dashboards that Footfall makes of what is known about a table, a field, a question or a clicked point. Requires read access to Product Analytics."
    })
  ) {}
