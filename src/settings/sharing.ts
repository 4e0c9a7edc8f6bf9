import { settingsOf } from "./Setting.ts"
import { flag, integer } from "./types.ts"

const define = settingsOf("Sharing")

export const ENABLE_PUBLIC_SHARING = define({
  env: "ENABLE_PUBLIC_SHARING",
  type: flag,
  default: false,
  doc: "Whether public links work: anyone who has one sees its question or dashboard, of one site, without signing in. When it is off, existing links answer 404, and none are made.",
  live: true
})
export const ENABLE_EMBEDDING = define({
  env: "ENABLE_EMBEDDING",
  type: flag,
  default: false,
  doc: "Whether signed embeds work: other websites show questions and dashboards with tokens that their servers sign.",
  live: true
})
export const SHARED_REQUESTS_PER_MINUTE = define({
  env: "SHARED_REQUESTS_PER_MINUTE",
  type: integer({ min: 1, max: 100_000 }),
  default: 600,
  doc: "How many requests a minute each public link and each embed gets answered, in one process. A dashboard takes one for each of its cards. Further ones are answered with 429.",
  live: true
})
