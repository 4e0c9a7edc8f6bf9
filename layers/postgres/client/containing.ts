/** A pattern of LIKE for what contains the given text, in which no character has a meaning of its own. */
export const containing = (text: string): string => `%${text.replaceAll(/[\\%_]/g, "\\$&")}%`
