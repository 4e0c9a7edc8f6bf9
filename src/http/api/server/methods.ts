import { HttpApi } from "effect/http-api"
import { AdminApi } from "../AdminApi.ts"

const routes: Array<{ readonly pattern: RegExp; readonly method: string }> = []
HttpApi.reflect(AdminApi, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => {
    const pattern = endpoint.path.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(/:\w+/g, "[^/]+")
    routes.push({ pattern: new RegExp(`^${pattern}/?$`), method: endpoint.method })
  }
})

/** The methods that the API has at a path; an empty list for an unknown path. */
export const methodsAt = (path: string): ReadonlyArray<string> => [
  ...new Set(routes.flatMap(({ pattern, method }) => (pattern.test(path) ? method : [])))
]
