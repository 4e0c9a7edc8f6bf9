import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { HttpApi } from "effect/http-api"
import * as LoginBuckets from "../../../layers/inprocess/LoginBuckets.ts"
import * as LocalSecretFile from "../../../layers/local/LocalSecretFile.ts"
import { readLocalSecret } from "../../../layers/local/localSecret.ts"
import * as PgSavedDefinitions from "../../../layers/postgres/content/PgSavedDefinitions.ts"
import { SiteId } from "../../../src/domain/ids.ts"
import { instanceKey } from "../../../src/domain/keyScope.ts"
import { localToken } from "../../../src/domain/localToken.ts"
import { type Action, type Requirement, type ResourceType, requirementOf } from "../../../src/domain/Principal.ts"
import { ADMINISTRATORS, type CollectionLevel, type GroupId, PRODUCT_ANALYTICS } from "../../../src/domain/people.ts"
import { AdminApi } from "../../../src/http/api/AdminApi.ts"
import { OpenWithoutLicense, RequiredPermission } from "../../../src/http/api/access.ts"
import { OTHER_SITE, SITE } from "../../services/fixture.ts"
import { contentLayer } from "../../support/postgres/content.ts"
import { controlPlane } from "../../support/postgres/controlPlane.ts"
import { PASSWORD, type People, peopleOf } from "../../support/postgres/peopleProcess.ts"
import { pgWarehouse } from "../../support/postgres/pgWarehouse.ts"
import { freshDatabase, temporaryFolder } from "../../support/postgres/postgres.ts"
import { type Admin, startAdmin } from "../api/support.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const KINDS = [
  "anonymous",
  "user without access",
  "reader of one site",
  "reader",
  "writer",
  "administrator",
  "viewer key",
  "read-only key",
  "key of a reading group",
  "local command"
] as const
type Kind = (typeof KINDS)[number]

/** `+`: allowed; `-`: 403, or 401 for anonymous callers; `r`: only reading; `v`: only reading what a viewer could read before there were users. */
const RULES: Readonly<Record<Requirement, Readonly<Record<Kind, "+" | "-" | "r" | "v">>>> = {
  anyone: row("+ + + + + + + + + +"),
  caller: row("- + + + + + v r + +"),
  person: row("- + + + + + - - - -"),
  reader: row("- - + + + + v r + +"),
  overseer: row("- - - + + + v r + +"),
  writer: row("- - - - + + - - - +"),
  admin: row("- - - - - + - r - +")
}

function row(marks: string): Readonly<Record<Kind, "+" | "-" | "r" | "v">> {
  return Object.fromEntries(marks.split(" ").map((mark, index) => [KINDS[index], mark])) as Record<Kind, "+">
}

const VIEWABLE: ReadonlySet<ResourceType> = new Set([
  "stats",
  "questions",
  "exports",
  "metadata",
  "rejections",
  "rejections-without-site",
  "status",
  "client"
])

/** What open routes answer on their own to credentials, tokens and links that do not exist. */
const OWN_STATUSES: Readonly<Record<string, number>> = {
  "POST /api/session": 401,
  "POST /api/setup": 403,
  "POST /api/session/reset_password": 403
}

/** Bodies with which a route that anyone may call gets as far as its own check. */
const BODIES: Readonly<Record<string, object>> = {
  "POST /api/session": { username: "x@example.com", password: "x" },
  "POST /api/setup": { token: "x", email: "x@example.com", name: "X", password: "correct horse battery" },
  "POST /api/session/reset_password": { token: "x", password: "correct horse battery" }
}

/** Routes that do a lot of work once they are allowed; here, only the denials are checked. */
const EXPENSIVE: ReadonlySet<string> = new Set([
  "POST /api/ee/product-analytics/demo",
  "DELETE /api/ee/product-analytics/demo"
])

interface Route {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly action: Action
  readonly resource: ResourceType
  readonly requirement: Requirement
  readonly siteParam: string | null
  readonly isOpenWithoutLicense: boolean
}

/** A value for each parameter of a path: the ids of things that do not exist. */
const PARAMETERS: Readonly<Record<string, string>> = {
  name: "cors-max-age",
  format: "csv",
  entity: "card",
  comparison: "segment",
  uuid: "94488cc1-2cd1-499b-83fc-bd7afd4cbcad",
  key: "94488cc1-2cd1-499b-83fc-bd7afd4cbcad",
  param: "x",
  query: "x",
  term: "x"
}

