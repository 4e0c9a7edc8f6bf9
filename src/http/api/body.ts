import { Effect, Option, Stream } from "effect"

/** Bytes of the largest admin body: a site with the most domains takes 50 KB. */
export const MAX_BODY_BYTES = 262_144
/** How long an admin body may take to arrive. */
const BODY_TIMEOUT = "10 seconds"

/** The request with its body in memory, or the status that says why there is none: 408 or 413. */
export const withBody = (request: Request): Effect.Effect<Request, 408 | 413> => {
  if (request.body === null) return Effect.succeed(request)
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) return Effect.fail(413)
  const body = request.body
  return Stream.fromReadableStream({ evaluate: () => body, onError: () => 408 as const }).pipe(
    Stream.runFoldEffect(
      () => ({ chunks: [] as Array<Uint8Array>, size: 0 }),
      ({ chunks, size }, chunk: Uint8Array) =>
        size + chunk.byteLength > MAX_BODY_BYTES
          ? Effect.fail(413 as const)
          : Effect.succeed({ chunks: [...chunks, chunk], size: size + chunk.byteLength })
    ),
    Effect.timeoutOption(BODY_TIMEOUT),
    Effect.flatMap(
      Option.match({
        onNone: () => Effect.fail(408 as const),
        onSome: ({ chunks }) =>
          Effect.succeed(
            new Request(request.url, { method: request.method, headers: request.headers, body: Buffer.concat(chunks) })
          )
      })
    )
  )
}
