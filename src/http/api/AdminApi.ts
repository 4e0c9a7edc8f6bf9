import { HttpApi, OpenApi } from "effect/http-api"
import { VERSION } from "../../lib/version.ts"
import { PREFIX } from "../shared/prefix.ts"
import { AuditApi } from "./audit/api.ts"
import { CardsApi } from "./cards/api.ts"
import { CollectionsApi } from "./collections/api.ts"
import { DashboardsApi } from "./dashboards/api.ts"
import { DatabaseApi } from "./database/api.ts"
import { DatasetApi } from "./dataset/api.ts"
import { DemoApi } from "./demo/api.ts"
import { CohortsApi, SegmentsApi } from "./filters/api.ts"
import { FormulaApi } from "./formula/api.ts"
import { KeysApi } from "./keys/api.ts"
import { LicenseApi } from "./license/api.ts"
import { LinksApi } from "./links/api.ts"
import { completed } from "./openApi.ts"
import { PermissionsApi } from "./permissions/api.ts"
import { RenderProblems } from "./problems.ts"
import { RejectionsApi } from "./rejections/api.ts"
import { RevisionsApi } from "./revisions/api.ts"
import { SearchApi } from "./search/api.ts"
import { SessionApi } from "./session/api.ts"
import { SettingsApi } from "./settings/api.ts"
import { SetupApi } from "./setup/api.ts"
import { EmbedApi, PublicApi } from "./shared/api.ts"
import { SitesApi } from "./sites/api.ts"
import { StatsApi } from "./stats/api.ts"
import { StatusApi } from "./status/api.ts"
import { TimelineEventsApi } from "./timelineEvents/api.ts"
import { UserApi } from "./user/api.ts"
import { XrayApi } from "./xray/api.ts"

const DESCRIPTION = `The API of Footfall. Programs send an API key as \`Authorization: Bearer ff_…\`; \`bun run footfall keys create\` and
\`POST ${PREFIX}/keys\` create one. Browsers sign in with \`POST /api/session\` and then send the session's cookie.

\`\`\`
curl -H "Authorization: Bearer $FOOTFALL_KEY" \\
  https://stats.example.com${PREFIX}/sites
\`\`\`

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem details (\`application/problem+json\`): \`detail\`
explains the problem in a sentence, \`errors\` points to each invalid value, and \`request_id\` identifies the request in the server's log.
Where a license is required and none is valid, every route responds with 402, except for signing in, setup and the license.

Events are sent elsewhere: trackers and clients use \`POST /api/send\` and \`POST /api/batch\` in Umami's format. Probes use
\`/api/health\` and \`/livez\`, Prometheus \`/metrics\`.`

/**
 * The API, described at `/openapi.json`. The groups above `.prefix` are served under `PREFIX`; those below it give their whole paths, such as
 * Metabase's `/api/dataset`.
 */
export class AdminApi extends HttpApi.make("footfall")
  .add(SitesApi)
  .add(StatsApi)
  .add(RejectionsApi)
  .add(SettingsApi)
  .add(KeysApi)
  .add(StatusApi)
  .add(DemoApi)
  .prefix(PREFIX)
  .add(DatasetApi)
  .add(FormulaApi)
  .add(SessionApi)
  .add(SetupApi)
  .add(UserApi)
  .add(PermissionsApi)
  .add(AuditApi)
  .add(LicenseApi)
  .add(CardsApi)
  .add(DashboardsApi)
  .add(CollectionsApi)
  .add(SegmentsApi)
  .add(CohortsApi)
  .add(TimelineEventsApi)
  .add(RevisionsApi)
  .add(SearchApi)
  .add(DatabaseApi)
  .add(LinksApi)
  .add(XrayApi)
  .add(PublicApi)
  .add(EmbedApi)
  .middleware(RenderProblems)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error", errors: "all" })
  .annotateMerge(
    OpenApi.annotations({ title: "Footfall", version: VERSION, description: DESCRIPTION, transform: completed })
  ) {}
