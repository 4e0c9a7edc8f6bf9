import { join } from "node:path"
import { findWords } from "./words.ts"

const ROOT = join(import.meta.dir, "..")
const PATTERNS = ["*.md", "{docs,bench}/**/*.md", "{src,layers,test,bench,scripts}/**/*.ts"]
/** The list itself, and its tests. */
const EXEMPT = new Set(["scripts/words.ts", "test/scripts/words.test.ts"])

let found = 0
for (const path of PATTERNS.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(ROOT)])) {
  if (EXEMPT.has(path)) continue
  for (const { instead, line, word } of findWords(path, await Bun.file(join(ROOT, path)).text())) {
    console.error(`${path}:${line} uses "${word}"; write instead: ${instead}.`)
    found++
  }
}
process.exit(found === 0 ? 0 : 1)
