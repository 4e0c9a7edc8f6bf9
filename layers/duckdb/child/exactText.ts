let done: Promise<void> | null = null

/** Makes DuckDB's module return text as it is. Its own decoder drops a byte order mark (U+FEFF) at the beginning of each value. */
export const exactText = (): Promise<void> => {
  done ??= import("@duckdb/node-api/lib/vectors/dataAccessors.js").then(({ textDecoder }) => {
    const exact = new TextDecoder("utf-8", { ignoreBOM: true })
    textDecoder.decode = exact.decode.bind(exact)
  })
  return done
}
