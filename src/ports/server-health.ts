/** How a server does that Weir can go without for a while; counts are since the process started. */
export interface ServerHealth {
  /** It has answered lately. */
  readonly isUp: boolean
  /** Why it is not up, for people; without secrets. */
  readonly problem?: string | undefined
  /** Commands answered. */
  readonly answered: number
  /** Commands that were not answered by their deadline. */
  readonly timeouts: number
  /** Commands that it refused, or that were lost with the connection. */
  readonly errors: number
  /** Commands that were not sent: no connection, too much on its way, or no answers lately. */
  readonly skipped: number
}
