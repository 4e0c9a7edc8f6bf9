/** Words that read like a literal translation, or are British spellings, each with what to write instead. `docs/glossary.md` has the project's words. */
const WORDS: ReadonlyArray<readonly [pattern: RegExp, instead: string]> = [
  [/\b(?:tells?|told|telling)\b/i, "report, log, say"],
  [/\banew\b/i, "again"],
  [/\bbesides?\b/i, "alongside, next to"],
  [/\b(?:nobody|whoever|whosever)\b/i, "name the actor"],
  [/(?<!(?:left|leave|leaves|leaving) )\balone\b/i, "only, on its own"],
  [/(?<!there )\b(?:is|are|was|were) none\b/i, "is not a, does not exist"],
  [/\bthat (?:is|are) no\b(?! longer)/i, "that is not a"],
  [/\blook(?:s|ed|ing)? (?:after|whether)\b/i, "maintain, check"],
  [/\bin force\b/i, "in effect"],
  [/\bbe it\b/i, "whether"],
  [/\bfigures?\b/i, "number"],
  [/\btexts\b/i, "strings"],
  [/\bof late\b/i, "recently"],
  [/\ball the same\b/i, "still"],
  [/\bmade ahead\b/i, "created in advance"],
  [/\bwants? (?:it|a|an|the|its|some)\b/i, "requires, needs"],
  [/\bcan't be had\b/i, "is not available"],
  [/\b(?:put|puts|set) right\b/i, "fix"],
  [/\bgive[sn]? up\b/i, "abandon, trim, release"],
  [/\bgone on\b|\bgo(?:es)? on (?:as|with)\b/i, "continue"],
  [/\b(?:behaviou|colou|favou|honou|neighbou)r/i, "American spelling: -or"],
  [
    /\blicence|\bcatalogue|\bcancelled|\b(?:normal|initial|serial|recogn|organ|optim|summar|authori)is(?:e|ing|ation)\b/i,
    "American spelling"
  ]
]

/** Prose in a source file: comments, and string literals that hold more than one word. */
const TYPESCRIPT_PROSE = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g
/** A string literal without spaces: a name, not prose. */
const SINGLE_WORD = /^["'`]\S*["'`]$/
/** Code in Markdown, which is not prose. */
const MARKDOWN_CODE = /```[\s\S]*?```|`[^`\n]*`/g
/** Code in a comment or message, a URL, or a placeholder in a template. */
const QUOTED_CODE = /\$\{[^{}]*\}|https?:\/\/\S+/g

export interface Finding {
  /** From 1. */
  readonly line: number
  readonly word: string
  readonly instead: string
}

/** Where a file uses a word of the list. */
export const findWords = (path: string, source: string): ReadonlyArray<Finding> =>
  proseOf(path, source)
    .split("\n")
    .flatMap((text, index) =>
      WORDS.flatMap(([pattern, instead]) => {
        const found = pattern.exec(text)
        return found === null ? [] : [{ line: index + 1, word: found[0], instead }]
      })
    )

/** The file with everything that is not prose blanked out, so that lines keep their numbers. */
const proseOf = (path: string, source: string): string => {
  if (path.endsWith(".md")) return source.replace(MARKDOWN_CODE, blank)
  const withoutCode = source.replace(QUOTED_CODE, blank)
  let prose = ""
  let end = 0
  for (const match of withoutCode.matchAll(TYPESCRIPT_PROSE)) {
    prose += blank(withoutCode.slice(end, match.index)) + (SINGLE_WORD.test(match[0]) ? blank(match[0]) : match[0])
    end = match.index + match[0].length
  }
  return prose + blank(withoutCode.slice(end))
}

const blank = (text: string): string => text.replace(/[^\n]/g, " ")
