/* net/creds_edit.h - one entry of config.json's auths put in or taken out, every other byte of the text kept. */
#ifndef MLR_NET_CREDS_EDIT_H
#define MLR_NET_CREDS_EDIT_H
#include "base/buf.h"

/* `text` is a whole file (empty: a new one) and is changed in place, on success only; what it held is wiped. `path` is its name in messages. EPROTO where
 * it is no JSON object or auths is none; ELIMIT past text->max. */

/* auths[key] says `auth`; what else the entry says of secrets goes, other members stay. EINVAL for a `key` that would need escapes. */
int mlr_creds_edit_put(mlr_buf *text, const char *path, const char *key, const char *auth, mlreg_error **err);
/* Takes out every entry that names `host`: 1, or 0 if there was none. */
int mlr_creds_edit_remove(mlr_buf *text, const char *path, const char *host, mlreg_error **err);
#endif
