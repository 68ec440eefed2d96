import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findJsonError } from './json-error.ts'

test('the place of a mistake is where the text stops being JSON', () => {
  const cases: [string, number, string][] = [
    ['', 0, 'unexpected end'],
    ['  ', 2, 'unexpected end'],
    ['{', 1, 'unexpected end'],
    ['[1,2', 4, 'unexpected end'],
    ['[1,]', 3, 'unexpected ]'],
    ['{"a":1,}', 7, 'unexpected }'],
    ['{"a" 1}', 5, 'unexpected 1'],
    ['{a:1}', 1, 'unexpected a'],
    ['[1 2]', 3, 'unexpected 2'],
    ['tru', 3, 'unexpected end'],
    ['trux', 3, 'unexpected x'],
    ['01', 1, 'unexpected 1'],
    ['-', 1, 'unexpected end'],
    ['+1', 0, 'unexpected +'],
    ['.5', 0, 'unexpected .'],
    ['1.', 2, 'unexpected end'],
    ['1.x', 2, 'unexpected x'],
    ['-5e]', 3, 'unexpected ]'],
    ['2e+', 3, 'unexpected end'],
    ['"a', 2, 'unexpected end'],
    ['"a\\x"', 3, 'unexpected x'],
    ['"\\u12g4"', 5, 'unexpected g'],
    ['"a\nb"', 2, 'unexpected "\\n"'],
    ['[]]', 2, 'unexpected ]'],
    ['[}', 1, 'unexpected }'],
    ['{"a":[}', 6, 'unexpected }'],
    ['😀', 0, 'unexpected 😀'],
  ]
  for (const [text, position, detail] of cases) {
    assert.throws(() => JSON.parse(text), SyntaxError, text)
    const found = findJsonError(text)
    assert.deepEqual([found.position, found.detail], [position, detail], text)
  }
})

test('lines and columns count from 1', () => {
  const { line, column } = findJsonError('{\n  "a": 1,\n  "b": x\n}')
  assert.deepEqual([line, column], [3, 8])
})

test('any damaged JSON has its mistake where the engine says, when it says', () => {
  const damage = fc.tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom('', 'x', '"', ',', '}', ']', '\\', '\n', '1'),
  )
  fc.assert(
    fc.property(damage, ([text, at, insert]) => {
      const i = at % (text.length + 1)
      const damaged = text.slice(0, i) + insert + text.slice(i + 1)
      try {
        JSON.parse(damaged)
      } catch (error) {
        const { position } = findJsonError(damaged)
        const said = / at position (\d+)/.exec((error as Error).message)
        if (said !== null && position < damaged.length)
          assert.equal(position, Number(said[1]), damaged)
        assert.ok(position >= 0 && position <= damaged.length)
      }
    }),
    { numRuns: 3000 },
  )
})
