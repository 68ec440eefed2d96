import { createHash } from 'node:crypto'
import type { RedisScript } from '../../redis/redis-link.ts'

const script = (lua: string): RedisScript => ({
  lua,
  sha1: createHash('sha1').update(lua).digest('hex'),
})

/**
 * Look-ups of many keys at once. KEYS: the epoch; then of each look-up its value and the generations
 * of its scopes. ARGV: a new generation, for how many milliseconds it is kept; then of each look-up
 * how many scopes it has. Returns two items a look-up: what is
 * kept and for how many more milliseconds, or nil and the tag that a value has to have.
 *
 * A value is what is valid while its tag is the one that its scopes have: what was tagged with an
 * older one was read before an invalidation, and is as good as gone. A scope without a generation,
 * because it is new or Redis needed the room, gets one that no value was ever tagged with.
 */
export const LOOK_UP = script(`
local function generation(key)
  local found = redis.call('GET', key)
  if found then return found end
  redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
local out = {}
local epoch = generation(KEYS[1])
local at = 2
for i = 1, #ARGV - 2 do
  local scopes = tonumber(ARGV[i + 2])
  local tag = epoch
  for j = 1, scopes do
    tag = tag .. '.' .. generation(KEYS[at + j])
  end
  tag = tag .. '\\n'
  local value = redis.call('GET', KEYS[at])
  if value and string.sub(value, 1, #tag) == tag then
    out[2 * i - 1] = string.sub(value, #tag + 1)
    out[2 * i] = redis.call('PTTL', KEYS[at])
  else
    out[2 * i - 1] = false
    out[2 * i] = tag
  end
  at = at + 1 + scopes
end
return out
`)

/**
 * Gives scopes a new generation and tells the others. KEYS: the generations. ARGV: the generation,
 * for how many milliseconds it is kept, the channel, the message.
 */
export const INVALIDATE = script(`
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return #KEYS
`)

/** A new epoch: no value has its tag. KEYS: the epoch. ARGV: its name, the channel, the message. */
export const CLEAR = script(`
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
`)
