import { HttpApi, OpenApi } from "effect/http-api"
import { VERSION } from "../../lib/version.ts"
import { PREFIX } from "../shared/prefix.ts"
import { KeysApi } from "./keys/api.ts"
import { describeProblems } from "./openApi.ts"
import { RenderProblems } from "./problems.ts"
import { RejectionsApi } from "./rejections/api.ts"
import { SettingsApi } from "./settings/api.ts"
import { SitesApi } from "./sites/api.ts"
import { StatsApi } from "./stats/api.ts"
import { StatusApi } from "./status/api.ts"

const DESCRIPTION = `The admin API of the Footfall collector. Send an API key as \`Authorization: Bearer ff_…\`. The first start of
\`bun run full\` prints one; \`bun run footfall keys create\` creates more.

\`\`\`
curl -H "Authorization: Bearer $FOOTFALL_KEY" \\
  https://stats.example.com${PREFIX}/sites
\`\`\`

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem details (\`application/problem+json\`): \`detail\`
explains the problem in a sentence, \`errors\` points to each invalid value, and \`request_id\` identifies the request in the server's log.
Where a license is required and none is valid, every route responds with 402.

Events are sent elsewhere: trackers and clients use \`POST /api/send\` and \`POST /api/batch\` in Umami's format. Probes use
\`/api/health\` and \`/livez\`, Prometheus \`/metrics\`.`

/** The admin API, served under `PREFIX` and described at `/openapi.json`. */
export class AdminApi extends HttpApi.make("footfall")
  .add(SitesApi)
  .add(StatsApi)
  .add(RejectionsApi)
  .add(SettingsApi)
  .add(KeysApi)
  .add(StatusApi)
  .middleware(RenderProblems)
  .prefix(PREFIX)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error", errors: "all" })
  .annotateMerge(
    OpenApi.annotations({ title: "Footfall", version: VERSION, description: DESCRIPTION, transform: describeProblems })
  ) {}
