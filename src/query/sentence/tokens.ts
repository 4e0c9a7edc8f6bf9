import { Result } from "effect"

/** A sentence that is not understood. `at` is the position of the first character that is wrong, from 1. */
export interface SentenceProblem {
  readonly at: number
  readonly detail: string
}

export interface Token {
  /** Without quotation marks. */
  readonly text: string
  readonly isQuoted: boolean
  /** Position of its first character, from 1. */
  readonly at: number
}

const WORD = /[^\s,"'“”„=<>!]+/y
const OPERATOR = /!=|<=|>=|=|<|>/y
const CLOSING: Readonly<Record<string, string>> = { '"': '"', "'": "'", "“": "”", "„": "“" }

const matchAt = (pattern: RegExp, text: string, at: number): string | null => {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? null
}

/** Quoted text up to its closing mark; `\` keeps the next character as it is. Null without a closing mark. */
const quotedAt = (
  sentence: string,
  at: number,
  closing: string
): { readonly text: string; readonly end: number } | null => {
  let text = ""
  for (let index = at + 1; index < sentence.length; index++) {
    const character = sentence[index]!
    if (character === closing) return { text, end: index + 1 }
    if (character === "\\" && index + 1 < sentence.length) text += sentence[++index]!
    else text += character
  }
  return null
}

/** The words, quoted strings, operators and commas of a sentence. */
export const tokensOf = (sentence: string): Result.Result<ReadonlyArray<Token>, SentenceProblem> => {
  const tokens: Array<Token> = []
  let at = 0
  while (at < sentence.length) {
    const character = sentence[at]!
    const closing = CLOSING[character]
    // An apostrophe within a word is part of it; the pattern of words ends before one, so this is the start of a token.
    if (/\s/.test(character)) at++
    else if (closing !== undefined) {
      const quoted = quotedAt(sentence, at, closing)
      if (quoted === null) return Result.fail({ at: at + 1, detail: `The quotation mark ${character} is not closed.` })
      tokens.push({ text: quoted.text, isQuoted: true, at: at + 1 })
      at = quoted.end
    } else {
      const text =
        character === "," ? "," : (matchAt(OPERATOR, sentence, at) ?? matchAt(WORD, sentence, at) ?? character)
      tokens.push({ text, isQuoted: false, at: at + 1 })
      at += text.length
    }
  }
  return Result.succeed(tokens)
}
