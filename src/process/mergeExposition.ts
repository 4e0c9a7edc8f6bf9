/** One worker's metrics in Prometheus' text format. */
export interface Exposition {
  readonly worker: number
  readonly metrics: string
}

interface Family {
  help: string | null
  type: string | null
  readonly samples: Array<string>
}

/** Suffixes that a family's samples may add to its name (text format 0.0.4, histograms and summaries). */
const SUFFIX = /_(?:bucket|sum|count)$/

/** Adds a label in front: `name{a="b"} 1` and `name 1` are both valid samples. */
const withLabel = (sample: string, label: string): string => {
  const end = sample.search(/[{\s]/)
  if (end === -1) return sample
  const name = sample.slice(0, end)
  if (sample[end] !== "{") return `${name}{${label}}${sample.slice(end)}`
  const rest = sample.slice(end + 1)
  return `${name}{${label}${rest.trimStart().startsWith("}") ? "" : ","}${rest}`
}

/**
 * Merges the metrics of several workers into one valid exposition: each family has one HELP and one TYPE (the first found), and each
 * sample the label `worker`. Families keep the order in which they first appear.
 */
export const mergeExpositions = (parts: ReadonlyArray<Exposition>): string => {
  const families = new Map<string, Family>()
  const familyOf = (name: string): Family => {
    const known = families.get(name)
    if (known !== undefined) return known
    const family: Family = { help: null, type: null, samples: [] }
    families.set(name, family)
    return family
  }
  for (const { metrics, worker } of parts) {
    const label = `worker="${worker}"`
    for (const line of metrics.split("\n")) {
      if (line.trim() === "") continue
      const [, keyword, name] = /^#\s+(HELP|TYPE)\s+(\S+)/.exec(line) ?? []
      if (name !== undefined) {
        const family = familyOf(name)
        if (keyword === "HELP") family.help ??= line
        else family.type ??= line
      } else if (!line.startsWith("#")) {
        const own = line.slice(0, line.search(/[{\s]|$/))
        const base = own.replace(SUFFIX, "")
        familyOf(!families.has(own) && families.has(base) ? base : own).samples.push(withLabel(line, label))
      }
    }
  }
  const lines: Array<string> = []
  for (const { help, type, samples } of families.values()) {
    if (samples.length === 0) continue
    if (help !== null) lines.push(help)
    if (type !== null) lines.push(type)
    lines.push(...samples)
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`
}
