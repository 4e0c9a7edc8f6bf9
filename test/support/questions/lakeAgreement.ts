import { expect, test } from "bun:test"
import type { QueryEngine } from "../../../src/ports/QueryEngine.ts"
import { randomFrom } from "../replica/traffic.ts"
import { agreement, failures } from "./agreement.ts"
import { damagedQuestions } from "./damaged.ts"
import { QUESTIONS_OF_EVERY_PART } from "./everyPart.ts"
import { randomQuestions } from "./randomQuestions.ts"

type Engine = QueryEngine["Service"]

export interface LakeAgreement {
  /** Once they are open. */
  readonly engines: () => { readonly postgres: Engine; readonly lake: Engine }
  readonly questions: number
  /** Of the random questions and of the damaged ones. */
  readonly seeds: { readonly random: number; readonly damaged: number }
  /** Parts of the questions, as in `1 / 20`, below which they may be refused, and not be supported. */
  readonly most: { readonly refused: number; readonly unsupported: number }
}

/** Tests that an engine that reads the lake answers as Postgres does, and refuses what it cannot answer. */
export const testLakeAgreement = ({ engines, most, questions, seeds }: LakeAgreement): void => {
  test(`${questions} random questions have the same answers in Postgres and in the lake`, async () => {
    const { lake, postgres } = engines()
    const random = randomQuestions(randomFrom(seeds.random))
    const { different, refused, unsupported, withRows } = await agreement(
      postgres,
      lake,
      Array.from({ length: questions }, random.next)
    )
    expect(different).toEqual([])
    expect(refused.length).toBeLessThan(questions * most.refused)
    expect(unsupported.length).toBeLessThan(questions * most.unsupported)
    expect(withRows).toBeGreaterThan(questions / 2)
  })

  test("every function, unit, aggregate and view has the same answers in Postgres and in the lake", async () => {
    const { lake, postgres } = engines()
    const found = await agreement(postgres, lake, QUESTIONS_OF_EVERY_PART)
    expect(found).toEqual({
      different: [],
      refused: [],
      unsupported: [],
      withRows: QUESTIONS_OF_EVERY_PART.length
    })
  })

  test(`${questions} damaged questions are answered or refused with a reason, and never fail in the engine`, async () => {
    const random = randomQuestions(randomFrom(seeds.damaged))
    const damaged = damagedQuestions(questions, randomFrom(seeds.damaged + 1_000), random.next)
    const { failed } = await failures([engines().lake], damaged)
    expect(failed).toEqual([])
  })
}
