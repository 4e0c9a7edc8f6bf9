/** How many properties of a site are shown; a search finds the others. */
export const SHOWN_PROPERTIES = 500
