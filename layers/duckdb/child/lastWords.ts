/** What a process that fails prints about the reason, as in `error: …`, `TypeError: …`, `panic(main thread): …` and C++'s `what(): …`. */
const REASON = /^\s*(?:\w*error|panic|what\(\)).*:/i
/** Bun's last line after an error says only which version it is. */
const VERSION = /^Bun v/
/** A line for a message, in characters. */
const MAX_LENGTH = 300

const CREDENTIALS = /\/\/[^/@\s]+@/g
const SECRETS = /((?:secret|password|token|key)\w*["']?\s*[=:]\s*)\S+/gi

/** The line of a failed process's output that says most about why, without secrets; null if it printed nothing. */
export const lastWords = (output: string): string | null => {
  const lines = Bun.stripANSI(output)
    .split("\n")
    .filter((line) => line.trim() !== "" && !VERSION.test(line))
  const line = lines.findLast((one) => REASON.test(one)) ?? lines.at(-1)
  if (line === undefined) return null
  const hidden = line.trim().replace(CREDENTIALS, "//…@").replace(SECRETS, "$1…")
  return hidden.length > MAX_LENGTH ? `${hidden.slice(0, MAX_LENGTH)}…` : hidden
}
