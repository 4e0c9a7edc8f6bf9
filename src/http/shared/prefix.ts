/** Everything of the product lies below this path; collecting and probing also at shorter ones. */
export const PREFIX = "/api/ee/product-analytics"
