/** What a step has for itself on a server. */
export interface Place {
  /** Variables of `weir up` that lead there. */
  readonly env: Readonly<Record<string, string>>
  /** Has written what earlier work left to write, so that steps begin alike. */
  settle?(): Promise<void>
  /** When nothing uses it any more. */
  remove(): Promise<void>
}
