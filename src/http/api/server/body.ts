import { Effect, Schema, Stream } from "effect"

/** In bytes. A site with the maximum number of domains takes 50 KB. */
export const MAX_BODY_BYTES = 262_144
/** How long a body may take to arrive. */
const BODY_TIMEOUT = "10 seconds"

export class BodyError extends Schema.TaggedError<BodyError>()("BodyError", {
  reason: Schema.Literals(["TooLarge", "Timeout", "Untyped"])
}) {}

const tooLarge = new BodyError({ reason: "TooLarge" })
/** A body that breaks off counts as one that did not arrive in time. */
const timeout = new BodyError({ reason: "Timeout" })

/** A page of another site may send a body without a type without asking, as it may send a form. */
const untyped = new BodyError({ reason: "Untyped" })

/** The request with its body in memory. Fails unless the body has a type. */
export const bufferBody = (request: Request): Effect.Effect<Request, BodyError> => {
  const { body } = request
  if (body === null) return Effect.succeed(request)
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) return Effect.fail(tooLarge)
  return Stream.fromReadableStream({ evaluate: () => body, onError: () => timeout }).pipe(
    Stream.runFoldEffect(
      () => ({ chunks: [] as Array<Uint8Array>, size: 0 }),
      ({ chunks, size }, chunk: Uint8Array) =>
        size + chunk.byteLength > MAX_BODY_BYTES
          ? Effect.fail(tooLarge)
          : Effect.succeed({ chunks: [...chunks, chunk], size: size + chunk.byteLength })
    ),
    Effect.timeoutOrElse({ duration: BODY_TIMEOUT, orElse: () => Effect.fail(timeout) }),
    Effect.flatMap(({ chunks, size }) =>
      size > 0 && !request.headers.get("content-type")
        ? Effect.fail(untyped)
        : Effect.succeed(
            new Request(request.url, { method: request.method, headers: request.headers, body: Buffer.concat(chunks) })
          )
    )
  )
}
