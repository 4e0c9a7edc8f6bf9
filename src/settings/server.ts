import { settingsOf } from "./Setting.ts"
import { httpUrl, integer, oneOf, optional, string } from "./types.ts"

const define = settingsOf("Server")

export const PORT = define({
  env: "PORT",
  type: integer({ min: 0, max: 65_535 }),
  default: 3000,
  doc: "Port to listen on; 0 picks a free one.",
  environmentOnly: true
})
export const HOST = define({
  env: "HOST",
  type: string("an address of this machine"),
  default: "0.0.0.0",
  doc: "Address to listen on.",
  environmentOnly: true
})
export const MODE = define({
  env: "MODE",
  type: oneOf("full", "collector"),
  default: "full",
  doc: "What `bun run full` runs: everything, or only the collector.",
  environmentOnly: true
})
export const WORKERS = define({
  env: "WORKERS",
  type: integer({ min: 1, max: 64 }),
  default: 1,
  doc: "Collector processes that share the port, under one supervisor.",
  environmentOnly: true
})
export const PUBLIC_URL = define({
  env: "PUBLIC_URL",
  type: optional(httpUrl),
  default: null,
  defaultText: "`http://localhost:PORT`",
  doc: "URL of this server as browsers see it, with or without `BASE_PATH`; used in snippets."
})
export const BASE_PATH = define({
  env: "BASE_PATH",
  type: optional(string("a path such as `/stats`, without a trailing slash", /^(?:\/(?!\.{1,2}(?:\/|$))[\w\-.~]+)+$/)),
  default: null,
  defaultText: "none",
  doc: "Path below which everything is served, for a proxy that passes it on. Same meaning as Umami's."
})
export const SHUTDOWN_TIMEOUT_SECONDS = define({
  env: "SHUTDOWN_TIMEOUT_SECONDS",
  type: integer({ min: 1, max: 600, unit: "seconds" }),
  default: 25,
  doc: "How long a stopping process may take to answer requests and store what it accepted. After that it reports what was left and exits with 1, or with 0 if all of it is safe in a spool."
})
