/** One set for all files, each of which has modules of its own. */
const shared = globalThis as { notTested?: Set<string> }
const reasons = shared.notTested ?? new Set<string>()
shared.notTested = reasons

/** Notes what this machine cannot test, and why: a sentence. `test/setup.ts` prints it at the end of the run. */
export const notTested = (sentence: string): void => {
  reasons.add(sentence)
}

/** What was noted, as the run's last lines; empty if everything was tested. */
export const summaryOfNotTested = (): string =>
  reasons.size === 0 ? "" : ["Not tested on this machine:", ...[...reasons].map((reason) => `  - ${reason}`)].join("\n")
