import { Clock, Effect, type Scope, Stream } from "effect"
import { HttpEffect, type HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Principal } from "../../../domain/Principal.ts"
import { csv } from "../../../query/export/csv.ts"
import type { Format, FormatName } from "../../../query/export/Format.ts"
import { json } from "../../../query/export/json.ts"
import { withLabels } from "../../../query/export/labels.ts"
import { parquet } from "../../../query/export/parquet.ts"
import { xlsx } from "../../../query/export/xlsx.ts"
import { Questions } from "../../../query/run/Questions.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { ExportLog } from "./ExportLog.ts"
import { type QuestionProblem, withQuestionProblems } from "./questionProblem.ts"

const FORMATS: Readonly<Record<FormatName, Format>> = { csv, json, xlsx, parquet }

/** The id with which an export's progress can be asked for. */
export const EXPORT_ID_HEADER = "x-export-id"

export interface ExportRequest {
  readonly principal: Principal
  readonly question: unknown
  readonly format: FormatName
  readonly isFormatted: boolean
  /** The file's name without its extension. */
  readonly name: string
}

/** Letters and digits of any script, spaces and the usual punctuation of file names. */
const fileName = (name: string): string =>
  name
    .replaceAll(/[^\p{L}\p{N} ._-]+/gu, " ")
    .trim()
    .slice(0, 100) || "question"

/** RFC 6266: a name in ASCII for old clients, and the real one. */
const disposition = (name: string): string => {
  const ascii = name.replaceAll(/[^\x20-\x7e]+/g, "_")
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(name)}`
}

type ExportResponse = (
  request: ExportRequest
) => Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  QuestionProblem,
  Scope.Scope | HttpServerRequest.HttpServerRequest
>

/** Answers with the rows of a question as a file that is sent while it is read. Breaking the connection off cancels the query. */
export const makeExportResponse: Effect.Effect<ExportResponse, never, Questions | ExportLog> = Effect.gen(function* () {
  const questions = yield* Questions
  const log = yield* ExportLog
  return ({ format, isFormatted, name, principal, question }) =>
    Effect.gen(function* () {
      const exported = yield* withExtendedTimeout(withQuestionProblems(questions.export(principal, question)))
      const startedAt = yield* Clock.currentTimeMillis
      const report = log.begin(principal.key, startedAt)
      const { encode, extension, mediaType } = FORMATS[format]
      // Parquet's columns have a type.
      const isLabeled = isFormatted && format !== "parquet"
      const label = withLabels(exported.columns)
      const shown = isLabeled ? Stream.map(exported.rows, (rows) => rows.map(label)) : exported.rows
      const counted = Stream.tap(shown, (rows) => Effect.sync(() => report.advance(rows.length, 0)))
      const bytes = encode({ columns: exported.columns, rows: counted }, { isFormatted }).pipe(
        Stream.tap((chunk) => Effect.sync(() => report.advance(0, chunk.byteLength))),
        Stream.tapError((error) =>
          Effect.logWarning("An export failed.", { reason: error.reason, why: error.message })
        ),
        Stream.onExit((exit) =>
          Effect.map(Clock.currentTimeMillis, (now) =>
            exit._tag === "Success"
              ? report.end("done", null, now)
              : report.end("failed", "The export broke off; the server's log has the reason.", now)
          )
        )
      )
      const file = `${fileName(name)} ${new Date(startedAt).toISOString().slice(0, 10)}.${extension}`
      return HttpEffect.scopeTransferToStream(
        HttpServerResponse.stream(bytes, {
          contentType: mediaType,
          headers: { "content-disposition": disposition(file), [EXPORT_ID_HEADER]: report.id }
        })
      )
    })
})
