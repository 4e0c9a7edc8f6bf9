import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Access, requires } from "../access.ts"
import { byId, CopyJson, DeletedJson, HeadJson, pageOf, pageQuery } from "../content/json.ts"
import { READ_PROBLEMS, WRITE_PROBLEMS } from "../content/problem.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { BadRequest, GatewayTimeout } from "../problems.ts"
import { FilterCreateJson, FilterJson, FilterUpdateJson } from "./json.ts"

const SAVE_PROBLEMS = [BadRequest, GatewayTimeout, ...WRITE_PROBLEMS] as const

interface Words {
  readonly one: "segment" | "cohort"
  readonly title: string
  readonly description: string
  readonly use: string
}

const inCollection = { inCollection: true } as const

/** The resource of a kind of saved filter. */
const filterGroup = <const Name extends "segments" | "cohorts">(name: Name, { description, one, title, use }: Words) =>
  HttpApiGroup.make(name)
    .add(
      HttpApiEndpoint.get("list", `/api/${one}`, { query: pageQuery, success: pageOf(HeadJson), error: READ_PROBLEMS })
        .annotateMerge(requires("read", name, inCollection))
        .annotateMerge(endpointDocs(`List ${name}`, "Those that the caller may read, in the order of their names.")),
      HttpApiEndpoint.post("create", `/api/${one}`, {
        payload: FilterCreateJson,
        success: FilterJson,
        error: SAVE_PROBLEMS
      })
        .annotateMerge(requires("create", name, inCollection))
        .annotateMerge(endpointDocs(`Create a ${one}`, use)),
      HttpApiEndpoint.get("get", `/api/${one}/:id`, { ...byId, success: FilterJson, error: READ_PROBLEMS })
        .annotateMerge(requires("read", name, inCollection))
        .annotateMerge(endpointDocs(`Get a ${one}`, "Also from the trash.")),
      HttpApiEndpoint.put("update", `/api/${one}/:id`, {
        ...byId,
        payload: FilterUpdateJson,
        success: FilterJson,
        error: SAVE_PROBLEMS
      })
        .annotateMerge(requires("update", name, inCollection))
        .annotateMerge(
          endpointDocs(
            `Change a ${one}`,
            "Absent keys keep their values. `archived: true` moves it to the trash; 409 if something uses it, or if `revision` is not the newest."
          )
        ),
      HttpApiEndpoint.delete("remove", `/api/${one}/:id`, { ...byId, success: DeletedJson, error: WRITE_PROBLEMS })
        .annotateMerge(requires("delete", name, inCollection))
        .annotateMerge(
          endpointDocs(`Delete a ${one}`, "For good, from the trash. `PUT` with `archived: true` moves it there.")
        ),
      HttpApiEndpoint.post("copy", `/api/${one}/:id/copy`, {
        ...byId,
        payload: CopyJson,
        success: FilterJson,
        error: WRITE_PROBLEMS
      })
        .annotateMerge(requires("create", name, inCollection))
        .annotateMerge(endpointDocs(`Duplicate a ${one}`))
    )
    .middleware(Access)
    .annotateMerge(OpenApi.annotations({ title, description }))

export class SegmentsApi extends filterGroup("segments", {
  one: "segment",
  title: "Segments",
  description: "Saved conditions on events.",
  use: 'Questions use it as the filter `["segment", id]`.'
}) {}

export class CohortsApi extends filterGroup("cohorts", {
  one: "cohort",
  title: "Cohorts",
  description: "Saved groups of visitors: those with a matching event in the question's range.",
  use: 'Questions use it as the filter `["cohort", id]`, which keeps all rows of visitors who have a matching event in the range.'
}) {}
