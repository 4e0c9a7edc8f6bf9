import type { ShownValue } from "../../domain/FieldStats.ts"
import { CHANNELS } from "../channel/channel.ts"
import { nearest, suggestion } from "../fql/suggest.ts"
import type { Labels, Origin } from "../metadata/labels.ts"
import { storedValue } from "../metadata/storedValues.ts"
import type { QuestionContext } from "../plan/context.ts"
import type { Build, Label, Warning } from "./SelectScope.ts"

/** Whether an administrator has hidden what the sites are called. */
export const hidesSiteNames = ({ hidden }: QuestionContext): boolean => hidden?.hasColumn("v_pa_sites", "name") === true

/** What is shown in the place of values, to this person. */
export const labelsOf = ({ context, sites }: Build, origin: Origin): Labels | null => {
  const isSite = origin.kind === "column" && origin.column.references === "v_pa_sites"
  if (isSite && hidesSiteNames(context)) return null
  return context.labels(
    context.sites.filter(({ id }) => sites.includes(id)),
    origin
  )
}

/** The stored value of a field that a person probably means by another one. */
export const meantValue = (build: Build, { origin }: Label, given: unknown): ShownValue | null =>
  origin === null || typeof given !== "string"
    ? null
    : storedValue(origin.kind === "column" ? origin.column : null, labelsOf(build, origin), given)

/** The same of a site that does not exist and of one that the person may not read. */
export const unknownSite = (id: string): Warning => ({
  code: "unknown-site",
  detail: `There is no site ${id}, or you may not read it.`
})

/** Notes a value that the field of a condition does not have, or hardly ever. */
export const noteUnlikely = (build: Build, { name, origin }: Label, given: unknown, meant: ShownValue | null): void => {
  if (origin === null || typeof given !== "string") return
  const column = origin.kind === "column" ? origin.column : null
  const id = given.toLowerCase()
  if (column?.references === "v_pa_sites") {
    if (!build.context.sites.some((site) => site.id === id)) build.warn(unknownSite(id))
    return
  }
  const isUnknownChannel = column?.name === "channel" && !CHANNELS.some((one) => one === given)
  const value = meant ?? (isUnknownChannel ? nearest(given, CHANNELS) : null)
  if (value === null && !isUnknownChannel) return
  const known = CHANNELS.filter((one) => one !== "").map((one) => `\`${one}\``)
  const hint = value === null ? ` The channels are ${known.join(", ")}.` : suggestion(value)
  build.warnOfNothing({ code: "unknown-value", detail: `No \`${name}\` is \`${given}\`.${hint}` })
}
