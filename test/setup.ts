import { afterAll } from "bun:test"
import { summaryOfNotTested } from "./support/notTested.ts"

// Bun runs this after the last file, since it is preloaded.
afterAll(() => {
  const summary = summaryOfNotTested()
  if (summary !== "") console.log(`\n${summary}`)
})
