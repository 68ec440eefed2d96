/**
 * What a value of a request is made of. It is data, so that the generator compiles it into bytes and
 * the exports write it as JavaScript and Python: a kind more costs a line in each of them.
 */
export type Template =
  /** The device of this request; the same everywhere in it. */
  | { readonly is: 'device' }
  /** Uniform in [min, max], with so many decimals. */
  | {
      readonly is: 'number'
      readonly min: number
      readonly max: number
      readonly decimals: number
    }
  /**
   * When the request is meant to be sent, ISO 8601 UTC in milliseconds, less `agoMs`. With `unique`
   * it is moved forward where the device had a point at that time already, so that no two requests
   * of a run carry the same point.
   */
  | { readonly is: 'time'; readonly agoMs?: number; readonly unique?: boolean }
  /** `prefix` and a number that no other request of the run has. */
  | { readonly is: 'serial'; readonly prefix: string }
  /** One of these, each as likely. */
  | { readonly is: 'pick'; readonly of: readonly (string | number)[] }
  | { readonly is: 'constant'; readonly value: string | number | boolean }
  | { readonly is: 'object'; readonly fields: Readonly<Record<string, Template>> }
  /**
   * `count` of them. Where `device` is `each`, every item has a device of its own; where `everyMs`
   * is given, the times of the items lie so far apart, the last at the request's own time.
   */
  | {
      readonly is: 'list'
      readonly of: Template
      readonly count: number
      readonly device?: 'same' | 'each'
      readonly everyMs?: number
    }

/** Of a request's path: text, or a template whose text is escaped for a path or a query. */
export type PathPart = string | Template
