/** One process's metrics in Prometheus' text format, and what tells the process apart. */
export interface Exposition {
  readonly worker: number
  readonly text: string
}

interface Family {
  help: string | null
  type: string | null
  readonly samples: Array<string>
}

/** The names that a family's samples may have beside its own (text format 0.0.4, histograms and summaries). */
const SUFFIX = /_(?:bucket|sum|count)$/

/** `name{a="b"} 1` and `name 1` with a further label in front; a name holds no brace and no blank. */
const withLabel = (sample: string, label: string): string => {
  const end = sample.search(/[{\s]/)
  if (end === -1) return sample
  const name = sample.slice(0, end)
  if (sample[end] !== "{") return `${name}{${label}}${sample.slice(end)}`
  const rest = sample.slice(end + 1)
  return `${name}{${label}${rest.trimStart().startsWith("}") ? "" : ","}${rest}`
}

/**
 * Several processes' metrics as one valid exposition: each family has one HELP and one TYPE (the first met), and each sample the
 * label `worker`. Families keep the order in which they first appear.
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
  for (const { worker, text } of parts) {
    const label = `worker="${worker}"`
    for (const line of text.split("\n")) {
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
