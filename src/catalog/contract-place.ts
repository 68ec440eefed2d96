import { test } from 'node:test'

/** An empty place for what a suite checks, which outlives it. */
export interface Place<Subject> {
  /** Opens what lives there; called again after a close, and for a second process beside it. */
  open(): Promise<Subject>
  cleanUp(): Promise<void>
}

/** A test with a place of its own. `reopen` closes the subject and opens it again. */
export type Check<Subject> = (
  title: string,
  body: (
    subject: Subject,
    reopen: () => Promise<Subject>,
    openAnother: () => Promise<Subject>,
  ) => Promise<void>,
) => void

export function checkAt<Subject extends { close(): Promise<void> }>(
  place: () => Promise<Place<Subject>>,
): Check<Subject> {
  return (title, body) => {
    test(title, async () => {
      const { open, cleanUp } = await place()
      const others: Subject[] = []
      let subject = await open()
      const reopen = async (): Promise<Subject> => {
        await subject.close()
        subject = await open()
        return subject
      }
      const openAnother = async (): Promise<Subject> => {
        const other = await open()
        others.push(other)
        return other
      }
      try {
        await body(subject, reopen, openAnother)
      } finally {
        for (const each of [subject, ...others]) await each.close()
        await cleanUp()
      }
    })
  }
}
