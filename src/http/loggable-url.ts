/** `p` and `u` are the password and the user of InfluxDB 1 clients. */
const SECRETS = /([?&](?:p|u|token|key|password|api_key|access_token)=)[^&]*/gi
/** What stands behind `/api/v1/` in Weir's own paths. */
const OWN = 'analytics|capacity|devices|export|import|keys|ledger|live|query|telemetry'
/** In that place of any other path a ThingsBoard device has its token, whatever it asks for. */
const TOKEN = new RegExp(`^(/api/v1/)(?!(?:${OWN})(?:[/?#]|$))[^/?#]+`, 'i')
/** A key anywhere else: its id may be seen. */
const KEY = /weir_([a-z0-9]+)_[a-z0-9]*/gi

/** A request's URL as a log line may have it: without keys and passwords. */
export function loggableUrl(url: string): string {
  return url.replace(TOKEN, '$1***').replaceAll(SECRETS, '$1***').replaceAll(KEY, 'weir_$1_***')
}
