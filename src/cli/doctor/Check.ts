/** A line of the report. `bad` is a problem; `note` is something left to do or to know. */
export interface Check {
  readonly about: string
  readonly state: "ok" | "note" | "bad"
  readonly found: string
  readonly todo?: string
}

export const ok = (about: string, found: string): Check => ({ about, state: "ok", found })

export const note = (about: string, found: string, todo?: string): Check => ({
  about,
  state: "note",
  found,
  ...(todo !== undefined && { todo })
})

export const bad = (about: string, found: string, todo?: string): Check => ({
  about,
  state: "bad",
  found,
  ...(todo !== undefined && { todo })
})
