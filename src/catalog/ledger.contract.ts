import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LedgerBook, LedgerCounts, LedgerPage } from '../ports/ledger-book.ts'

/** An empty place for a book, which outlives it; `open` is called again after a close. */
export interface LedgerFixture {
  open(): Promise<LedgerBook>
  cleanUp(): Promise<void>
}

const counts = (received: number): LedgerCounts => ({
  ...{ received, pending: 2, deadLettered: 1 },
  rejected: { malformed: 3, future_time: 4 },
})

const page = (process: string, received = 10, state: LedgerPage['state'] = 'open') => ({
  ...{ process, state },
  tenants: new Map([
    ['default', counts(received)],
    ['ünï "x"', counts(2 ** 50)],
  ]),
})

/** What every book of ledger pages has to keep. */
export function ledgerContract(name: string, place: () => Promise<LedgerFixture>): void {
  const pagesOf = async (book: LedgerBook) =>
    (await book.pages())
      .map(({ ageMs, ...kept }) => {
        assert.ok(ageMs >= 0 && ageMs < 60_000, `${ageMs} ms old`)
        return kept
      })
      .sort((a, b) => (a.process < b.process ? -1 : 1))

  describe(`the ${name} ledger`, () => {
    test('pages are replaced by later ones and outlive the process', async () => {
      const fixture = await place()
      const first = await fixture.open()
      assert.deepEqual(await first.pages(), [])
      assert.equal(await first.replace([], page('a')), true)
      assert.equal(await first.replace([], page('b')), true)
      assert.equal(await first.replace(['a'], page('a', 20, 'closed')), true)
      await first.close()
      const second = await fixture.open()
      assert.deepEqual(await pagesOf(second), [page('a', 20, 'closed'), page('b')])
      await second.close()
      await fixture.cleanUp()
    })

    test('one page takes the place of many, once', async () => {
      const fixture = await place()
      const [book, other] = [await fixture.open(), await fixture.open()]
      for (const process of ['a', 'b', 'c']) await book.replace([], page(process))
      const folded = page('past', 30, 'torn')
      const both = await Promise.all([
        book.replace(['a', 'b'], folded),
        other.replace(['b', 'a'], folded),
      ])
      assert.equal(both.filter(Boolean).length, 1)
      assert.equal(await book.replace(['a'], page('a')), false, 'its page is in another')
      assert.equal(await book.replace(['c', 'a'], page('d')), false)
      assert.deepEqual(await pagesOf(book), [page('c'), folded])
      await Promise.all([book.close(), other.close()])
      await fixture.cleanUp()
    })

    test('refuses every call once it is closed, and may be closed again', async () => {
      const fixture = await place()
      const book = await fixture.open()
      await book.close()
      await book.close()
      await assert.rejects(book.pages(), { kind: 'closed' })
      await assert.rejects(book.replace([], page('a')), { kind: 'closed' })
      await fixture.cleanUp()
    })
  })
}
