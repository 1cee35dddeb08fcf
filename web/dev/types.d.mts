/** What is written. */
export const FILE: string;
/** The text of the file as openapi.json gives it. */
export function types(): Promise<string>;
