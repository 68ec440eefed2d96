/** MQTT 5, section 2.4, and what of MQTT 3.1.1 has no other meaning there: why a broker refuses or ends. */
const TEXTS: Readonly<Record<number, string>> = {
  0x80: 'refused without a reason',
  0x81: 'malformed packet',
  0x82: 'protocol error',
  0x83: 'refused for reasons of its own',
  0x87: 'not authorized',
  0x89: 'the server is busy',
  0x8b: 'the server is shutting down',
  0x8d: 'keep alive timeout',
  0x8e: 'another client has connected with the same client id',
  0x8f: 'the topic filter is not valid here',
  0x93: 'more messages than Receive Maximum',
  0x94: 'the topic alias is not valid',
  0x95: 'a packet is too large',
  0x96: 'the message rate is too high',
  0x97: 'a quota is exceeded',
  0x98: 'an administrator did it',
  0x9c: 'another server is to be used',
  0x9d: 'the server has moved',
  0x9e: 'shared subscriptions are not supported',
  0xa0: 'the connection has lasted as long as it may',
  0xa1: 'subscription identifiers are not supported',
  0xa2: 'wildcards are not supported',
}

export function reasonText(code: number | undefined): string {
  if (code === undefined) return 'no reason given'
  return TEXTS[code] ?? `reason code 0x${code.toString(16)}`
}
