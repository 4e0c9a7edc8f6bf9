import { servicesNamed } from "../../scripts/services/list.ts"
import { statusOf } from "../../scripts/services/status.ts"
import { notTested } from "../support/notTested.ts"

/**
 * Whether these services run and answer, for `describe.skipIf(!(await areUp("postgres")))`. With `FOOTFALL_SERVICES_REQUIRED=1`,
 * as CI has it, one that does not is a failure.
 */
export const areUp = async (...names: ReadonlyArray<string>): Promise<boolean> => {
  const statuses = await Promise.all(servicesNamed(names).map(statusOf))
  const missing = statuses.filter(({ state }) => state !== "up").map(({ name }) => name)
  if (missing.length === 0) return true
  const sentence = `not up: ${missing.join(", ")}; \`bun run services up ${names.join(" ")}\` starts them`
  if (process.env["FOOTFALL_SERVICES_REQUIRED"] === "1") throw new Error(sentence)
  notTested(`Services ${sentence}.`)
  return false
}
