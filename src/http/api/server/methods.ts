import { Context } from "effect"
import { HttpApi } from "effect/http-api"
import { AdminApi } from "../AdminApi.ts"
import { OpenWithoutLicense } from "../access.ts"

interface Route {
  readonly pattern: RegExp
  readonly method: string
  readonly isOpenWithoutLicense: boolean
}

const routes: Array<Route> = []
HttpApi.reflect(AdminApi, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => {
    const pattern = endpoint.path.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(/:\w+/g, "[^/]+")
    routes.push({
      pattern: new RegExp(`^${pattern}/?$`),
      method: endpoint.method,
      isOpenWithoutLicense: Context.get(endpoint.annotations, OpenWithoutLicense)
    })
  }
})

const anyPath = new RegExp([...new Set(routes.map(({ pattern }) => pattern.source))].join("|"))

/** Whether the API has anything at a path. */
export const isKnownPath = (path: string): boolean => anyPath.test(path)

/** The methods that the API has at a path; an empty list for an unknown path. */
export const methodsAt = (path: string): ReadonlyArray<string> => [
  ...new Set(routes.flatMap(({ pattern, method }) => (pattern.test(path) ? method : [])))
]

/** Whether a request is served without a license. Only known routes are. */
export const isOpenWithoutLicense = (method: string, path: string): boolean =>
  routes.some((route) => route.isOpenWithoutLicense && route.method === method && route.pattern.test(path))
