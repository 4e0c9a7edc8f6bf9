import { expect, test } from "bun:test"
import fc from "fast-check"
import { partsOf } from "../../../../layers/iceberg/io/parts.ts"

test("parts contain the same bytes as the chunks, and all but the last have the given size", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.integer({ min: 1, max: 50 }),
      async (chunks, size) => {
        async function* source() {
          yield* chunks
        }
        const parts: Array<Uint8Array> = []
        for await (const part of partsOf(source(), size)) parts.push(part)
        expect(Buffer.concat(parts)).toEqual(Buffer.concat(chunks))
        expect(parts.slice(0, -1).every((part) => part.byteLength === size)).toBe(true)
        const last = parts.at(-1)?.byteLength ?? 1
        expect(last > 0 && last <= size).toBe(true)
      }
    )
  ))
