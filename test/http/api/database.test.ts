import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Exit, Layer, type Redacted, Scope } from "effect"
import { Metadata } from "../../../src/ports/Metadata.ts"
import { Properties } from "../../../src/ports/Properties.ts"
import type { QueryEngine } from "../../../src/ports/QueryEngine.ts"
import { QuestionEngines } from "../../../src/ports/QuestionEngines.ts"
import { Sites } from "../../../src/ports/Sites.ts"
import { FieldScanner } from "../../../src/query/metadata/FieldScanner.ts"
import { VIEW_NAMES } from "../../../src/query/metadata/views.ts"
import { OTHER_SITE, SITE } from "../../services/fixture.ts"
import { eventually } from "../../support/eventually.ts"
import { databaseWithEvents, postgresEngine, startMetadata } from "../../support/metadata/metadataServices.ts"
import { startReplica, type TestReplica } from "../../support/replica/replica.ts"
import { ADMIN, type Admin, type Json, startAdmin, VIEWER } from "./support.ts"

setDefaultTimeout(180_000)

const DATABASE = "/api/database/13371338"

const scope = Scope.makeUnsafe()
const admins = new Map<string, Admin>()
let url: Redacted.Redacted<string>
let replica: TestReplica

/** The API of one `full`, with this engine. */
const startWith = async (engine: QueryEngine["Service"] | null): Promise<Admin> => {
  const services = await startMetadata(url, engine, scope)
  return startAdmin({
    sites: Layer.succeed(Sites, Context.get(services, Sites)),
    engines: Layer.succeed(QuestionEngines, Context.get(services, QuestionEngines)),
    properties: Layer.succeed(Properties, Context.get(services, Properties)),
    metadata: Layer.merge(
      Layer.succeed(Metadata, Context.get(services, Metadata)),
      Layer.succeed(FieldScanner, Context.get(services, FieldScanner))
    )
  })
}

beforeAll(async () => {
  url = await databaseWithEvents()
  replica = await startReplica(url)
  await replica.sync()
  admins.set("postgres", await startWith(await postgresEngine(url, scope)))
  admins.set("replica", await startWith(replica.engine))
}, 180_000)

afterAll(async () => {
  for (const admin of admins.values()) await admin.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await replica[Symbol.asyncDispose]()
})

const tablesOf = async (admin: Admin, query = ""): Promise<Map<string, Json>> => {
  const { body, status } = await admin.call("GET", `${DATABASE}/metadata${query}`)
  expect(status).toBe(200)
  return new Map(body.tables.map((table: Json) => [table.name, table]))
}

const fieldOf = async (admin: Admin, view: string, name: string, query = ""): Promise<Json> =>
  (await tablesOf(admin, query)).get(view).fields.find((field: Json) => field.name === name)

