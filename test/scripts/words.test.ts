import { expect, test } from "bun:test"
import { findWords } from "../../scripts/words.ts"

test.each([
  ["a comment", "const a = 1 // tells the client", 1, "tells"],
  ["a doc comment", "/**\n * Made anew.\n */", 2, "anew"],
  ["a string", 'const a = "nobody listens"', 1, "nobody"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: source code under test
  ["a template", "const a = `the ${name} is told`", 1, "told"],
  ["a British spelling", "// its behaviour", 1, "behaviour"]
])("a word of the list is found in %s", (_, source, line, word) => {
  expect(findWords("src/a.ts", source)).toEqual([{ line, word, instead: expect.any(String) }])
})

test("a word of the list is found in Markdown, but not in its code", () => {
  expect(findWords("docs/a.md", "The figure\n`figure`\n\n```\nfigure\n```\n")).toMatchObject([
    { line: 1, word: "figure" }
  ])
})

test.each([
  ["an identifier", "const told = figure(anew)"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: source code under test
  ["code in a template", "const a = `the ${told} value`"],
  ["good English with similar words", "// null if there is none; the file is left alone; what is no longer needed"]
])("%s is not reported", (_, source) => {
  expect(findWords("src/a.ts", source)).toEqual([])
})
