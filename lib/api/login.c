/* api/login.c - credentials: kept for a registry, forgotten, and handed over by a callback. */
#include "api/door.h"

#include "base/alloc.h"
#include "net/creds.h"

static int keep(mlreg_session *s, const char *name, const char *secret, mlreg_op *remote, mlreg_list **where, mlreg_error **err)
{
    mlr_list *l = NULL;
    mlr_op *op = NULL;
    char *kept = NULL;
    int rc = mlr_door_begin(remote, &op, err);

    if (rc < 0)
        return rc;
    if ((rc = mlr_place_login(s->place, name, secret, op, &kept, err)) == 0 && where != NULL &&
        (rc = mlr_list_new(&l, err)) == 0 && (rc = mlr_list_add(l, kept, NULL, err)) == 0) {
        *where = l;
        l = NULL;
    }
    mlr_list_free(l);
    mlr_free(kept);
    mlr_op_end(op);
    return rc;
}

int mlreg_session_login(mlreg_session *s, const char *name, const char *secret, mlreg_op *op, mlreg_list **where, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(name, "name", err)) < 0 || (rc = mlr_door_needs(secret, "secret", err)) < 0)
        return rc;
    return keep(s, name, secret, op, where, err);
}

int mlreg_session_logout(mlreg_session *s, mlreg_op *op, mlreg_list **where, mlreg_error **err)
{
    int rc = mlr_door_session(s, err);

    return rc < 0 ? rc : keep(s, NULL, NULL, op, where, err);
}

static int answer(mlreg_auth *a, mlr_creds_kind kind, const char *name, const char *secret)
{
    int rc = mlr_creds_set(&a->creds, kind, name, secret, NULL);

    if (rc == 0)
        a->set = 1;
    return rc;
}

int mlreg_auth_set_basic(mlreg_auth *a, const char *name, const char *secret)
{
    return a == NULL || name == NULL || secret == NULL ? MLREG_EINVAL : answer(a, MLR_CREDS_BASIC, name, secret);
}

int mlreg_auth_set_token(mlreg_auth *a, const char *token)
{
    return a == NULL || token == NULL ? MLREG_EINVAL : answer(a, MLR_CREDS_BEARER, NULL, token);
}
