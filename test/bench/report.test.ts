import { expect, test } from "bun:test"
import { betweenMarkers, median, table } from "../../bench/support/report.ts"

test("the report is a Markdown table that shows whether each goal is met", () => {
  const rows = [
    { what: "a", value: "1/s", against: "floor: 2/s", ratio: 0.5, goal: "at least 0.35", met: true },
    { what: "b", value: "200 MB", against: null, ratio: null, goal: "under 100 MB", met: false }
  ]
  expect(table(rows)).toBe(
    [
      "| Measured | Value  | Against    | Ratio | Goal          | Met |",
      "| -------- | ------ | ---------- | ----- | ------------- | --- |",
      "| a        | 1/s    | floor: 2/s | 0.50  | at least 0.35 | yes |",
      "| b        | 200 MB |            |       | under 100 MB  | no  |"
    ].join("\n")
  )
})

test("the report replaces only what is between its markers", () => {
  const text = "a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nb\n"
  expect(betweenMarkers(text, "new")).toBe("a\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nb\n")
  expect(betweenMarkers("no markers", "new")).toBeNull()
})

test("the median of an even number of values lies between the middle ones", () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5])
})
