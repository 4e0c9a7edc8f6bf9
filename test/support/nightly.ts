/** Whether tests may take as long as they want: more of what is random, and what is slow. */
export const IS_NIGHTLY = process.env["FOOTFALL_NIGHTLY"] === "1"
