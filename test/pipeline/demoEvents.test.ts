import { expect, test } from "bun:test"
import { demoRecords } from "../../src/pipeline/demo/demoEvents.ts"

test("the demo's properties are stored as a sender's are", () => {
  for (const records of demoRecords(Date.UTC(2026, 2, 31))) {
    const signup = records.find((one) => one.kind === "event" && one.record.name === "signup")
    if (signup === undefined) continue
    const [plan, seats, trial] = signup.record.properties
    expect([plan?.key, seats?.key, trial?.key]).toEqual(["plan", "seats", "trial"])
    expect(seats?.string).toMatch(/^\d+\.0000$/)
    expect(Number(seats?.string)).toBe(seats!.number!)
    return
  }
  throw new Error("The demo has no signup.")
})