describe("the virtual database", () => {
  const admin = () => admins.get("postgres")!

  test("is the only one, whatever starts how often, and has no SQL", async () => {
    const { body } = await admin().call("GET", "/api/database")
    expect(body).toMatchObject({
      total: 1,
      data: [
        {
          id: 13371338,
          name: "Product Analytics Database",
          is_product_analytics: true,
          engine: "postgres",
          details: {},
          native_permissions: "none"
        }
      ]
    })
    expect((await admins.get("replica")!.call("GET", "/api/database")).body).toEqual(body)
    expect((await admin().call("GET", DATABASE)).body).toEqual(body.data[0])
    for (const path of ["/api/database/1", "/api/database/x/metadata", "/api/table/7/query_metadata", "/api/field/9"]) {
      expect((await admin().call("GET", path)).status).toBe(404)
    }
  })

  test("has exactly the seven views, with the entity and semantic types of the contract", async () => {
    expect((await admin().call("POST", `${DATABASE}/sync_schema`)).body).toEqual({ status: "ok" })
    const tables = await tablesOf(admin())
    expect([...tables.keys()]).toEqual([...VIEW_NAMES])
    expect(new Set([...tables.values()].map(({ db_id }) => db_id))).toEqual(new Set([13371338]))
    const types = (view: string) =>
      Object.fromEntries(
        tables
          .get(view)
          .fields.filter(({ source }: Json) => source === "column")
          .map(({ name, semantic_type }: Json) => [name, semantic_type])
      )
    expect(tables.get("v_pa_events").entity_type).toBe("entity/EventTable")
    expect(tables.get("v_pa_sessions").entity_type).toBe("entity/GenericTable")
    expect(types("v_pa_events")).toMatchObject({
      id: "type/PK",
      created_at: "type/CreationTimestamp",
      url_path: "type/URL",
      event_name: "type/Category",
      utm_source: "type/Source",
      revenue: "type/Income",
      site_id: "type/FK"
    })
    expect(types("v_pa_sessions")).toMatchObject({
      browser: "type/Category",
      country: "type/Country",
      subdivision1: "type/State",
      city: "type/City",
      distinct_id: "type/User"
    })
    for (const view of ["v_pa_sites", "v_pa_event_data", "v_pa_session_data"]) {
      expect(types(view)).toMatchObject({ created_at: "type/CreationTimestamp" })
    }
  })

  test("refers from each foreign key to its target", async () => {
    const tables = await tablesOf(admin())
    const ids = new Map(
      [...tables].flatMap(([view, { fields }]) => fields.map(({ id, name }: Json) => [`${view}.${name}`, id] as const))
    )
    const targets = [...tables].flatMap(([view, { fields }]) =>
      fields.flatMap(({ fk_target_field_id: target, name }: Json) =>
        target === null ? [] : [`${view}.${name} > ${[...ids].find(([, id]) => id === target)?.[0]}`]
      )
    )
    expect(targets).toContain("v_pa_events.session_id > v_pa_sessions.id")
    expect(targets).toContain("v_pa_events.visit_id > v_pa_visits.id")
    expect(targets).toContain("v_pa_event_data.event_id > v_pa_events.id")
    expect(targets).toContain("v_pa_visits.site_id > v_pa_sites.id")
    expect(targets.every((target) => target.endsWith(".id"))).toBe(true)
  })

  test("gives every field the same id in every process, within 2^53, and a known one", async () => {
    const one = await tablesOf(admin())
    const other = await tablesOf(admins.get("replica")!)
    const idsOf = (tables: Map<string, Json>) =>
      [...tables.values()].flatMap(({ fields, id }) => [id, ...fields.map((field: Json) => field.id)])
    expect(idsOf(one)).toEqual(idsOf(other))
    expect(new Set(idsOf(one)).size).toBe(idsOf(one).length)
    expect(idsOf(one).every((id) => Number.isSafeInteger(id) && id > 0)).toBe(true)
    const path = await fieldOf(admin(), "v_pa_events", "url_path")
    expect([path.id, path.table_id]).toEqual([5_139_522_012_436_782, 9_257_274_545_115])
    expect((await admin().call("GET", `/api/field/${path.id}`)).body.name).toBe("url_path")
  })

  test("is open to those who may read, and only administrators change it", async () => {
    expect((await admin().call("GET", "/api/database", { key: VIEWER })).status).toBe(200)
    expect((await admin().call("GET", "/api/database", { key: null })).status).toBe(401)
    const { id } = await fieldOf(admin(), "v_pa_events", "url_path")
    for (const [method, path] of [
      ["PUT", `/api/field/${id}`],
      ["PUT", "/api/table/1"],
      ["POST", `${DATABASE}/sync_schema`],
      ["POST", `${DATABASE}/rescan_values`]
    ] as const) {
      expect((await admin().call(method, path, { key: VIEWER, body: {} })).status).toBe(403)
    }
  })
})

