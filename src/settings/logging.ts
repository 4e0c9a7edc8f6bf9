import { settingsOf } from "./Setting.ts"
import { oneOf } from "./types.ts"

const define = settingsOf("Logging")

export const LOG_FORMAT = define({
  env: "LOG_FORMAT",
  type: oneOf("pretty", "json"),
  default: "pretty",
  doc: "Format of log lines.",
  environmentOnly: true
})
export const LOG_LEVEL = define({
  env: "LOG_LEVEL",
  type: oneOf("debug", "info", "warn", "error"),
  default: "info",
  doc: "Minimum level to log.",
  environmentOnly: true
})
