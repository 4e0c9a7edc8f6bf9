import { expect, test } from "bun:test"
import fc from "fast-check"
import { mergeExpositions } from "../../src/process/mergeExposition.ts"

const lines = (...all: ReadonlyArray<string>) => `${all.join("\n")}\n`
const merge = (...texts: ReadonlyArray<string>) =>
  mergeExpositions(texts.map((metrics, i) => ({ worker: i + 1, metrics })))

const cases: ReadonlyArray<readonly [why: string, texts: ReadonlyArray<string>, merged: string]> = [
  ["nothing is nothing", ["", "\n\n"], ""],
  ["a sample without labels", ["up 1\n"], 'up{worker="1"} 1\n'],
  ["a sample with labels", ['up{a="b"} 1\n'], 'up{worker="1",a="b"} 1\n'],
  ["empty braces", ["up{} 1\n"], 'up{worker="1"} 1\n'],
  ["a timestamp stays", ["up 1 1790000000000\n"], 'up{worker="1"} 1 1790000000000\n'],
  ["special values stay", ["up NaN\n", "up +Inf\n"], lines('up{worker="1"} NaN', 'up{worker="2"} +Inf')],
  ["braces, quotes and blanks inside a value", ['up{a="} \\"{ x"} 1\n'], 'up{worker="1",a="} \\"{ x"} 1\n'],
  ["comments are left out", ["# a comment\nup 1\n# EOF\n"], 'up{worker="1"} 1\n'],
  [
    "one HELP and TYPE a family, samples together",
    [
      lines("# HELP a A.", "# TYPE a counter", "a 1", "# HELP b B.", "# TYPE b gauge", "b 2"),
      lines("# HELP a A.", "# TYPE a counter", "a 3")
    ],
    lines(
      "# HELP a A.",
      "# TYPE a counter",
      'a{worker="1"} 1',
      'a{worker="2"} 3',
      "# HELP b B.",
      "# TYPE b gauge",
      'b{worker="1"} 2'
    )
  ],
  [
    "a family that only one worker has",
    [lines("# TYPE a counter", "a 1"), lines("# TYPE b counter", "b 2")],
    lines("# TYPE a counter", 'a{worker="1"} 1', "# TYPE b counter", 'b{worker="2"} 2')
  ],
  [
    "a histogram's samples stay with it",
    [
      lines("# TYPE h histogram", 'h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 2', "h_sum 3", "h_count 2"),
      lines("# TYPE h histogram", "h_count 4")
    ],
    lines(
      "# TYPE h histogram",
      'h_bucket{worker="1",le="1"} 1',
      'h_bucket{worker="1",le="+Inf"} 2',
      'h_sum{worker="1"} 3',
      'h_count{worker="1"} 2',
      'h_count{worker="2"} 4'
    )
  ],
  [
    "a family whose own name ends like a histogram's sample",
    [lines("# TYPE a gauge", "a 1", "# TYPE a_count gauge", "a_count 2")],
    lines("# TYPE a gauge", 'a{worker="1"} 1', "# TYPE a_count gauge", 'a_count{worker="1"} 2')
  ],
  ["a family without samples is left out", [lines("# HELP a A.", "# TYPE a counter")], ""]
]
for (const [why, texts, merged] of cases) test(why, () => expect(merge(...texts)).toBe(merged))

test("merged metrics lose no sample and give each family one type, for any input", () => {
  const sample = fc.tuple(fc.constantFrom("a", "b_total", "c"), fc.option(fc.stringMatching(/^[a-z]{1,4}$/)), fc.nat(9))
  fc.assert(
    fc.property(fc.array(fc.array(sample, { maxLength: 8 }), { maxLength: 4 }), (workers) => {
      const texts = workers.map((samples) =>
        samples
          .map(
            ([name, label, value]) => `# TYPE ${name} gauge\n${name}${label === null ? "" : `{l="${label}"}`} ${value}`
          )
          .join("\n")
      )
      const merged = merge(...texts)
        .split("\n")
        .filter((line) => line !== "")
      expect(merged.filter((line) => !line.startsWith("#"))).toHaveLength(workers.flat().length)
      const types = merged.filter((line) => line.startsWith("# TYPE"))
      expect(new Set(types).size).toBe(types.length)
    })
  )
})
