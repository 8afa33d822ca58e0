/** Takes notes of what happens, for whoever has to understand a failed run; the text is made only if somebody reads it. */
export type Trace = (tell: () => string) => void;
