import type { FieldIssue } from "../../domain/fieldIssues.ts"
import { type Html, html, message } from "./html.ts"

/** What somebody entered, by the field's name. */
export type Entered = ReadonlyMap<string, string>

export interface Field {
  readonly name: string
  readonly label: string
  readonly type?: "text" | "email" | "password"
  /** What a browser or password manager may fill in (HTML, section 4.10.18.7). */
  readonly autocomplete?: string
  readonly hint?: string
  readonly optional?: true
  /** Unless another field is to be corrected. */
  readonly autofocus?: boolean
  /** A list to choose from. */
  readonly choices?: ReadonlyArray<string>
}

const attribute = (name: string, value: string | undefined): Html | null =>
  value === undefined ? null : html` ${name}="${value}"`

const flag = (name: string, isSet: boolean | undefined): Html | null => (isSet === true ? html` ${name}` : null)

/** A labeled field. What was entered is shown again, except for passwords. */
export const field = (definition: Field, entered: Entered, issues: ReadonlyArray<FieldIssue>): Html => {
  const { autocomplete, autofocus, choices, hint, label, name, optional, type = "text" } = definition
  const issue = issues.find((each) => each.field === name)
  const described = [
    ...(issue === undefined ? [] : [`${name}-problem`]),
    ...(hint === undefined ? [] : [`${name}-hint`])
  ]
  const common = html`id="${name}" name="${name}"${attribute("autocomplete", autocomplete)}${flag("required", optional !== true)}${flag("autofocus", issues.length === 0 ? autofocus : issues[0]?.field === name)}${
    issue === undefined ? null : html` aria-invalid="true"`
  }${attribute("aria-describedby", described.length === 0 ? undefined : described.join(" "))}`
  const value = entered.get(name) ?? ""
  return html`<label for="${name}">${label}</label>
${
  choices === undefined
    ? html`<input ${common} type="${type}"${attribute("value", type === "password" || value === "" ? undefined : value)}>`
    : html`<select ${common}>${choices.map((choice) => html`<option${flag("selected", choice === value)}>${choice}</option>`)}</select>`
}
${issue === undefined ? null : html`<p class="problem" id="${name}-problem">${message(issue.message)}</p>\n`}${
  hint === undefined ? null : html`<p class="hint" id="${name}-hint">${hint}</p>\n`
}`
}

/** What is wrong, above the form: read out first, with links to the fields. */
export const problems = (summary: string | null, issues: ReadonlyArray<FieldIssue> = []): Html | null => {
  if (summary === null && issues.length === 0) return null
  return html`<div class="problems" role="alert">${summary === null ? null : html`<p>${message(summary)}</p>`}${
    issues.length === 0
      ? null
      : html`<ul>${issues.map(({ field: name, message: text }) => html`<li><a href="#${name}">${message(text)}</a></li>`)}</ul>`
  }</div>
`
}
