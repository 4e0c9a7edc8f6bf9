const joined = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const [first] = chunks
  if (first !== undefined && chunks.length === 1) return first
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

/** The same bytes in parts of `size` bytes; the last may be shorter. Empty input yields no parts. */
export async function* partsOf(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let pending: Array<Uint8Array> = []
  let length = 0
  for await (let chunk of chunks) {
    while (length + chunk.byteLength >= size) {
      const taken = size - length
      yield joined([...pending, chunk.subarray(0, taken)], size)
      pending = []
      length = 0
      chunk = chunk.subarray(taken)
    }
    if (chunk.byteLength > 0) {
      pending.push(chunk)
      length += chunk.byteLength
    }
  }
  if (length > 0) yield joined(pending, length)
}
