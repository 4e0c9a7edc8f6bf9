/** Values where others belong. */
const JUNK: ReadonlyArray<unknown> = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  -0,
  2 ** 53,
  "",
  "x",
  "url_path",
  "2026-02-30",
  "2026-03-29T02:30:00",
  "9999999-01-01",
  "\u0000",
  "\ud800",
  "'; DROP TABLE product_analytics_event; --",
  "a".repeat(300),
  [],
  {},
  [[]],
  ["field", "nothing"],
  ["field", "url_path", { "temporal-unit": "day" }],
  ["prop", ""],
  ["prop", "'); drop", { type: "number" }],
  ["count"],
  ["+", 1],
  ["case", []],
  ["=", "url_path"],
  ["between", "created_at", 5, 5],
  ["offset", ["count"], 1e9],
  ["percentile", "revenue", 2],
  ["datetime-add", "created_at", 1e9, "year"],
  ["substring", "url_path", -1, 1e12],
  ["regex-match-first", "url_path", "("],
  ["matches", "url_path", "(a+)+$"],
  ["power", 10, 400],
  ["log", -1],
  ["sqrt", -1],
  ["/", 1, 0],
  ["%", 5, 0],
  { binning: { strategy: "bin-width", "bin-width": 0 } },
  { __proto__: null, constructor: "x" }
]

const isContainer = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

/** Every place in a value, as its container and key. */
const placesOf = (value: unknown): Array<readonly [Record<string, unknown>, string]> =>
  isContainer(value) ? Object.keys(value).flatMap((key) => [[value, key] as const, ...placesOf(value[key])]) : []

/** The question with one to three of its parts replaced, exchanged, removed or doubled. */
const damaged = (random: () => number, question: object): object => {
  const copy = structuredClone(question) as Record<string, unknown>
  const pick = <A>(values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)]!
  for (let times = 1 + Math.floor(random() * 3); times > 0; times--) {
    const places = placesOf(copy)
    const [container, key] = pick(places)
    const [other, otherKey] = pick(places)
    const roll = random()
    if (roll < 0.5) container[key] = structuredClone(pick(JUNK))
    else if (roll < 0.75) container[key] = structuredClone(other[otherKey])
    else if (roll < 0.85 && !Array.isArray(container)) delete container[key]
    else if (Array.isArray(container)) container.push(structuredClone(other[otherKey]))
    else container[otherKey] = structuredClone(other[otherKey])
  }
  return copy
}

/** So many questions, each damaged. */
export const damagedQuestions = (count: number, random: () => number, next: () => object): ReadonlyArray<object> =>
  Array.from({ length: count }, () => damaged(random, next()))