describe.each(["postgres", "replica"])("fields with values from %s", (engine) => {
  const admin = () => admins.get(engine)!
  const call = async (path: string) => (await admin().call("GET", path)).body
  const idOf = async (view: string, name: string) => (await fieldOf(admin(), view, name)).id

  test("list an event's properties under its name, with the type of their values", async () => {
    const { fields } = (await tablesOf(admin(), `?site=${SITE}`)).get("v_pa_events")
    const shown = fields
      .filter(({ source }: Json) => source === "property")
      .map((field: Json) => [field.group, field.name, field.base_type, field.field_ref, field.property.n])
    expect(shown).toEqual([
      ["Signup properties", "plan", "type/Text", ["prop", "plan", { type: "text", event: "signup" }], 3],
      ["Signup properties", "seats", "type/Decimal", ["prop", "seats", { type: "number", event: "signup" }], 3],
      ["Signup properties", "trial", "type/Boolean", ["prop", "trial", { type: "boolean", event: "signup" }], 2]
    ])
    const other = (await tablesOf(admin(), `?site=${OTHER_SITE}`)).get("v_pa_events")
    expect(other.fields.filter(({ source }: Json) => source === "property")).toEqual([])
    const found = (await tablesOf(admin(), "?search=SEAT")).get("v_pa_events").fields
    expect(found.map(({ name }: Json) => name)).toEqual(["seats"])
  })

  test("list their values, labels for codes and names for sites, and read what was not read before", async () => {
    expect(await call(`/api/field/${await idOf("v_pa_events", "event_type")}/values`)).toMatchObject({
      values: [
        [1, "Pageview"],
        [2, "Custom Event"],
        [3, "Link"],
        [4, "Pixel"],
        [5, "Web vitals"]
      ],
      has_more_values: false
    })
    expect(await call(`/api/field/${await idOf("v_pa_events", "site_id")}/values`)).toMatchObject({
      values: [
        [SITE, "Shop"],
        [OTHER_SITE, "Other"]
      ]
    })
    expect(await call(`/api/field/${await idOf("v_pa_sessions", "country")}/values`)).toMatchObject({
      values: [["DE"], ["FR"], ["US"]],
      has_more_values: false
    })
    expect(await call(`/api/field/${await idOf("v_pa_event_data", "data_key")}/values`)).toMatchObject({
      values: [["plan"], ["seats"], ["trial"]],
      has_more_values: false
    })
    // All of the property's life is read.
    expect(await call(`/api/field/${await idOf("v_pa_events", "plan")}/values`)).toMatchObject({
      values: [["free"], ["pro"]],
      has_more_values: false
    })
    expect(await call(`/api/field/${await idOf("v_pa_sites", "timezone")}/values`)).toMatchObject({
      values: [["UTC"]],
      has_more_values: false
    })
    expect(await call(`/api/field/${await idOf("v_pa_sites", "archived")}/values`)).toMatchObject({
      values: [[false]],
      has_more_values: false
    })
    const country = await call(`/api/field/${await idOf("v_pa_sessions", "country")}`)
    expect(country).toMatchObject({
      has_field_values: "list",
      fingerprint: { global: { "distinct-count": 3, "nil%": 2 / 6 }, type: { "type/Text": { "average-length": 2 } } }
    })
  })

  test("are searched for a part of a value or label", async () => {
    const path = await idOf("v_pa_events", "url_path")
    expect(await call(`/api/field/${path}/search/PRIC`)).toEqual([["/pricing"]])
    expect(await call(`/api/field/${path}/search/${encodeURIComponent("/")}?limit=2&site=${SITE}`)).toEqual([
      ["/"],
      ["/pricing"]
    ])
    expect(await call(`/api/field/${path}/search/${encodeURIComponent("%")}`)).toEqual([])
    expect(await call(`/api/field/${path}/search/%00`)).toEqual([])
    expect(await call(`/api/field/${path}/search/${"x".repeat(501)}`)).toMatchObject({ status: 400 })
    expect(await call(`/api/field/${path}/search/${encodeURIComponent("'); DROP TABLE x; --")}`)).toEqual([])
    expect(await call(`/api/field/${await idOf("v_pa_events", "event_type")}/search/vital`)).toEqual([
      [5, "Web vitals"]
    ])
    expect(await call(`/api/field/${await idOf("v_pa_events", "site_id")}/search/oth`)).toEqual([[OTHER_SITE, "Other"]])
    expect(await call(`/api/field/${await idOf("v_pa_events", "plan")}/search/fr`)).toEqual([["free"]])
    expect(await call(`/api/field/${await idOf("v_pa_events", "revenue")}/search/49`)).toEqual([[49.9]])
  })
})

