import { Stream } from "effect"
import { strToU8, Zip, ZipDeflate } from "fflate"
import type { AnswerColumn, Cell } from "../answer.ts"
import { type ExportOptions, type Format, headerOf, type Row, type Rows } from "./Format.ts"

/** Excel's limit for the text of a cell. */
const MAX_TEXT = 32_767
/** Fast: the default level takes twice the time for files that are a tenth smaller. */
const LEVEL = 3

const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
const RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
const PACKAGE = "http://schemas.openxmlformats.org/package/2006"
const DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"

/** The workbook's other parts (ECMA-376, part 1). */
const PARTS: Readonly<Record<string, string>> = {
  "[Content_Types].xml": `<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="${SHEET}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${SHEET}.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="${SHEET}.styles+xml"/></Types>`,
  "_rels/.rels": `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" Type="${RELATIONSHIPS}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
  "xl/workbook.xml": `<workbook xmlns="${MAIN}" xmlns:r="${RELATIONSHIPS}"><sheets><sheet name="Question" sheetId="1" r:id="rId1"/></sheets></workbook>`,
  "xl/_rels/workbook.xml.rels": `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" Type="${RELATIONSHIPS}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="${RELATIONSHIPS}/styles" Target="styles.xml"/></Relationships>`,
  "xl/styles.xml": `<styleSheet xmlns="${MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/><numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/><xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`
}

/** Places in the list of cell formats above. */
const STYLE = { header: 1, date: 2, time: 3 } as const

/** Control characters and halves of surrogate pairs, which XML cannot contain. */
const NOT_XML =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to remove
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

const escaped = (text: string): string =>
  text.replace(NOT_XML, "\ufffd").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const textCell = (text: string, style = ""): string =>
  `<c t="inlineStr"${style}><is><t xml:space="preserve">${escaped(text.slice(0, MAX_TEXT))}</t></is></c>`

const DAY_MS = 86_400_000
/** Day 0 of a sheet's dates, such that 1 March 1900 and later are right despite its 29 February 1900. */
const EPOCH = Date.UTC(1899, 11, 30)
const FIRST_RIGHT_DAY = 61

/** The wall time in an answer's cell as a sheet's date: days, with the time as a fraction. Null if a sheet has no such date. */
const serialDate = (cell: string): number | null => {
  const at = Date.parse(`${cell.slice(0, 23).replace(/[+-]\d\d:\d\d$|Z$/, "")}Z`)
  const days = (at - EPOCH) / DAY_MS
  return Number.isFinite(days) && days >= FIRST_RIGHT_DAY ? days : null
}

/** Units whose buckets begin at midnight. */
const WHOLE_DAYS: ReadonlySet<string | null> = new Set(["day", "week", "month", "quarter", "year"])

const isTime = ({ base_type: type }: AnswerColumn): boolean => type === "instant" || type === "local"

const sheetCell = (cell: Cell, column: AnswerColumn): string => {
  if (cell === null) return "<c/>"
  if (typeof cell === "number") return `<c><v>${cell}</v></c>`
  if (typeof cell === "boolean") return `<c t="b"><v>${cell ? 1 : 0}</v></c>`
  const date = isTime(column) ? serialDate(cell) : null
  if (date === null) return textCell(cell)
  return `<c s="${WHOLE_DAYS.has(column.temporal_unit) ? STYLE.date : STYLE.time}"><v>${date}</v></c>`
}

const sheetRows = (rows: ReadonlyArray<Row>, columns: ReadonlyArray<AnswerColumn>): string =>
  rows.map((row) => `<row>${row.map((cell, index) => sheetCell(cell, columns[index]!)).join("")}</row>`).join("")

/** In characters. */
const WIDTH = { least: 12, most: 40, time: 20 } as const

const sheetStart = (columns: ReadonlyArray<AnswerColumn>, titles: ReadonlyArray<string>): string => {
  const widths = columns.map((column, index) =>
    Math.min(Math.max(titles[index]!.length + 2, isTime(column) ? WIDTH.time : WIDTH.least), WIDTH.most)
  )
  const cols = widths.map(
    (width, index) => `<col min="${index + 1}" max="${index + 1}" width="${width}" customWidth="1"/>`
  )
  const header = titles.map((title) => textCell(title, ` s="${STYLE.header}"`))
  return `<worksheet xmlns="${MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><cols>${cols.join("")}</cols><sheetData><row>${header.join("")}</row>`
}

const SHEET_END = "</sheetData></worksheet>"

/** A zip file that is read while it is written. */
class Workbook {
  readonly #zip: Zip
  readonly #sheet: ZipDeflate
  #ready: Array<Uint8Array> = []

  constructor() {
    this.#zip = new Zip((error, bytes) => {
      if (error !== null) throw error
      this.#ready.push(bytes)
    })
    for (const [name, xml] of Object.entries(PARTS)) {
      const part = new ZipDeflate(name, { level: LEVEL })
      this.#zip.add(part)
      part.push(strToU8(DECLARATION + xml), true)
    }
    this.#sheet = new ZipDeflate("xl/worksheets/sheet1.xml", { level: LEVEL })
    this.#zip.add(this.#sheet)
    this.write(DECLARATION)
  }

  write(xml: string): void {
    this.#sheet.push(strToU8(xml))
  }

  end(xml: string): void {
    this.#sheet.push(strToU8(xml), true)
    this.#zip.end()
  }

  /** What has been written since the last call. */
  take(): Uint8Array {
    const bytes = Buffer.concat(this.#ready)
    this.#ready = []
    return bytes
  }
}

/** A workbook with one sheet: typed cells, times as dates in the question's zone, a header that stays in view. */
export const xlsx: Format = {
  extension: "xlsx",
  mediaType: `${SHEET}.sheet`,
  encode: <E>({ columns, rows }: Rows<E>, { isFormatted }: ExportOptions) =>
    Stream.suspend(() => {
      const workbook = new Workbook()
      workbook.write(sheetStart(columns, headerOf(columns, isFormatted)))
      const body = Stream.map(rows, (chunk) => {
        workbook.write(sheetRows(chunk, columns))
        return workbook.take()
      })
      const end = Stream.sync(() => {
        workbook.end(SHEET_END)
        return workbook.take()
      })
      return Stream.concat(body, end).pipe(Stream.filter(({ length }) => length > 0))
    })
}
