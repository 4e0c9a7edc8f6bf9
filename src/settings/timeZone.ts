import { Effect } from "effect"
import { StartError } from "../domain/StartError.ts"

/** Whether this runtime knows the zone. It silently uses UTC for one that it does not know. */
const isTimeZone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Fails for a `TZ` that is empty or not a time zone: times would be shown in UTC without notice, and Postgres would refuse to start. */
export const checkTimeZone: Effect.Effect<void, StartError> = Effect.suspend(() => {
  // Bun reads an empty TZ as undefined, but lists it.
  const given = process.env["TZ"] ?? (Object.keys(process.env).includes("TZ") ? "" : undefined)
  // POSIX allows a colon before the name of a file in the time zone database.
  const name = given?.replace(/^:/, "")
  if (name === undefined || (name !== "" && isTimeZone(name))) return Effect.void
  const found = name === "" ? "set but empty" : `${JSON.stringify(name)}, which is not a known time zone`
  return Effect.fail(
    new StartError({ message: `TZ is ${found}. Set a name such as \`Europe/Berlin\` or \`UTC\`, or unset it.` })
  )
})
