/** Markup that needs no escaping any more. */
export class Html {
  readonly markup: string

  constructor(markup: string) {
    this.markup = markup
  }
}

type Part = Html | string | number | null | ReadonlyArray<Html>

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const markupOf = (part: Part): string => {
  if (part === null) return ""
  if (part instanceof Html) return part.markup
  if (typeof part === "object") return part.map(({ markup }) => markup).join("")
  return String(part).replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign]!)
}

/** Markup with values. Everything that is not markup itself is escaped, for text and for quoted attributes; null is left out. */
export const html = (strings: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Html =>
  new Html(strings.reduce((markup, string, index) => markup + markupOf(parts[index - 1] ?? null) + string))

/** A message whose code is in backticks, as everywhere. */
export const message = (text: string): Html =>
  html`${text.split("`").map((part, index) => (index % 2 === 0 ? html`${part}` : html`<code>${part}</code>`))}`
