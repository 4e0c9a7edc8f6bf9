import { afterAll, setDefaultTimeout } from "bun:test"
import { summaryOfNotTested } from "./support/notTested.ts"

// For hangs only: a busy machine may be many times slower. No test fails because it took long.
setDefaultTimeout(120_000)

// Bun runs this after the last file, since it is preloaded.
afterAll(() => {
  const summary = summaryOfNotTested()
  if (summary !== "") console.log(`\n${summary}`)
})
