/* api/door.c - what every public call passes on its way in: handles that are there, options of any age, one op per call. */
#include "api/door.h"

#include <unistd.h>
#include "base/error.h"

int mlr_door_needs(const void *thing, const char *what, mlreg_error **err)
{
    return thing != NULL ? 0 : mlr_error_set(err, MLREG_EINVAL, "%s is NULL", what);
}

int mlr_door_session(const mlreg_session *s, mlreg_error **err)
{
    int rc = mlr_door_needs(s, "the session", err);

    if (rc == 0 && s->pid != getpid()) {
        rc = mlr_error_set(err, MLREG_ESTATE, "this session was opened before fork()");
        mlr_error_hint(err, rc, "open a session of its own in the child process");
    }
    return rc;
}

int mlr_door_begin(mlreg_op *remote, mlr_op **out, mlreg_error **err)
{
    mlr_op *op = NULL;
    int rc = mlr_op_begin(remote, &op, err);

    if (rc < 0)
        return rc;
    if ((rc = mlr_op_check(op, err)) < 0) {
        mlr_op_end(op);
        return rc;
    }
    *out = op;
    return 0;
}

int mlr_door_runtime(const mlreg_runtime *rt, mlreg_error **err)
{
    return rt != NULL && !mlr_runtime_is_ours(rt) ? mlr_error_set(err, MLREG_ESTATE, "this runtime was made before fork()") : 0;
}

int mlr_door_op(const mlreg_op *op, mlreg_error **err)
{
    int rc = mlr_door_needs(op, "the op", err);

    return rc == 0 && !mlr_remote_is_ours(op) ? mlr_error_set(err, MLREG_ESTATE, "this op was made before fork()") : rc;
}

static int check_size(uint32_t size, size_t first_bytes, const char *name, mlreg_error **err)
{
    if (size >= first_bytes && size <= MLR_DOOR_LARGEST_BYTES)
        return 0;
    int rc = mlr_error_set(err, MLREG_EINVAL, "%s: a size of %u cannot be right", name, size);
    return mlr_error_hint(err, rc, "begin with MLREG_INIT(options)");
}

/* What a newer header added must be left at its default. */
static int check_rest(const void *theirs, uint32_t size, size_t our_bytes, const char *name, mlreg_error **err)
{
    for (size_t i = our_bytes; i < size; i++)
        if (((const char *)theirs)[i] != 0) {
            int rc = mlr_error_set(err, MLREG_ESTRUCT, "%s sets something that this library does not know", name);
            return mlr_error_hint(err, rc, "the program was built for a newer libmlreg than %u.%u.%u: install that one", MLREG_VERSION >> 16,
                                  MLREG_VERSION >> 8 & 0xff, MLREG_VERSION & 0xff);
        }
    return 0;
}

int mlr_door_flags(uint32_t flags, uint32_t known, const char *name, mlreg_error **err)
{
    return (flags & ~known) == 0 ? 0 : mlr_error_set(err, MLREG_EINVAL, "%s: unknown flags %#x", name, flags & ~known);
}

int mlr_door_options(void *ours, size_t our_bytes, size_t first_bytes, uint32_t flags_known, const void *theirs, const char *name, mlreg_error **err)
{
    uint32_t head[2] = { 0, 0 };
    int rc;

    memset(ours, 0, our_bytes);
    if (theirs == NULL)
        return 0;
    memcpy(head, theirs, sizeof head[0]);
    if ((rc = check_size(head[0], first_bytes, name, err)) < 0)
        return rc;
    memcpy(head, theirs, sizeof head);
    if ((rc = check_rest(theirs, head[0], our_bytes, name, err)) < 0 || (rc = mlr_door_flags(head[1], flags_known, name, err)) < 0)
        return rc;
    memcpy(ours, theirs, head[0] < our_bytes ? head[0] : our_bytes);
    return 0;
}

int mlr_door_reserved(uint32_t reserved, const char *name, mlreg_error **err)
{
    return reserved == 0 ? 0 : mlr_error_set(err, MLREG_ESTRUCT, "%s: reserved is not zero", name);
}

int mlr_door_tag_rule(uint32_t flags, const char *expect_digest, mlr_tag_rule *out, mlreg_error **err)
{
    int rc;

    *out = (mlr_tag_rule){ (flags & MLREG_COPY_MOVE_TAG) != 0, { "" } };
    if (expect_digest == NULL)
        return 0;
    if (out->move)
        return mlr_digest_parse(expect_digest, &out->expect, err);
    rc = mlr_error_set(err, MLREG_EINVAL, "expect_digest without MLREG_COPY_MOVE_TAG: a tag that may not move needs no condition");
    return mlr_error_hint(err, rc, "set MLREG_COPY_MOVE_TAG in flags too");
}

int mlr_door_report(const void *theirs, size_t our_bytes, size_t first_bytes, const char *name, mlreg_error **err)
{
    uint32_t size;
    int rc = mlr_door_needs(theirs, name, err);

    if (rc < 0)
        return rc;
    memcpy(&size, theirs, sizeof size);
    if ((rc = check_size(size, first_bytes, name, err)) < 0)
        return rc;
    return check_rest(theirs, size, our_bytes, name, err);
}

void mlr_door_fill(void *theirs, const void *ours, size_t our_bytes)
{
    uint32_t size;

    memcpy(&size, theirs, sizeof size);
    memcpy((char *)theirs + sizeof size, (const char *)ours + sizeof size, (size < our_bytes ? size : our_bytes) - sizeof size);
}
