import { Stream } from "effect"
import { type Format, headerOf, type Row } from "./Format.ts"

/** An array with an object for each row. */
export const json: Format = {
  extension: "json",
  mediaType: "application/json",
  encode: ({ columns, rows }, { isFormatted }) => {
    const keys = headerOf(columns, isFormatted).map((name) => JSON.stringify(name))
    const object = (row: Row) => `{${row.map((cell, index) => `${keys[index]}:${JSON.stringify(cell)}`).join(",")}}`
    return Stream.suspend(() => {
      let isFirst = true
      const objects = Stream.map(rows, (chunk) => {
        if (chunk.length === 0) return ""
        const separator = isFirst ? "" : ",\n"
        isFirst = false
        return separator + chunk.map(object).join(",\n")
      })
      return Stream.concat(Stream.concat(Stream.succeed("["), objects), Stream.succeed("]\n"))
    }).pipe(
      Stream.filter((text) => text !== ""),
      Stream.encodeText
    )
  }
}