describe("what an administrator chose", () => {
  const admin = () => admins.get("postgres")!

  test("is kept by a scan, a sync and a restart, reaches other processes, and can be nothing at all", async () => {
    const { id, name } = await fieldOf(admin(), "v_pa_events", "page_title")
    const changed = await admin().call("PUT", `/api/field/${id}`, {
      body: {
        display_name: " Headline ",
        description: null,
        semantic_type: null,
        visibility_type: "details-only",
        has_field_values: "search",
        remapping: { type: "internal", values: [["Home", "Start"]] }
      }
    })
    const chosen = {
      name,
      display_name: "Headline",
      description: null,
      semantic_type: null,
      visibility_type: "details-only",
      has_field_values: "search",
      remapping: { type: "internal", values: [["Home", "Start"]] },
      dimensions: [{ type: "internal", name: "Headline", human_readable_field_id: null }]
    }
    expect(changed.body).toMatchObject(chosen)
    for (const path of ["sync_schema", "rescan_values"]) await admin().call("POST", `${DATABASE}/${path}`)
    await admin().call("GET", `/api/field/${id}/values`)
    expect((await admin().call("GET", `/api/field/${id}`)).body).toMatchObject(chosen)
    const restarted = await startWith(replica.engine)
    expect((await restarted.call("GET", `/api/field/${id}`)).body).toMatchObject(chosen)
    await restarted.close()
    await Effect.runPromise(
      eventually("the other process knows it", async () => {
        const { body } = await admins.get("replica")!.call("GET", `/api/field/${id}`)
        return body.display_name === "Headline"
      })
    )
    // What was not chosen stays as it is defined.
    expect(
      (await admin().call("PUT", `/api/field/${id}`, { body: { semantic_type: "type/Title" } })).body
    ).toMatchObject({
      ...chosen,
      semantic_type: "type/Title"
    })
  })

  test("also holds for properties: a declared type, and a hidden field that only administrators see", async () => {
    const field = await fieldOf(admin(), "v_pa_events", "seats")
    const declared = await admin().call("PUT", `/api/field/${field.id}`, { body: { declared_type: "text" } })
    expect(declared.body).toMatchObject({ base_type: "type/Text", property: { type: "text", declared_type: "text" } })
    const body = { declared_type: null, visibility_type: "hidden", semantic_type: "Quantity" }
    expect((await admin().call("PUT", `/api/field/${field.id}`, { body })).body).toMatchObject({
      base_type: "type/Decimal",
      visibility_type: "hidden",
      semantic_type: "type/Quantity"
    })
    expect(await fieldOf(admin(), "v_pa_events", "seats")).toBeUndefined()
    expect(await fieldOf(admin(), "v_pa_events", "seats", "?include_hidden=true")).toMatchObject({ id: field.id })
    expect((await admin().call("GET", `/api/field/${field.id}`, { key: VIEWER })).status).toBe(404)
    const asViewer = await admin().call("GET", `${DATABASE}/metadata?include_hidden=true`, { key: VIEWER })
    expect(JSON.stringify(asViewer.body)).not.toContain('"seats"')
    await admin().call("PUT", `/api/field/${field.id}`, { body: { visibility_type: "normal" } })
  })

  test("is the title of columns in answers and exports, also in what is computed of a field", async () => {
    const country = await fieldOf(admin(), "v_pa_sessions", "country")
    const plan = await fieldOf(admin(), "v_pa_events", "plan")
    const rename = (id: number, display_name: string) =>
      admin().call("PUT", `/api/field/${id}`, { body: { display_name } })
    await rename(country.id, "Land")
    await rename(plan.id, "Price plan")
    const question = {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      filter: ["=", "site_id", SITE],
      aggregation: [["count"], ["distinct", "country"]],
      breakout: ["country", ["prop", "plan", { event: "signup" }]]
    }
    const { body } = await admin().call("POST", "/api/dataset", { body: question })
    const titles = ["Land", "Price plan", "Count", "Distinct values of Land"]
    expect(body.data.cols.map((column: Json) => column.display_name)).toEqual(titles)
    const csv = await admin().call("POST", "/api/dataset/csv", { body: question })
    expect(String(csv.body).split("\r\n")[0]).toBe(titles.join(","))
    await rename(country.id, "Country")
    await rename(plan.id, "Plan")
  })

  test("is shown in answers and exports, in the place of values", async () => {
    const plan = await fieldOf(admin(), "v_pa_events", "plan")
    const labels = [
      ["pro", "Professional"],
      ["gold", "Gold"]
    ]
    await admin().call("PUT", `/api/field/${plan.id}`, { body: { remapping: { type: "internal", values: labels } } })
    const question = {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      filter: ["and", ["=", "site_id", SITE], ["=", "event_name", "signup"]],
      aggregation: [["count"]],
      breakout: ["site_id", "event_type", ["prop", "plan"], ["prop", "plan", { event: "signup" }]]
    }
    const { body } = await admin().call("POST", "/api/dataset", { body: question })
    expect(body.data.rows).toEqual([
      [SITE, 2, "free", "free", 1],
      [SITE, 2, "pro", "pro", 2]
    ])
    expect(body.data.cols.map((column: Json) => column.labels)).toEqual([
      [[SITE, "Shop"]],
      [[2, "Custom Event"]],
      // The property of every event is another field.
      null,
      [["pro", "Professional"]],
      null
    ])
    const fileOf = async (query: string) =>
      String((await admin().call("POST", `/api/dataset/csv${query}`, { body: question })).body)
        .split("\r\n")
        .slice(1, 3)
    expect(await fileOf("")).toEqual(["Shop,Custom Event,free,free,1", "Shop,Custom Event,pro,Professional,2"])
    expect(await fileOf("?format_rows=false")).toEqual([`${SITE},2,free,free,1`, `${SITE},2,pro,pro,2`])
    await admin().call("PUT", `/api/field/${plan.id}`, { body: { remapping: null } })
  })

  describe("of a hidden field", () => {
    const ask = (question: object, key: string | null = VIEWER, path = "/api/dataset") =>
      admin().call("POST", path, {
        key: key ?? ADMIN,
        body: { fql: 1, type: "query", source: "v_pa_events", ...question }
      })
    const setVisibility = async (field: Json, visibility_type: string) =>
      expect((await admin().call("PUT", `/api/field/${field.id}`, { body: { visibility_type } })).status).toBe(200)
    const hidden = async <A>(field: Json, visibility: string, body: () => Promise<A>): Promise<A> => {
      await setVisibility(field, visibility)
      try {
        return await body()
      } finally {
        await setVisibility(field, "normal")
      }
    }

    test.each(["hidden", "sensitive"])(
      "makes it unknown to everyone but administrators, wherever a question names it, if it is %s",
      async (visibility) => {
        const city = await fieldOf(admin(), "v_pa_sessions", "city")
        await hidden(city, visibility, async () => {
          const through = ["field", "city", { "source-field": "session_id" }]
          const namings: ReadonlyArray<object> = [
            { breakout: ["city"], aggregation: [["count"]] },
            { breakout: [through], aggregation: [["count"]] },
            { fields: ["v_pa_sessions.city"] },
            { filter: ["=", "city", "Berlin"], aggregation: [["count"]] },
            { filter: ["did", ["not-null", "city"]], aggregation: [["count"]] },
            { aggregation: [["distinct", "city"]] },
            { aggregation: [["metric", "conversions", { goal: ["=", "city", "Berlin"] }]] },
            { expressions: { town: ["upper", ["field", "city"]] }, fields: [["expression", "town"]] },
            { source: "v_pa_sessions", fields: ["id"], "order-by": [["asc", "city"]] },
            { source: { query: { fql: 1, type: "query", source: "v_pa_sessions", fields: ["city"] } } },
            {
              joins: [
                {
                  alias: "v",
                  source: "v_pa_sessions",
                  strategy: "left-join",
                  condition: ["=", "session_id", ["field", "id", { "join-alias": "v" }]]
                }
              ],
              fields: [["field", "city", { "join-alias": "v" }]]
            }
          ]
          for (const question of namings) {
            const found = await ask(question)
            expect([JSON.stringify(question), found.status, found.body.code]).toEqual([
              JSON.stringify(question),
              400,
              "unknown-field"
            ])
            expect((await ask(question, null)).status).toBe(200)
          }
          expect((await ask({ fields: ["city"] })).body.detail.replaceAll("city", "cite")).toBe(
            (await ask({ fields: ["cite"] })).body.detail
          )
          expect((await ask({ fields: ["city"] }, VIEWER, "/api/dataset/csv")).body).toMatchObject({
            code: "unknown-field"
          })
          const all = await ask({ source: "v_pa_sessions" })
          expect(all.body.data.cols.map(({ name }: Json) => name)).not.toContain("city")
          expect((await admin().call("GET", `/api/field/${city.id}/search/B`, { key: VIEWER })).status).toBe(404)
        })
        expect((await ask({ breakout: ["city"], aggregation: [["count"]] })).status).toBe(200)
      }
    )

    test("leaves out the rows of hidden properties, and the same key of all events", async () => {
      const plan = await fieldOf(admin(), "v_pa_events", "plan")
      const keys = async (key: string | null) =>
        (
          await ask({ source: "v_pa_event_data", breakout: ["data_key"], aggregation: [["count"]] }, key)
        ).body.data.rows.map(([name]: Json) => name)
      const readings: ReadonlyArray<Json> = [plan.field_ref, ["prop", "plan"]]
      await hidden(plan, "sensitive", async () => {
        for (const reading of readings) {
          expect((await ask({ breakout: [reading], aggregation: [["count"]] })).body).toMatchObject({
            status: 400,
            code: "unknown-field"
          })
        }
        expect(await keys(VIEWER)).not.toContain("plan")
        expect(await keys(null)).toContain("plan")
        const joined = await ask({
          joins: [
            {
              alias: "d",
              source: "v_pa_event_data",
              strategy: "inner-join",
              condition: ["=", "id", ["field", "event_id", { "join-alias": "d" }]]
            }
          ],
          filter: ["=", ["field", "data_key", { "join-alias": "d" }], "plan"],
          aggregation: [["count"]]
        })
        expect(joined.body.data.rows).toEqual([[0]])
      })
      expect(await keys(VIEWER)).toContain("plan")
    })

    test("that names events hides the properties of each event, and not those of all events", async () => {
      const name = await fieldOf(admin(), "v_pa_events", "event_name")
      const plan = await fieldOf(admin(), "v_pa_events", "plan")
      const refs = async (key: string, query = "") => {
        const { body } = await admin().call("GET", `${DATABASE}/metadata${query}`, { key })
        return JSON.stringify(body.tables.flatMap(({ fields }: Json) => fields.map((one: Json) => one.field_ref)))
      }
      expect(await refs(VIEWER)).toContain('"event":"signup"')
      const refused = async (event: string) => {
        const { body } = await ask({ breakout: [["prop", "plan", { event }]], aggregation: [["count"]] })
        return [body.status, body.code, body.detail]
      }
      await hidden(name, "hidden", async () => {
        expect(await refs(VIEWER)).not.toContain('"event":')
        expect(await refs(ADMIN, "?include_hidden=true")).toContain('"event":"signup"')
        expect((await admin().call("GET", `/api/field/${plan.id}`, { key: VIEWER })).status).toBe(404)
        expect(await refused("signup")).toEqual([400, "unknown-field", "There is no property `plan`."])
        expect(await refused("nothing")).toEqual(await refused("signup"))
        const all = await ask({ breakout: [["prop", "plan"]], aggregation: [["count"]] })
        expect(all.status).toBe(200)
      })
    })

    test("still counts visitors by an id that may not be named", async () => {
      const session = await fieldOf(admin(), "v_pa_events", "session_id")
      await hidden(session, "hidden", async () => {
        expect((await ask({ aggregation: [["distinct", "session_id"]] })).body).toMatchObject({ code: "unknown-field" })
        const counted = await ask({
          filter: ["did", ["=", "event_name", "signup"]],
          aggregation: [["metric", "visitors"]]
        })
        expect(counted.body.data.rows).toEqual([[3]])
      })
    })
  })

  test("is refused if it is not one of the accepted values, with all of them", async () => {
    const { id } = await fieldOf(admin(), "v_pa_events", "url_path")
    const refused = async (body: Json) => (await admin().call("PUT", `/api/field/${id}`, { body })).body
    expect(await refused({ semantic_type: "Colour" })).toMatchObject({
      status: 400,
      errors: [{ pointer: "#/semantic_type" }]
    })
    expect(await refused({ remapping: { Home: "Start" } })).toMatchObject({
      errors: [
        {
          pointer: "#/remapping",
          detail: "`remapping` must be an object or null. The object's properties are `type`, `values`."
        }
      ]
    })
    expect(await refused({ visibility_type: "gone" })).toMatchObject({ status: 400 })
    expect(await refused({ display_name: " " })).toMatchObject({ status: 400 })
    const twice = {
      remapping: {
        type: "internal",
        values: [
          ["DE", "Germany"],
          ["DE", "Deutschland"]
        ]
      }
    }
    expect(await refused(twice)).toMatchObject({
      status: 400,
      detail: "Invalid body: Each value has one label."
    })
    expect(await refused({ colour: "red" })).toMatchObject({ status: 400, errors: [{ pointer: "#/colour" }] })
    expect(await refused({ display_name: "a\u0000b" })).toMatchObject({ status: 422 })
    expect(await refused({ description: "\ud800" })).toMatchObject({ status: 422 })
    expect(await refused({ declared_type: "text" })).toMatchObject({
      status: 422,
      errors: [{ pointer: "#/declared_type" }]
    })
    expect(
      await refused({ remapping: { type: "internal", values: Array.from({ length: 101 }, () => ["a", "b"]) } })
    ).toMatchObject({ status: 400 })
  })

  test("names and describes a table", async () => {
    const { id } = (await tablesOf(admin())).get("v_pa_visits")
    const { body } = await admin().call("PUT", `/api/table/${id}`, {
      body: { display_name: "Stays", description: "Mine" }
    })
    expect(body).toMatchObject({ name: "v_pa_visits", display_name: "Stays", description: "Mine" })
    expect((await tablesOf(admin())).get("v_pa_visits").display_name).toBe("Stays")
  })
})

test("without an engine, fields are described, values are those that are known, and nothing fails", async () => {
  const admin = await startWith(null)
  const { id } = await fieldOf(admin, "v_pa_events", "hostname")
  expect((await admin.call("GET", `/api/field/${id}/values`)).body).toMatchObject({ values: [], has_more_values: true })
  expect((await admin.call("GET", `/api/field/${id}/search/x`)).body).toMatchObject({ status: 503, code: "no-engine" })
  await admin.close()
})