const pathOf = ({ path, siteParam }: Pick<Route, "path" | "siteParam">, site: string = SITE): string =>
  path.replaceAll(/:(\w+)/g, (_, name: string) => (name === siteParam ? site : (PARAMETERS[name] ?? "999999")))

/** The documented routes with what they declare. */
const declared = new Map<string, Omit<Route, "name" | "requirement"> & { readonly requirement: Requirement | null }>()
HttpApi.reflect(AdminApi, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => {
    const permission = Context.get(endpoint.annotations, RequiredPermission)
    const { action, resource, siteParam } = permission ?? { action: "read", resource: "sites", siteParam: null }
    declared.set(`${endpoint.method} ${endpoint.path.replaceAll(/:(\w+)/g, "{$1}")}`, {
      method: endpoint.method,
      path: endpoint.path,
      action,
      resource,
      siteParam,
      requirement: permission === null ? null : requirementOf(action, resource),
      isOpenWithoutLicense: Context.get(endpoint.annotations, OpenWithoutLicense)
    })
  }
})

const scope = Scope.makeUnsafe()
let admin: Admin
let unlicensed: Admin
let folder: string
let people: People
let routes: ReadonlyArray<Route>
/** The users' ids, and the keys, by their kind. */
const users = new Map<Kind, number>()
const keys = new Map<Kind, string>()

const locally = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)

/** A group with this level, and a user in it. */
const createUser = async (kind: Kind, level: CollectionLevel, siteLimit: ReadonlyArray<SiteId> | null) => {
  const group = await locally(people.groups.create({ name: kind, siteLimit }))
  const { revision } = await locally(people.groups.graph)
  await locally(people.groups.setGraph(revision, new Map([[group.id, new Map([[PRODUCT_ANALYTICS.id, level]])]])))
  await createMember(kind, [group.id])
  return group.id
}

const createMember = async (kind: Kind, groups: ReadonlyArray<GroupId>) => {
  const email = `${kind.replaceAll(" ", "-")}@example.com`
  users.set(kind, (await locally(people.users.create({ email, name: kind, password: PASSWORD, groups }))).id)
}

/** Headers with which somebody of a kind sends a request. */
const headersOf = async (kind: Kind): Promise<Record<string, string>> => {
  const key = keys.get(kind)
  if (key !== undefined) return { authorization: `Bearer ${key}` }
  if (kind === "local command") {
    return { authorization: `Bearer ${localToken((await readLocalSecret(folder))!, Date.now())}` }
  }
  const session = sessions.get(kind)
  return session === undefined ? {} : { cookie: `footfall_session=${session}`, "sec-fetch-site": "same-origin" }
}

const sessions = new Map<Kind, string>()

const openSession = async (kind: Kind): Promise<void> => {
  const userId = users.get(kind)
  if (userId === undefined) return
  const opening = { userId: userId as never, userAgent: null, replaces: null, method: "password" as const }
  sessions.set(kind, (await locally(people.sessions.open(opening))).token)
}

beforeAll(async () => {
  const url = await freshDatabase()
  people = await Effect.runPromise(Scope.provide(peopleOf(url), scope))
  for (const id of [SITE, OTHER_SITE]) await locally(people.sites.create({ id: SiteId.make(id), name: id }))
  await createMember("user without access", [])
  await createUser("reader of one site", "read", [SiteId.make(SITE)])
  const reading = await createUser("reader", "read", null)
  await createUser("writer", "write", null)
  await createMember("administrator", [ADMINISTRATORS])
  for (const kind of KINDS) await openSession(kind)
  const createKey = async (kind: Kind, keyScope: Parameters<People["keys"]["create"]>[1]) =>
    keys.set(kind, (await locally(people.keys.create(kind, keyScope))).key)
  await createKey("viewer key", instanceKey("viewer"))
  await createKey("read-only key", { role: "admin", isReadOnly: true, group: null })
  await createKey("key of a reading group", { role: null, isReadOnly: false, group: reading })

  folder = temporaryFolder()
  const content = contentLayer(url)
  const start = (isLicensed: boolean) =>
    startAdmin({
      control: Layer.mergeAll(controlPlane(url), LoginBuckets.layer, LocalSecretFile.layerIn(Effect.succeed(folder))),
      warehouse: pgWarehouse(url),
      content,
      saved: PgSavedDefinitions.layer.pipe(Layer.provide(content)),
      ...(!isLicensed && { gate: { _tag: "Off" as const, why: "no license token is set" } })
    })
  admin = await start(true)
  unlicensed = await start(false)
  const { body } = await admin.call("GET", "/openapi.json", { key: null })
  const documented = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
  )
  routes = documented.flatMap((name) => {
    const route = declared.get(name)
    return route === undefined || route.requirement === null ? [] : [{ ...route, name, requirement: route.requirement }]
  })
  expect(documented.filter((name) => !routes.some((route) => route.name === name))).toEqual([])
})

