/* net/creds_helper.h - docker-credential-*: what they are asked, and what their answers mean. */
#ifndef MLR_NET_CREDS_HELPER_H
#define MLR_NET_CREDS_HELPER_H
#include "net/creds.h"

/* `suffix` as a file of credentials has it: "pass" stands for the program docker-credential-pass. Each of these fails with EPROTO for a suffix that is not
 * [A-Za-z0-9._-]+, ECANCELLED and ENOMEM besides what is said. No message holds a secret. */

/* 1; 0 if the helper has none. EAUTH, naming the helper, for anything but these two answers: missing, hung over 30 s, failed, made no sense. */
int mlr_creds_helper_get(const char *suffix, const char *host, mlr_op *op, mlr_creds *out, mlreg_error **err);
/* EIO, naming the helper, for all that is no success. EINVAL for a name or secret that is not UTF-8. */
int mlr_creds_helper_store(const char *suffix, const char *host, const char *name, const char *secret, mlr_op *op, mlreg_error **err);
/* 1; 0 if there was nothing to erase; EIO as above. */
int mlr_creds_helper_erase(const char *suffix, const char *host, mlr_op *op, mlreg_error **err);
#endif
