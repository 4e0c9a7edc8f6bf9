/** A line of the report. `bad` is a problem; `note` is something left to do or to know. */
export interface Check {
  readonly about: string
  readonly state: "ok" | "note" | "bad"
  readonly found: string
  readonly hint?: string
}

export const ok = (about: string, found: string): Check => ({ about, state: "ok", found })

export const note = (about: string, found: string, hint?: string): Check => ({
  about,
  state: "note",
  found,
  ...(hint !== undefined && { hint })
})

export const bad = (about: string, found: string, hint?: string): Check => ({
  about,
  state: "bad",
  found,
  ...(hint !== undefined && { hint })
})