afterAll(async () => {
  await admin.close()
  await unlicensed.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

const LOOPBACK = { requestIP: () => ({ address: "127.0.0.1" }) }

const statusOf = async (route: Route, kind: Kind, options: { readonly site?: string; readonly on?: Admin } = {}) => {
  const isSent = route.method !== "GET" && route.method !== "DELETE"
  const { status } = await (options.on ?? admin).call(route.method, pathOf(route, options.site), {
    key: null,
    headers: await headersOf(kind),
    server: LOOPBACK,
    ...(isSent && { body: BODIES[route.name] ?? {} })
  })
  // Signing out ends the session that the next request needs.
  if (route.name === "DELETE /api/session") await openSession(kind)
  return status
}

const isAllowed = ({ action, requirement, resource }: Route, kind: Kind): boolean => {
  const mark = RULES[requirement][kind]
  if (mark === "v") return action === "read" && VIEWABLE.has(resource)
  return mark === "+" || (mark === "r" && action === "read")
}

/** The outcome in the words of the table: what was answered, and what the rule demands. */
const outcomeOf = (route: Route, kind: Kind, status: number): string => {
  if (!isAllowed(route, kind)) {
    const expected = kind === "anonymous" ? 401 : 403
    return status === expected ? "denied" : `answered ${status} in place of ${expected}`
  }
  if (status === OWN_STATUSES[route.name]) return "allowed"
  if (status === 401 || status === 403) return `denied with ${status}`
  return status >= 500 ? `failed with ${status}` : "allowed"
}

describe("every documented route", () => {
  test.each(KINDS)("answers as its rule says to: %s", async (kind) => {
    expect(routes.length).toBeGreaterThan(60)
    const wrong: Array<string> = []
    for (const route of routes) {
      const allowed = isAllowed(route, kind)
      if (allowed && EXPENSIVE.has(route.name)) continue
      const outcome = outcomeOf(route, kind, await statusOf(route, kind))
      if (outcome !== (allowed ? "allowed" : "denied")) wrong.push(`${route.name}: ${outcome}`)
    }
    expect(wrong).toEqual([])
  })

  test("about one site is denied to a reader of other sites, and to no other reader", async () => {
    const ofSite = routes.filter(({ siteParam }) => siteParam !== null)
    expect(ofSite.length).toBeGreaterThan(1)
    for (const route of ofSite) {
      const on = { site: OTHER_SITE }
      expect([route.name, await statusOf(route, "reader of one site", on)]).toEqual([route.name, 403])
      for (const kind of ["reader", "writer", "administrator", "key of a reading group", "local command"] as const) {
        expect([route.name, kind, [401, 403].includes(await statusOf(route, kind, on))]).toEqual([
          route.name,
          kind,
          false
        ])
      }
    }
  })

  test("answers 402 without a license, before it checks who asks, unless it is needed to get one", async () => {
    const open: Array<string> = []
    for (const route of routes) {
      const [anonymous, administrator] = [
        await statusOf(route, "anonymous", { on: unlicensed }),
        await statusOf(route, "administrator", { on: unlicensed })
      ]
      if (route.isOpenWithoutLicense) {
        open.push(route.name)
        expect([route.name, anonymous === 402, administrator === 402]).toEqual([route.name, false, false])
      } else {
        expect([route.name, anonymous, administrator]).toEqual([route.name, 402, 402])
      }
    }
    expect(open).toEqual([
      "POST /api/session",
      "DELETE /api/session",
      "GET /api/session",
      "DELETE /api/session/{id}",
      "GET /api/session/password_reset_token_valid",
      "POST /api/session/reset_password",
      "GET /api/session/properties",
      "POST /api/setup",
      "GET /api/user/current",
      "PUT /api/user/current",
      "PUT /api/user/current/password",
      "GET /api/license",
      "PUT /api/license"
    ])
  })
})

test("every kind of requirement of the rules occurs in some route", () => {
  expect([...new Set(routes.map(({ requirement }) => requirement))].toSorted()).toEqual(
    Object.keys(RULES).toSorted() as never
  )
})
